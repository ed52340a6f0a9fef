/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_TERM_FILTER_H
#define CLI_TERM_FILTER_H

/*
 * DOC: What a step prints must not drive the terminal
 *
 * A log is written by whoever wrote the code under test. Escape sequences in it
 * could retitle the window, answer back as typed input, or paint over what
 * runbookctl says. The filter lets printable UTF-8, newline, tab and colours
 * (SGR) through; every other sequence is dropped whole, other control characters
 * become U+FFFD, and what turns text around is named: <U+202E>. It is a state machine, so a sequence
 * may be split over any number of reads.
 */

#include "cli/text.h"

struct term_filter {
	bool color;	  /* let SGR through */
	bool keep_return; /* let a carriage return through (a terminal of one's own line) */
	bool colored;	  /* an SGR other than reset is in force */
	unsigned state;	  /* private from here on */
	unsigned length;
	char held[64];
	bool held_return;
};

/** term_filter_feed() - append the harmless rendering of @data to @out */
void term_filter_feed(struct term_filter *filter, const char *data, size_t size,
		      struct text_buffer *out);

#endif
