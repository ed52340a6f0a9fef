/* SPDX-License-Identifier: Apache-2.0 */
/* The live view: states to text, and frames as a terminal shows them. */

#include "cli/view.h"
#include "common/cleanup.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SEC USEC_PER_SEC

/* ---- a terminal with the functions that frames use ---- */

#define TERM_ROWS 64
#define TERM_COLUMNS 200

struct terminal {
	char cells[TERM_ROWS][TERM_COLUMNS + 1]; /* ASCII only */
	size_t columns, row, column;
};

static void terminal_newline(struct terminal *terminal)
{
	assert_true(terminal->row + 1 < TERM_ROWS);
	terminal->row++;
}

static size_t terminal_escape(struct terminal *terminal, const char *text)
{
	size_t length = strspn(text, "0123456789;");
	unsigned long number = strtoul(text, NULL, 10);
	char *line = terminal->cells[terminal->row];

	switch (text[length]) {
	case 'A':
		assert_true(terminal->row >= number);
		terminal->row -= number;
		break;
	case 'K':
		memset(line + terminal->column, 0, TERM_COLUMNS - terminal->column);
		break;
	case 'J':
		memset(line + terminal->column, 0, TERM_COLUMNS - terminal->column);
		for (size_t i = terminal->row + 1; i < TERM_ROWS; i++)
			memset(terminal->cells[i], 0, TERM_COLUMNS);
		break;
	case 'm':
		break;
	default:
		fail_msg("unexpected sequence ESC [ %s", text);
	}
	return length + 1;
}

static void terminal_write(struct terminal *terminal, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n') {
			terminal_newline(terminal);
			terminal->column = 0;
		} else if (*text == '\r') {
			terminal->column = 0;
		} else if (*text == '\033') {
			assert_int_equal(text[1], '[');
			text += 1 + terminal_escape(terminal, text + 2);
		} else {
			if (terminal->column == terminal->columns) {
				terminal_newline(terminal);
				terminal->column = 0;
			}
			terminal->cells[terminal->row][terminal->column++] = *text;
		}
	}
}

static void frame(struct screen *screen, struct terminal *terminal, const char *above,
		  const char *block)
{
	cleanup_text struct text_buffer out = {0};

	screen_frame(screen, terminal->columns, above, block, &out);
	terminal_write(terminal, out.data);
}

static void assert_line(const struct terminal *terminal, size_t row, const char *text)
{
	assert_string_equal(terminal->cells[row], text);
}

static void test_frames(void **state)
{
	struct terminal terminal = {.columns = 40};
	struct screen screen = {0};

	frame(&screen, &terminal, NULL, "head\n step one\n step two\n");
	frame(&screen, &terminal, "log 1\nlog 2\n", "head\n step\n step two\n");
	assert_line(&terminal, 0, "log 1");
	assert_line(&terminal, 1, "log 2");
	assert_line(&terminal, 2, "head");
	assert_line(&terminal, 3, " step");
	assert_line(&terminal, 4, " step two");
	assert_int_equal(terminal.row, 5);
	frame(&screen, &terminal, NULL, "short\n"); /* fewer lines: the others are erased */
	assert_line(&terminal, 2, "short");
	assert_line(&terminal, 3, "");
	assert_line(&terminal, 4, "");
	frame(&screen, &terminal, "the end\n", NULL);
	assert_line(&terminal, 2, "the end");
	assert_line(&terminal, 3, "");
	assert_int_equal(terminal.row, 3);
}

static void test_resize_counts_wrapped_rows(void **state)
{
	struct screen screen = {0};
	cleanup_text struct text_buffer wide = {0}, narrow = {0};

	screen_frame(&screen, 80, NULL, "aaaaaaaaaaaaaaaaaaaaaaaaa\nbb\n", &wide);
	/* 25 columns on a terminal of 10 are three rows, and bb one */
	screen_frame(&screen, 10, NULL, "a\n", &narrow);
	assert_int_equal(strncmp(narrow.data, "\033[4A\r", 5), 0);
}

/* ---- rendering ---- */

static const struct view_step five[] = {
	{.name = "build",
	 .state = "succeeded",
	 .reason = "",
	 .started_usec = 10 * SEC,
	 .ended_usec = 12 * SEC,
	 .attempt = 1},
	{.name = "unit tests",
	 .state = "running",
	 .reason = "",
	 .started_usec = 13 * SEC,
	 .attempt = 2},
	{.name = "lint",
	 .state = "failed",
	 .reason = "exit code 3",
	 .started_usec = 12 * SEC,
	 .ended_usec = 13 * SEC,
	 .attempt = 1},
	{.name = "package", .state = "pending", .reason = ""},
	{.name = "deploy", .state = "ready", .reason = "project limit 4 reached"},
};

