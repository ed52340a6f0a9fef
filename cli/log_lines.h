/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_LOG_LINES_H
#define CLI_LOG_LINES_H

/* A stream of log bytes becomes whole lines behind the name of their step. */

#include "cli/term_filter.h"

/* A line longer than this is broken: memory stays bounded. */
#define LOG_LINE_MAX (16UL * 1024)

struct log_lines {
	const char *prefix; /* put in front of each line, may be "" */
	bool terminal;	    /* make the text harmless (see term_filter.h) */
	bool collapse; /* of a line that was painted over by carriage returns, the last state */
	bool stamped;  /* lines begin with a time and a blank, which stay */
	struct term_filter filter;
	struct text_buffer line;
	bool broken; /* private: what is in line is not the beginning of one */
};

/** log_lines_feed() - append the lines that @data completes to @out */
void log_lines_feed(struct log_lines *lines, const char *data, size_t size,
		    struct text_buffer *out);
/** log_lines_end() - append what is left, with a newline, and release memory */
void log_lines_end(struct log_lines *lines, struct text_buffer *out);

#endif
