/* SPDX-License-Identifier: Apache-2.0 */
/* Any packet: decode it, then read it in an order that the input chooses. */
#include "common/message.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct message *message = NULL;
	uint8_t order;
	size_t length;

	if (size < 1)
		return 0;
	order = data[0];
	if (message_decode(data + 1, size - 1, NULL, 0, &message) < 0)
		return 0;
	for (int i = 0; i < 8 && !message->failed; i++, order >>= 1) {
		uint8_t tag = message->offset < message->length ? message->payload[message->offset]
								: (uint8_t)(order & 3);

		if (tag == 'u')
			(void)message_get_u64(message);
		else if (tag == 's')
			(void)message_get_string(message, order & 1 ? 16 : 4096);
		else if (tag == 'b')
			(void)message_get_bytes(message, &length);
		else
			(void)message_get_fd(message);
	}
	(void)message_end(message);
	(void)message_free(message);
	return 0;
}