static struct view view_of(const struct view_step *steps, size_t n)
{
	return (struct view){.title = "Run 42  demo  main",
			     .state = "running",
			     .reason = "",
			     .started_usec = 10 * SEC,
			     .steps = steps,
			     .n_steps = n};
}

static void test_render(void **state)
{
	struct view view = view_of(five, ARRAY_SIZE(five));
	struct view_options options = {.columns = 80, .rows = 24, .now_usec = 15 * SEC};
	cleanup_text struct text_buffer out = {0};

	view_render(&view, &options, &out);
	assert_string_equal(out.data,
			    "Run 42  demo  main  | running  2/5  5.0s\n"
			    " + build       succeeded     2.0s  \n"
			    " | unit tests  running       2.0s  (attempt 2) \n"
			    " x lint        failed        1.0s  exit code 3\n"
			    " . package     pending             \n"
			    " o deploy      ready               project limit 4 reached\n");
}

static void test_render_spins_and_colors(void **state)
{
	struct view view = view_of(five, ARRAY_SIZE(five));
	struct view_options options = {.columns = 80,
				       .rows = 24,
				       .now_usec = 15 * SEC,
				       .frame = 3,
				       .color = true,
				       .utf8 = true};
	cleanup_text struct text_buffer out = {0};

	view_render(&view, &options, &out);
	assert_non_null(strstr(out.data, "⠸"));
	assert_non_null(strstr(out.data, SGR_RED "✗" SGR_RESET " lint"));
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void assert_fits(const struct view *view, size_t columns, size_t rows)
{
	struct view_options options = {.columns = columns,
				       .rows = rows,
				       .now_usec = 15 * SEC,
				       .color = true,
				       .utf8 = true};
	cleanup_text struct text_buffer out = {0};
	char *line, *rest;

	view_render(view, &options, &out);
	assert_true(count_lines(out.data) < (rows > 3 ? rows : 4));
	for (line = strtok_r(out.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		assert_true(text_width(line) < columns);
}

static void test_render_always_fits(void **state)
{
	struct view view = view_of(five, ARRAY_SIZE(five));

	for (size_t columns = 4; columns < 100; columns++)
		for (size_t rows = 1; rows < 12; rows++)
			assert_fits(&view, columns, rows);
}

static void test_more_steps_than_rows(void **state)
{
	static struct view_step many[300];
	static char names[300][16];
	struct view view = view_of(many, ARRAY_SIZE(many));
	struct view_options options = {.columns = 80, .rows = 10, .now_usec = 500 * SEC};
	cleanup_text struct text_buffer out = {0};

	for (size_t i = 0; i < ARRAY_SIZE(many); i++) {
		(void)snprintf(names[i], sizeof(names[i]), "s%zu", i);
		many[i] = (struct view_step){.name = names[i], .state = "pending", .reason = ""};
	}
	for (size_t i = 0; i < 100; i++) {
		many[i].state = "succeeded";
		many[i].started_usec = SEC;
		many[i].ended_usec = (i + 2) * SEC;
	}
	many[250].state = "running";
	many[250].started_usec = 400 * SEC;
	many[7].state = "failed";
	many[7].reason = "exit code 1";
	view_render(&view, &options, &out);
	/* a heading, 7 steps in the order of the runbook, and a line for the rest */
	assert_int_equal(count_lines(out.data), 9);
	assert_non_null(strstr(out.data, "s7 "));
	assert_non_null(strstr(out.data, "s250 "));
	assert_non_null(strstr(out.data, "s99 "));
	assert_null(strstr(out.data, "s150 "));
	assert_true(strstr(out.data, "s7 ") < strstr(out.data, "s99 "));
	assert_true(strstr(out.data, "s99 ") < strstr(out.data, "s250 "));
	assert_non_null(strstr(out.data, "... 293 more: 94 succeeded, 199 pending\n"));
}

static void test_names_cannot_draw(void **state)
{
	struct view_step step = {.name = "a\033[2J\nb", .state = "failed", .reason = "x\ry"};
	struct view view = view_of(&step, 1);
	struct view_options options = {.columns = 80, .rows = 10, .now_usec = 20 * SEC};
	cleanup_text struct text_buffer out = {0};

	view_render(&view, &options, &out);
	assert_null(strchr(out.data, '\033'));
	assert_null(strchr(out.data, '\r'));
	assert_int_equal(count_lines(out.data), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_resize_counts_wrapped_rows),
		cmocka_unit_test(test_render),
		cmocka_unit_test(test_render_spins_and_colors),
		cmocka_unit_test(test_render_always_fits),
		cmocka_unit_test(test_more_steps_than_rows),
		cmocka_unit_test(test_names_cannot_draw),
	};

	(void)setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
