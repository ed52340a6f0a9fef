/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/log_lines.h"

#include <string.h>

static void put_line(struct log_lines *lines, const char *data, size_t size,
		     struct text_buffer *out)
{
	text_puts(out, lines->prefix);
	text_append(out, data, size);
	if (lines->terminal && memchr(data, '\033', size))
		text_puts(out, SGR_RESET); /* a colour must not run into the next prefix */
	text_puts(out, "\n");
}

static void split(struct log_lines *lines, struct text_buffer *out)
{
	char *start = lines->line.data, *end = lines->line.data + lines->line.size;

	while (start < end) {
		char *newline = memchr(start, '\n', (size_t)(end - start));

		if (!newline && (size_t)(end - start) < LOG_LINE_MAX)
			break;
		if (newline) {
			put_line(lines, start, (size_t)(newline - start), out);
			start = newline + 1;
		} else {
			put_line(lines, start, (size_t)(end - start), out);
			start = end;
		}
	}
	lines->line.size = (size_t)(end - start);
	memmove(lines->line.data, start, lines->line.size);
}

void log_lines_feed(struct log_lines *lines, const char *data, size_t size, struct text_buffer *out)
{
	while (size > 0) {
		size_t part = size < LOG_LINE_MAX ? size : LOG_LINE_MAX;

		if (lines->terminal)
			term_filter_feed(&lines->filter, data, part, &lines->line);
		else
			text_append(&lines->line, data, part);
		if (lines->line.data)
			split(lines, out);
		data += part;
		size -= part;
	}
}

void log_lines_end(struct log_lines *lines, struct text_buffer *out)
{
	if (lines->line.size > 0)
		put_line(lines, lines->line.data, lines->line.size, out);
	text_buffer_done(&lines->line);
}
