/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_LOG_TAIL_H
#define CLI_LOG_TAIL_H

/*
 * The last lines of a log, for people. A log may hold any bytes: a NUL ends nothing, and what
 * a progress bar painted over itself by carriage returns is one line, its last state.
 */

#include "cli/text.h"

/* of one line; more of it is left out at its beginning */
#define LOG_TAIL_LINE_MAX (4UL * 1024)

/** struct log_tail - how lines are chosen and printed */
struct log_tail {
	unsigned lines;	    /* at most so many, from 1 */
	const char *prefix; /* in front of each */
	bool color;	    /* let colours through */
};

/**
 * log_tail_whole() - are the last @lines lines within @data from their beginnings on?
 *
 * @data: the end of a log. When the answer is no, more of the log is needed, unless @data is
 * all of it.
 */
bool log_tail_whole(const char *data, size_t size, unsigned lines);
/** log_tail_format() - append the last lines of @data, made harmless (see term_filter.h) */
void log_tail_format(const struct log_tail *tail, const char *data, size_t size,
		     struct text_buffer *out);
/**
 * log_line_shown() - the part of a line that a terminal still shows
 * @line, @ret_size: a line without its newline; what is behind its last carriage return that
 * something follows
 */
const char *log_line_shown(const char *line, size_t size, size_t *ret_size);

#endif
