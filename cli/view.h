/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_VIEW_H
#define CLI_VIEW_H

/*
 * DOC: The live view
 *
 * view_render() is a pure function from states to text: a heading and one line
 * per step, no line wider and no block taller than the terminal. When there are
 * more steps than rows, those that matter now are shown (running, then failed,
 * then waiting, then the last that ended) in the runbook's order, and one line
 * counts the rest.
 *
 * screen_frame() turns "these log lines, then this block" into the bytes that
 * replace the block drawn before: go up over it, rewrite each line with its end
 * erased, erase what is left below. A frame is one write, so nothing flickers.
 * After a resize the terminal has wrapped the old lines; how many rows they take
 * now follows from their widths, which the screen remembers.
 */

#include "cli/text.h"

struct view_step {
	const char *name;
	const char *state;
	const char *reason;
	uint64_t started_usec; /* 0: not yet */
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
	unsigned frame; /* counts up: moves the spinner */
	bool color;
	bool utf8;
};

/** view_render() - append the block, each line ended by a newline */
void view_render(const struct view *view, const struct view_options *options,
		 struct text_buffer *out);

#define SCREEN_ROWS_MAX 512

struct screen {
	size_t widths[SCREEN_ROWS_MAX]; /* of the lines of the block that is drawn */
	size_t n_lines;
};

/**
 * screen_frame() - append the bytes that put @above over the new @block
 * @above: whole lines that scroll away (log output), may be NULL
 * @block: whole lines that the next frame will replace, may be NULL
 */
void screen_frame(struct screen *screen, size_t columns, const char *above, const char *block,
		  struct text_buffer *out);

#endif
