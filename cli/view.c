/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/view.h"

#include "common/cleanup.h"
#include "common/names.h"

#include <string.h>

#define LINE_MAX_BYTES 2048
#define NAME_WIDTH_MIN 8
#define NAME_WIDTH_MAX 48

/* Steps with a smaller rank are preferred when there is not room for all. */
static unsigned step_rank(const struct view_step *step)
{
	static const char *const order[] = {"running",	 "failed",    "errored", "ready",
					    "cancelled", "succeeded", "pending", "skipped"};

	for (unsigned i = 0; i < ARRAY_SIZE(order); i++)
		if (strcmp(order[i], step->state) == 0)
			return i;
	return ARRAY_SIZE(order);
}

struct ranked {
	unsigned rank;
	uint64_t ended_usec;
	size_t index;
};

static int compare_ranked(const void *one, const void *other)
{
	const struct ranked *a = one, *b = other;

	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	if (a->ended_usec != b->ended_usec) /* prefer the step that ended last */
		return a->ended_usec > b->ended_usec ? -1 : 1;
	return a->index < b->index ? -1 : 1;
}

static const char *spinner(const struct view_options *options)
{
	static const char *const braille[] = {"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"};
	static const char *const ascii[] = {"|", "/", "-", "\\"};

	return options->utf8 ? braille[options->frame % ARRAY_SIZE(braille)]
			     : ascii[options->frame % ARRAY_SIZE(ascii)];
}

static const char *glyph(const char *state, const struct view_options *options)
{
	return strcmp(state, "running") == 0 ? spinner(options) : state_glyph(state, options->utf8);
}

static void elapsed(char *out, size_t size, uint64_t started, uint64_t ended, uint64_t now)
{
	out[0] = '\0';
	if (started == 0)
		return;
	if (ended == 0)
		ended = now;
	format_duration(out, size, ended > started ? ended - started : 0);
}

/* Append a line, cut to the width. The last column stays free, as some terminals wrap there. */
static void put_line(struct text_buffer *out, const char *line, const struct view_options *options)
{
	char cut[LINE_MAX_BYTES];

	text_cut(cut, sizeof(cut), line, options->columns > 1 ? options->columns - 1 : 1,
		 options->utf8);
	text_printf(out, "%s%s\n", cut, sgr(options->color, SGR_RESET));
}

static void put_heading(struct text_buffer *out, const struct view *view,
			const struct view_options *options)
{
	char line[LINE_MAX_BYTES], title[512], reason[512], duration[32];
	size_t done = 0;

	for (size_t i = 0; i < view->n_steps; i++)
		done += state_final(view->steps[i].state);
	text_escape(title, sizeof(title), view->title);
	text_escape(reason, sizeof(reason), view->reason ? view->reason : "");
	elapsed(duration, sizeof(duration), view->started_usec, view->ended_usec,
		options->now_usec);
	(void)snprintf(line, sizeof(line), "%s%s%s  %s%s %s%s  %zu/%zu%s%s%s%s",
		       sgr(options->color, SGR_BOLD), title, sgr(options->color, SGR_RESET),
		       sgr(options->color, state_color(view->state)), glyph(view->state, options),
		       view->state, sgr(options->color, SGR_RESET), done, view->n_steps,
		       *duration ? "  " : "", duration, *reason ? "  " : "", reason);
	put_line(out, line, options);
}

static void put_step(struct text_buffer *out, const struct view_step *step, size_t name_width,
		     const struct view_options *options)
{
	char line[LINE_MAX_BYTES], escaped[512], name[512], reason[512], duration[32], try[24] = "";

	text_escape(escaped, sizeof(escaped), step->name);
	text_cut(name, sizeof(name), escaped, name_width, options->utf8);
	text_escape(reason, sizeof(reason), step->reason ? step->reason : "");
	elapsed(duration, sizeof(duration), step->started_usec, step->ended_usec,
		options->now_usec);
	if (step->attempt > 1)
		(void)snprintf(try, sizeof(try), "(attempt %u) ", step->attempt);
	(void)snprintf(line, sizeof(line), " %s%s%s %s%*s  %s%-9s%s %8s  %s%s",
		       sgr(options->color, state_color(step->state)), glyph(step->state, options),
		       sgr(options->color, SGR_RESET), name, (int)(name_width - text_width(name)),
		       "", sgr(options->color, state_color(step->state)), step->state,
		       sgr(options->color, SGR_RESET), duration, try, reason);
	put_line(out, line, options);
}

