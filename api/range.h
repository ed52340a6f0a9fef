/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_RANGE_H
#define API_RANGE_H

#include <stdint.h>

enum range_outcome {
	RANGE_PART = 0,
	RANGE_WHOLE = 1,	 /* no range, or one that RFC 9110 lets a server ignore */
	RANGE_UNSATISFIABLE = 2, /* 416 */
};

/**
 * range_parse() - a Range header (RFC 9110, 14.1.2) for something of @size bytes
 * @text: its value, or NULL. Lists of ranges are ignored.
 * @ret_first, @ret_length: the part, for RANGE_PART
 */
enum range_outcome range_parse(const char *text, uint64_t size, uint64_t *ret_first,
			       uint64_t *ret_length);

/** parse_number() - decimal digits and nothing else. Return: 0 or -EINVAL. */
int parse_number(const char *text, uint64_t *ret_value);

#endif
