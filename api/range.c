/* SPDX-License-Identifier: Apache-2.0 */
#include "api/range.h"

#include <errno.h>
#include <string.h>

/* Parse the digits at *text and move it behind them. Return: 0; -EINVAL: none, or too many. */
static int take_number(const char **text, uint64_t *ret_value)
{
	const char *p = *text;
	uint64_t value = 0;

	for (; *p >= '0' && *p <= '9'; p++) {
		if (value > (UINT64_MAX - 9) / 10)
			return -EINVAL;
		value = value * 10 + (uint64_t)(*p - '0');
	}
	if (p == *text)
		return -EINVAL;
	*text = p;
	*ret_value = value;
	return 0;
}

int parse_number(const char *text, uint64_t *ret_value)
{
	uint64_t value;

	if (!text || take_number(&text, &value) < 0 || *text)
		return -EINVAL;
	*ret_value = value;
	return 0;
}

enum range_outcome range_parse(const char *text, uint64_t size, uint64_t *ret_first,
			       uint64_t *ret_length)
{
	uint64_t first, last;

	if (!text || strncmp(text, "bytes=", 6) != 0)
		return RANGE_WHOLE;
	text += 6;
	if (*text == '-') { /* a suffix range: the last bytes */
		text++;
		if (take_number(&text, &last) < 0 || *text)
			return RANGE_WHOLE;
		if (last == 0 || size == 0)
			return RANGE_UNSATISFIABLE;
		*ret_first = last < size ? size - last : 0;
		*ret_length = size - *ret_first;
		return RANGE_PART;
	}
	if (take_number(&text, &first) < 0 || *text++ != '-')
		return RANGE_WHOLE;
	last = UINT64_MAX;
	if (*text && (take_number(&text, &last) < 0 || *text || last < first))
		return RANGE_WHOLE;
	if (first >= size)
		return RANGE_UNSATISFIABLE;
	*ret_first = first;
	*ret_length = (last < size ? last + 1 : size) - first;
	return RANGE_PART;
}