/* Append a line that counts the steps that are not shown, by state. */
static void put_rest(struct text_buffer *out, const struct view *view, const bool *shown,
		     const struct view_options *options)
{
	static const char *const order[] = {"running",	 "failed",    "errored", "ready",
					    "cancelled", "succeeded", "pending", "skipped"};
	cleanup_text struct text_buffer line = {0};
	size_t total = 0;

	for (size_t state = 0; state < ARRAY_SIZE(order); state++) {
		size_t count = 0;

		for (size_t i = 0; i < view->n_steps; i++)
			count += !shown[i] && strcmp(view->steps[i].state, order[state]) == 0;
		if (count == 0)
			continue;
		text_printf(&line, "%s%zu %s", total ? ", " : "", count, order[state]);
		total += count;
	}
	if (line.data) {
		cleanup_text struct text_buffer whole = {0};

		text_printf(&whole, " %s%s %zu more: %s", sgr(options->color, SGR_DIM),
			    options->utf8 ? "…" : "...", total, line.data);
		if (whole.data)
			put_line(out, whole.data, options);
	}
}

/* Choose the steps for @room lines. Return: a flag for each step; NULL when out of memory. */
static bool *choose_steps(const struct view *view, size_t room)
{
	cleanup_free struct ranked *ranked = calloc(view->n_steps + 1, sizeof(*ranked));
	cleanup_free bool *shown = calloc(view->n_steps + 1, sizeof(*shown));

	if (!ranked || !shown)
		return NULL;
	for (size_t i = 0; i < view->n_steps; i++)
		ranked[i] = (struct ranked){.rank = step_rank(&view->steps[i]),
					    .ended_usec = view->steps[i].ended_usec,
					    .index = i};
	qsort(ranked, view->n_steps, sizeof(*ranked), compare_ranked);
	for (size_t i = 0; i < view->n_steps && i < room; i++)
		shown[ranked[i].index] = true;
	return TAKE_PTR(shown);
}

void view_render(const struct view *view, const struct view_options *options,
		 struct text_buffer *out)
{
	/* one row is for the heading, one for the cursor */
	size_t room = options->rows > 3 ? options->rows - 2 : 1;
	size_t name_width = NAME_WIDTH_MIN, limit = options->columns / 2;
	bool all;
	cleanup_free bool *shown = NULL;

	if (room > SCREEN_ROWS_MAX - 2)
		room = SCREEN_ROWS_MAX - 2;
	all = view->n_steps <= room;
	shown = choose_steps(view, all ? view->n_steps : room - 1);
	if (!shown) {
		out->failed = true;
		return;
	}
	for (size_t i = 0; i < view->n_steps; i++) {
		size_t width = shown[i] ? text_width(view->steps[i].name) : 0;

		if (width > name_width)
			name_width = width;
	}
	if (limit > NAME_WIDTH_MAX)
		limit = NAME_WIDTH_MAX;
	if (limit < NAME_WIDTH_MIN)
		limit = NAME_WIDTH_MIN;
	if (name_width > limit)
		name_width = limit;
	put_heading(out, view, options);
	for (size_t i = 0; i < view->n_steps; i++)
		if (shown[i])
			put_step(out, &view->steps[i], name_width, options);
	if (!all)
		put_rest(out, view, shown, options);
}

/* Append lines and erase their ends; record their widths if @screen is not NULL. */
static void put_lines(struct screen *screen, const char *text, struct text_buffer *out)
{
	char line[LINE_MAX_BYTES];

	while (*text) {
		const char *end = strchrnul(text, '\n');
		size_t length = (size_t)(end - text);

		text_append(out, text, length);
		text_puts(out, "\033[K\n");
		if (screen && screen->n_lines < SCREEN_ROWS_MAX) {
			(void)snprintf(line, sizeof(line), "%.*s", (int)length, text);
			screen->widths[screen->n_lines++] = text_width(line);
		}
		text = *end ? end + 1 : end;
	}
}

void screen_frame(struct screen *screen, size_t columns, const char *above, const char *block,
		  struct text_buffer *out)
{
	size_t rows = 0;

	for (size_t i = 0; i < screen->n_lines; i++)
		rows += columns > 0 && screen->widths[i] > columns
				? (screen->widths[i] + columns - 1) / columns
				: 1;
	if (rows > 0)
		text_printf(out, "\033[%zuA\r", rows);
	screen->n_lines = 0;
	if (above)
		put_lines(NULL, above, out);
	if (block)
		put_lines(screen, block, out);
	text_puts(out, "\033[J");
}
