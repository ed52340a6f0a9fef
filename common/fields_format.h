/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_FIELDS_FORMAT_H
#define COMMON_FIELDS_FORMAT_H

/* The format of fields*.c. It never changes, because other versions use it, too. */

#include "common/fields.h"

/** struct field_entry - header of each field of a message */
struct field_entry {
	uint16_t tag;
	uint8_t type, flags;
	uint32_t length;
};
_Static_assert(sizeof(struct field_entry) == 8, "part of the format");

/** struct field_place - one field of a layout; for a record @nested bytes of its layout follow */
struct field_place {
	uint16_t tag;
	uint8_t type, flags;
	uint32_t offset, size, count, stride, counter;
	uint32_t nested;
};
_Static_assert(sizeof(struct field_place) == 28, "part of the format");

/** field_written_type() - the type as written to data: BOOL as UINT and so on */
static inline uint8_t field_written_type(uint8_t type)
{
	if (type == FIELD_TYPE_BOOL)
		return FIELD_TYPE_UINT;
	return type == FIELD_TYPE_BLOB ? FIELD_TYPE_BYTES : type;
}

#endif
