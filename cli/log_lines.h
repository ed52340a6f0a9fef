/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_LOG_LINES_H
#define CLI_LOG_LINES_H

/*
 * DOC: Complete lines of a log
 *
 * Where several logs are shown together, their bytes are collected into complete lines, and
 * each line gets the name of its step in front. For a terminal they go through the filter of
 * term_filter.h as well. A line that is too long is split, so memory stays bounded.
 */

#include "cli/term_filter.h"

/* A longer line is split. */
#define LOG_LINE_MAX (16UL * 1024)

struct log_lines {
	const char *prefix; /* put in front of each line, may be "" */
	bool terminal;	    /* filter the text for a terminal (see term_filter.h) */
	bool collapse;	    /* show only the last state of a line with carriage returns */
	bool stamped;	    /* lines begin with a time and a blank, which collapse keeps */
	struct term_filter filter;
	struct text_buffer line;
	bool broken; /* private: line has the rest of a line that was split */
};

/** log_lines_feed() - append the lines that @data completes to @out */
void log_lines_feed(struct log_lines *lines, const char *data, size_t size,
		    struct text_buffer *out);
/** log_lines_end() - append an unfinished line with a newline, and free memory */
void log_lines_end(struct log_lines *lines, struct text_buffer *out);

#endif
