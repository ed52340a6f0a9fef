/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/log_tail.h"

#include "cli/term_filter.h"

#include <string.h>

const char *log_line_shown(const char *line, size_t size, size_t *ret_size)
{
	const char *start;

	while (size > 0 && line[size - 1] == '\r')
		size--;
	start = memrchr(line, '\r', size);
	start = start ? start + 1 : line;
	*ret_size = size - (size_t)(start - line);
	return start;
}

/* Return: start of the last @lines lines, or NULL if @data may not have all of them. */
static const char *tail_start(const char *data, size_t size, unsigned lines)
{
	const char *newline;

	if (size > 0 && data[size - 1] == '\n')
		size--;
	for (;;) {
		newline = memrchr(data, '\n', size);
		if (!newline)
			return NULL;
		if (--lines == 0)
			return newline + 1;
		size = (size_t)(newline - data);
	}
}

bool log_tail_whole(const char *data, size_t size, unsigned lines)
{
	return tail_start(data, size, lines) != NULL;
}

static void put_line(const struct log_tail *tail, const char *line, size_t size,
		     struct text_buffer *out)
{
	struct term_filter filter = {.color = tail->color};

	line = log_line_shown(line, size, &size);
	text_puts(out, tail->prefix);
	if (size > LOG_TAIL_LINE_MAX) {
		line += size - LOG_TAIL_LINE_MAX;
		size = LOG_TAIL_LINE_MAX;
		for (; size > 0 && ((unsigned char)*line & 0xc0) == 0x80; size--)
			line++; /* begin at a character */
		text_puts(out, "... ");
	}
	term_filter_feed(&filter, line, size, out);
	if (filter.colored)
		text_puts(out, SGR_RESET); /* a colour must not run into the next line */
	text_puts(out, "\n");
}

void log_tail_format(const struct log_tail *tail, const char *data, size_t size,
		     struct text_buffer *out)
{
	const char *line = tail_start(data, size, tail->lines), *end = data + size;

	for (line = line ? line : data; line < end;) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));

		put_line(tail, line, (size_t)((newline ? newline : end) - line), out);
		line = newline ? newline + 1 : end;
	}
}
