/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_RANGE_H
#define API_RANGE_H

/*
 * DOC: Ranges and numbers of a request
 *
 * Parsers of texts that clients send, without side effects. A Range header that the RFC
 * allows a server to ignore is ignored, so a client may get more than it requested, but
 * never an error for it.
 */

#include <stdint.h>

enum range_outcome {
	RANGE_PART = 0,
	RANGE_WHOLE = 1,	 /* no range, or one that RFC 9110 lets a server ignore */
	RANGE_UNSATISFIABLE = 2, /* 416 */
};

/**
 * range_parse() - parse a Range header (RFC 9110, 14.1.2) for content of @size bytes
 * @text: value of the header, or NULL. Lists of ranges are ignored.
 * @ret_first, @ret_length: set for RANGE_PART
 */
enum range_outcome range_parse(const char *text, uint64_t size, uint64_t *ret_first,
			       uint64_t *ret_length);

/** parse_number() - parse @text, which must be decimal digits. Return: 0 or -EINVAL. */
int parse_number(const char *text, uint64_t *ret_value);

#endif
