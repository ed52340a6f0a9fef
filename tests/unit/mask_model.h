/* SPDX-License-Identifier: Apache-2.0 */
/* Masking said in the simplest way, and the real one fed in parts: for unit tests and fuzzing. */
#ifndef TESTS_UNIT_MASK_MODEL_H
#define TESTS_UNIT_MASK_MODEL_H

#include "daemon/mask.h"

#include <stdlib.h>
#include <string.h>

/*
 * Mark every byte of every occurrence of every piece; put "***" for each row of
 * marked bytes. @out has room for @size. Return: bytes in it.
 */
static inline size_t mask_model(const struct mask *mask, const char *text, size_t size, char *out)
{
	char *marked = calloc(1, size + 1);
	size_t used = 0;

	for (size_t i = 0; i < mask_pieces(mask); i++) {
		size_t length;
		const char *piece = mask_piece(mask, i, &length);

		for (size_t at = 0; at + length <= size; at++) {
			if (memcmp(text + at, piece, length) == 0)
				memset(marked + at, 1, length);
		}
	}
	for (size_t at = 0; at < size; at++) {
		if (!marked[at]) {
			out[used++] = text[at];
		} else if (at == 0 || !marked[at - 1]) {
			memcpy(out + used, "***", 3);
			used += 3;
		}
	}
	free(marked);
	return used;
}

static inline uint64_t mask_model_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/*
 * Feed @text in parts of 1 to @part_max bytes. @out has room for @size +
 * MASK_HEADROOM. Return: bytes in it.
 */
static inline size_t mask_feed(const struct mask *mask, const char *text, size_t size,
			       size_t part_max, uint64_t *seed, char *out)
{
	char *buffer = malloc(MASK_HEADROOM + part_max);
	struct mask_stream stream;
	size_t used = 0;

	mask_stream_init(&stream, mask);
	for (size_t at = 0; at < size;) {
		size_t part = 1 + mask_model_random(seed) % part_max;
		size_t shown;
		char *data;

		if (part > size - at)
			part = size - at;
		memcpy(buffer + MASK_HEADROOM, text + at, part);
		shown = mask_stream_feed(&stream, buffer + MASK_HEADROOM, part, &data);
		if (data < buffer || data + shown > buffer + MASK_HEADROOM + part)
			abort();
		memcpy(out + used, data, shown);
		used += shown;
		at += part;
	}
	used += mask_stream_finish(&stream, out + used);
	free(buffer);
	return used;
}

#endif
