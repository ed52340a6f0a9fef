/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_CACHER_PUT_H
#define TESTS_UNIT_CACHER_PUT_H

#include "cacher/store.h"

#include <string.h>

/** put_append() - append @data to @put. Return: as store_put_filled(). */
static inline int put_append(struct store_put *put, const void *data, size_t size)
{
	const char *bytes = data;
	int r = 0;

	while (size > 0 && r == 0) {
		size_t room;
		void *buffer = store_put_room(put, &room);

		if (room > size)
			room = size;
		memcpy(buffer, bytes, room);
		r = store_put_filled(put, room, NULL);
		bytes += room;
		size -= room;
	}
	return r;
}

#endif
