/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_LOG_TAIL_H
#define CLI_LOG_TAIL_H

/*
 * DOC: The last lines of a log
 *
 * Summaries show the last lines of a log. A log may contain any bytes, so a NUL does not end
 * it. A progress bar, which overwrites itself with carriage returns, is one line, of which the
 * last state is shown.
 */

#include "cli/text.h"

/* most bytes of one line; the beginning of a longer one is left out */
#define LOG_TAIL_LINE_MAX (4UL * 1024)

/** struct log_tail - choice and format of the lines */
struct log_tail {
	unsigned lines;	    /* most lines, at least 1 */
	const char *prefix; /* in front of each line */
	bool color;	    /* keep colours */
};

/**
 * log_tail_whole() - does @data have the last @lines lines completely?
 * @data: the end of a log
 *
 * If it does not, more of the log is needed, unless @data is all of it.
 */
bool log_tail_whole(const char *data, size_t size, unsigned lines);
/** log_tail_format() - append the last lines of @data, filtered for a terminal (term_filter.h) */
void log_tail_format(const struct log_tail *tail, const char *data, size_t size,
		     struct text_buffer *out);
/**
 * log_line_shown() - the part of a line that a terminal still shows
 * @line: without its newline
 *
 * Return: the part behind the last carriage return that is not at the end, with *@ret_size
 * bytes; points into @line.
 */
const char *log_line_shown(const char *line, size_t size, size_t *ret_size);

#endif
