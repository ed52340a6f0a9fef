/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/log_position.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void log_position_begin(struct log_position *position, const char *header)
{
	uint64_t first, last, length;

	position->started = true;
	position->in_stamp = position->timestamps;
	position->cut_ahead = false;
	if (!header ||
	    sscanf(header, "%" SCNu64 "-%" SCNu64 "/%" SCNu64, &first, &last, &length) != 3 ||
	    last < first || last == UINT64_MAX || last < position->offset)
		return;
	position->cut_ahead = true;
	position->cut_first = first;
	position->cut_end = last + 1;
	position->text_left = length;
}

/* Return: whether the next byte belongs to the text in place of the hole. */
static bool in_text(struct log_position *position)
{
	if (!position->cut_ahead || position->offset < position->cut_first)
		return false;
	if (position->text_left > 0)
		return true;
	position->cut_ahead = false;
	position->offset = position->cut_end;
	position->in_stamp = position->timestamps;
	return false;
}

void log_position_count(struct log_position *position, const char *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (in_text(position)) {
			position->text_left--;
			continue;
		}
		if (position->in_stamp) {
			position->in_stamp = data[i] != ' ';
			continue;
		}
		position->offset++;
		position->in_stamp = position->timestamps && data[i] == '\n';
	}
	(void)in_text(position);
}
