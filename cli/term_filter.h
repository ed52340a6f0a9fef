/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_TERM_FILTER_H
#define CLI_TERM_FILTER_H

/*
 * DOC: Filtering output for a terminal
 *
 * The output of a step is not trusted. Escape sequences in it could change the title of the
 * window, make the terminal send answers as if they were typed, or overwrite the output of
 * runbookctl. The filter passes printable UTF-8, newline, tab and colours (SGR). It drops
 * every other sequence as a whole, replaces other control characters by U+FFFD, and writes
 * characters that change the direction of text as their number: <U+202E>. It is a state
 * machine, so a sequence may be split over any number of reads.
 */

#include "cli/text.h"

struct term_filter {
	bool color;	  /* pass SGR */
	bool keep_return; /* pass a carriage return: no other text shares the line */
	bool colored;	  /* the last SGR was not a reset */
	unsigned state;	  /* private from here on */
	unsigned length;
	char held[64];
	bool held_return;
};

/** term_filter_feed() - append the filtered @data to @out */
void term_filter_feed(struct term_filter *filter, const char *data, size_t size,
		      struct text_buffer *out);

#endif
