/* SPDX-License-Identifier: Apache-2.0 */
#include "common/digest.h"

_Static_assert(DIGEST_BYTES == SHA256_DIGEST_SIZE, "the size of a SHA-256");

void digest_begin(struct digest *digest)
{
	sha256_init(&digest->state);
}

void digest_add(struct digest *digest, const void *data, size_t size)
{
	sha256_update(&digest->state, size, data);
}

void digest_end(struct digest *digest, uint8_t ret_bytes[DIGEST_BYTES])
{
	sha256_digest(&digest->state, DIGEST_BYTES, ret_bytes);
}

void digest_hex(char text[DIGEST_HEX_SIZE], const uint8_t bytes[DIGEST_BYTES])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < DIGEST_BYTES; i++) {
		*text++ = digits[bytes[i] >> 4];
		*text++ = digits[bytes[i] & 15];
	}
	*text = '\0';
}

void digest_hex_of(char text[DIGEST_HEX_SIZE], const void *data, size_t size)
{
	uint8_t bytes[DIGEST_BYTES];
	struct digest digest;

	digest_begin(&digest);
	digest_add(&digest, data, size);
	digest_end(&digest, bytes);
	digest_hex(text, bytes);
}
