/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/log_lines.h"

#include "cli/log_tail.h"

#include <string.h>

/* Length of the time in front of a line, which a carriage return does not overwrite. */
static size_t stamp_length(const struct log_lines *lines, const char *data, size_t size)
{
	const char *blank = lines->stamped && !lines->broken ? memchr(data, ' ', size) : NULL;

	return blank ? (size_t)(blank + 1 - data) : 0;
}

static void put_line(struct log_lines *lines, const char *data, size_t size,
		     struct text_buffer *out)
{
	const char *shown = data;
	size_t stamp = lines->collapse ? stamp_length(lines, data, size) : 0, rest = size;

	if (lines->collapse)
		shown = log_line_shown(data + stamp, size - stamp, &rest);
	text_puts(out, lines->prefix);
	text_append(out, data, stamp);
	text_append(out, shown, rest);
	if (lines->terminal && memchr(data, '\033', size))
		text_puts(out, SGR_RESET); /* a colour must not run into the next prefix */
	text_puts(out, "\n");
}

/* Remove the overwritten part of an unfinished line. Return: its new size. */
static size_t compact(const struct log_lines *lines, char *line, size_t size)
{
	size_t stamp = stamp_length(lines, line, size), shown_size, kept;
	const char *shown = log_line_shown(line + stamp, size - stamp, &shown_size);

	/* keep carriage returns at the end: the next bytes overwrite this part */
	kept = (size_t)(line + size - shown);
	memmove(line + stamp, shown, kept);
	return stamp + kept;
}

static void split(struct log_lines *lines, struct text_buffer *out)
{
	char *start = lines->line.data, *end = lines->line.data + lines->line.size;

	while (start < end) {
		char *newline = memchr(start, '\n', (size_t)(end - start));

		if (!newline && lines->collapse)
			end = start + compact(lines, start, (size_t)(end - start));
		if (!newline && (size_t)(end - start) < LOG_LINE_MAX)
			break;
		put_line(lines, start, (size_t)((newline ? newline : end) - start), out);
		lines->broken = !newline;
		start = newline ? newline + 1 : end;
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
