/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_VIEW_H
#define CLI_VIEW_H

/*
 * DOC: The live view
 *
 * view_render() is a pure function from states to text: a heading and one line for
 * each step. No line is wider and no block is taller than the terminal. When there are
 * more steps than rows, the most important ones are shown (running, then failed, then
 * waiting, then those that ended last) in the order of the runbook, and one line has the
 * number of the others.
 *
 * screen_frame() makes the bytes that replace the block of the previous frame by log
 * lines and a new block: move the cursor up over the old block, rewrite each line and
 * erase its end, erase the lines that are left below. A frame is one write(2), so nothing
 * flickers. After a resize the terminal has wrapped the old lines. The screen remembers
 * their widths, from which it computes the rows that they occupy now.
 */

#include "cli/text.h"

struct view_step {
	const char *name;
	const char *state;
	const char *reason;
	uint64_t started_usec; /* 0: it has not started */
	uint64_t ended_usec;
	unsigned attempt;
};

struct view {
	const char *title; /* "Run 42  project  main" */
	const char *state;
	const char *reason;
	uint64_t started_usec;
	uint64_t ended_usec;
	const struct view_step *steps;
	size_t n_steps;
};

struct view_options {
	size_t columns;
	size_t rows;
	uint64_t now_usec;
	unsigned frame; /* number of the frame, for the spinner */
	bool color;
	bool utf8;
};

/** view_render() - append the block, each line ended by a newline */
void view_render(const struct view *view, const struct view_options *options,
		 struct text_buffer *out);

#define SCREEN_ROWS_MAX 512

struct screen {
	size_t widths[SCREEN_ROWS_MAX]; /* of the lines of the present block */
	size_t n_lines;
};

/**
 * screen_frame() - append the bytes of one frame to @out
 * @columns: width of the terminal
 * @above:   complete lines that scroll away (log output), may be NULL
 * @block:   complete lines that the next frame will replace, may be NULL
 */
void screen_frame(struct screen *screen, size_t columns, const char *above, const char *block,
		  struct text_buffer *out);

#endif
