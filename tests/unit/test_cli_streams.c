/* SPDX-License-Identifier: Apache-2.0 */
/* Parsers whose input arrives in pieces: events, log lines, escape sequences. */

#include "cli/log_lines.h"
#include "cli/log_tail.h"
#include "cli/sse.h"
#include "cli/term_filter.h"
#include "common/cleanup.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BAD "\xef\xbf\xbd"

/* Filter @in whole and byte by byte: both must give @wanted. */
static void assert_filtered(const char *in, const char *wanted, bool color, bool keep_return)
{
	cleanup_text struct text_buffer whole = {0}, pieces = {0};
	struct term_filter one = {.color = color, .keep_return = keep_return};
	struct term_filter other = {.color = color, .keep_return = keep_return};

	text_puts(&whole, "");
	text_puts(&pieces, "");
	term_filter_feed(&one, in, strlen(in), &whole);
	for (size_t i = 0; in[i]; i++)
		term_filter_feed(&other, &in[i], 1, &pieces);
	assert_string_equal(whole.data, wanted);
	assert_string_equal(pieces.data, wanted);
}

static void test_filter(void **state)
{
	static const struct {
		const char *in, *wanted;
	} cases[] = {
		{"plain\ttext\n", "plain\ttext\n"},
		{"ä漢😀", "ä漢😀"},
		{"\033[31mred\033[0m", "\033[31mred\033[0m"},
		{"\033[38;2;1;2;3mx", "\033[38;2;1;2;3mx"},
		{"a\033[2Jb\033[1;1Hc\033[?25ld", "abcd"},
		{"\033]0;title\007x", "x"},
		{"\033]52;c;aGk=\033\\x", "x"}, /* the clipboard */
		{"\033P+q544e\033\\x", "x"},	/* DCS */
		{"\033_apc\033\\\033^pm\033\\x", "x"},
		{"\033[>4;1mx", "x"},		/* no colour, though it ends in m */
		{"\033cx\033(Bx\0337x", "xxx"}, /* reset, character sets, save */
		{"\033[6n\033[cx", "x"},	/* queries that a terminal answers as if typed */
		{"\x9b"
		 "2Jx",
		 BAD "2Jx"}, /* eight-bit CSI */
		{"\xc2\x9b"
		 "2Jx",
		 BAD "2Jx"}, /* the same in UTF-8 */
		{"a\007\010\001b", "a" BAD BAD BAD "b"},
		{"\xff\xc3(", BAD BAD "("},
		{"a\u202eb\u2066c\u061cd", "a<U+202E>b<U+2066>c<U+061C>d"},
		{"\u0645\u06cc\u200c\u062e",
		 "\u0645\u06cc\u200c\u062e"}, /* a joiner is part of words */
		{"line\r\nnext\r\r\n", "line\nnext\n"},
		{"10%\r20%\r\n", "10%\n20%\n"},
		{"\033[31\nx", "\nx"}, /* a sequence ends with its line */
		{"\033[3\033[0mx", "\033[0mx"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_filtered(cases[i].in, cases[i].wanted, true, false);
	assert_filtered("\033[1;31mred\033[0m", "red", false, false);
	assert_filtered("10%\r20%\r\n", "10%\r20%\n", true, true);
}

static void test_filter_long_string_is_text_again(void **state)
{
	cleanup_text struct text_buffer out = {0};
	struct term_filter filter = {.color = true};
	static char junk[10000];

	memset(junk, 'a', sizeof(junk));
	term_filter_feed(&filter, "\033]", 2, &out);
	term_filter_feed(&filter, junk, sizeof(junk), &out);
	assert_true(out.size > 5000);
}

/* For any input, only text, newline, tab and SGR come out. */
static void test_filter_random(void **state)
{
	static const char letters[] = "\033\033\033[[]P\\m;01A\x9b\xc2\xe2\x80\xae\r\n\ax\x7f";
	unsigned seed = 12345;

	for (unsigned round = 0; round < 20000; round++) {
		cleanup_text struct text_buffer out = {0};
		struct term_filter filter = {.color = true};
		char in[40];

		for (size_t i = 0; i < sizeof(in); i++) {
			seed = seed * 1103515245 + 12345;
			in[i] = letters[(seed >> 16) % (sizeof(letters) - 1)];
		}
		term_filter_feed(&filter, in, sizeof(in), &out);
		for (size_t i = 0; i < out.size; i++) {
			if (out.data[i] == '\033') {
				size_t end = i + 2 + strspn(out.data + i + 2, "0123456789;:");

				assert_int_equal(out.data[i + 1], '[');
				assert_int_equal(out.data[end], 'm');
			} else {
				assert_true((unsigned char)out.data[i] >= 0x20 ||
					    out.data[i] == '\n' || out.data[i] == '\t');
				assert_true(out.data[i] != 0x7f);
			}
		}
	}
}

static void test_lines(void **state)
{
	cleanup_text struct text_buffer out = {0};
	struct log_lines lines = {.prefix = "s | ", .terminal = true, .filter = {.color = true}};

	log_lines_feed(&lines, "one\ntw", 6, &out);
	assert_string_equal(out.data, "s | one\n");
	log_lines_feed(&lines, "o\n\033[31mred\nthr", 14, &out);
	log_lines_feed(&lines, "ee", 2, &out);
	log_lines_end(&lines, &out);
	/* a colour ends before the prefix of the next line */
	assert_string_equal(out.data, "s | one\ns | two\ns | \033[31mred\033[0m\ns | three\n");
	assert_null(lines.line.data);
}

static void test_raw_lines_are_bytes(void **state)
{
	cleanup_text struct text_buffer out = {0};
	struct log_lines lines = {.prefix = "s | "};

	log_lines_feed(&lines, "\033[2J\xff\0x\n", 8, &out);
	log_lines_end(&lines, &out);
	assert_int_equal(out.size, 4 + 8);
	assert_memory_equal(out.data, "s | \033[2J\xff\0x\n", 12);
}

static void test_endless_line_is_broken(void **state)
{
	cleanup_text struct text_buffer out = {0};
	struct log_lines lines = {.prefix = ""};
	cleanup_free char *junk = malloc(1000000);

	memset(junk, 'x', 1000000);
	log_lines_feed(&lines, junk, 1000000, &out);
	assert_true(lines.line.size < 2 * LOG_LINE_MAX);
	log_lines_end(&lines, &out);
	assert_true(out.size >= 1000000);
}

/* ---- progress bars, and the end of a log ---- */

static void feed_pieces(struct log_lines *lines, const char *text, size_t piece,
			struct text_buffer *out)
{
	for (size_t i = 0, size = strlen(text); i < size; i += piece)
		log_lines_feed(lines, text + i, size - i < piece ? size - i : piece, out);
	log_lines_end(lines, out);
}

static void test_bars_collapse(void **state)
{
	static const struct {
		bool stamped;
		const char *in, *wanted;
	} cases[] = {
		{false, "a\n10%\r20%\rdone\r\nz\n", "| a\n| done\n| z\n"},
		{false, "10%\r20%\r", "| 20%\n"},
		{false, "\r\r\n\n", "| \n| \n"},
		{true, "T1 10%\r20%\nT2 \nT3 x\r", "| T1 20%\n| T2 \n| T3 x\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (size_t piece = 1; piece < 9; piece++) {
			cleanup_text struct text_buffer out = {0};
			struct log_lines lines = {.prefix = "| ",
						  .terminal = true,
						  .collapse = true,
						  .stamped = cases[i].stamped,
						  .filter = {.keep_return = true}};

			feed_pieces(&lines, cases[i].in, piece, &out);
			assert_string_equal(out.data, cases[i].wanted);
		}
	}
	(void)state;
}

static void test_long_bar_needs_no_memory(void **state)
{
	cleanup_text struct text_buffer out = {0};
	struct log_lines lines = {
		.prefix = "", .terminal = true, .collapse = true, .filter = {.keep_return = true}};
	char text[32];

	for (unsigned i = 0; i <= 100000; i++) {
		(void)snprintf(text, sizeof(text), "%u of 100000\r", i);
		log_lines_feed(&lines, text, strlen(text), &out);
		assert_true(lines.line.size < 64);
	}
	log_lines_end(&lines, &out);
	assert_string_equal(out.data, "100000 of 100000\n");
	(void)state;
}

static void assert_tail(const char *data, size_t size, unsigned n, const char *wanted)
{
	cleanup_text struct text_buffer out = {0};
	const struct log_tail tail = {.lines = n, .prefix = "| ", .color = true};

	text_puts(&out, "");
	log_tail_format(&tail, data, size, &out);
	assert_string_equal(out.data, wanted);
}

static void test_tail(void **state)
{
	static const char nul[] = "x\0y\nthe reason\n";
	cleanup_free char *bar = malloc(200000);
	size_t used = 0;

	assert_tail(nul, sizeof(nul) - 1, 20, "| x" BAD "y\n| the reason\n");
	assert_tail("a\nb\nc", 5, 2, "| b\n| c\n");
	assert_tail("a\nb\nc\n", 6, 2, "| b\n| c\n");
	assert_tail("\n\n", 2, 5, "| \n| \n");
	assert_tail("", 0, 5, "");
	assert_tail("\033[31mred\nplain\033]0;t\007\n", 21, 5,
		    "| \033[31mred" SGR_RESET "\n| plain\n");
	assert_true(log_tail_whole("a\nb\n", 4, 1));
	assert_false(log_tail_whole("a\nb\n", 4, 2));
	assert_false(log_tail_whole("", 0, 1));

	/* ten thousand updates of a bar are one line and displace no other */
	used = (size_t)sprintf(bar, "before\n");
	for (unsigned i = 0; i <= 10000; i++)
		used += (size_t)sprintf(bar + used, "%u/10000\r", i);
	used += (size_t)sprintf(bar + used, "\nafter\n");
	assert_tail(bar, used, 3, "| before\n| 10000/10000\n| after\n");
	(void)state;
}

/* ---- events ---- */

struct seen {
	char text[512];
};

static void note_event(void *user, const char *event, const char *id, const char *data)
{
	struct seen *seen = user;

	(void)snprintf(seen->text + strlen(seen->text), sizeof(seen->text) - strlen(seen->text),
		       "[%s|%s|%s]", event, id, data);
}

static void assert_events(const char *in, const char *wanted)
{
	for (size_t piece = 1; piece < 8; piece++) {
		struct seen seen = {0};
		struct sse sse = {.event = note_event, .user = &seen};

		for (size_t i = 0; i < strlen(in); i += piece)
			sse_feed(&sse, in + i, strlen(in + i) < piece ? strlen(in + i) : piece);
		assert_string_equal(seen.text, wanted);
		sse_done(&sse);
	}
}

static void test_events(void **state)
{
	assert_events("id: 7\nevent: state\ndata: {\"a\":1}\n\n", "[state|7|{\"a\":1}]");
	assert_events(": hello\n\ndata:x\ndata: y\n\n", "[message||x\ny]");
	assert_events("id: 1\r\ndata: a\r\n\r\nevent: end\r\n\r\n", "[message|1|a][end|1|]");
	assert_events("data: half", "");
	assert_events("data\nunknown: x\n:\n\n", "");
}

static void test_reset_forgets_a_half_event(void **state)
{
	struct seen seen = {0};
	struct sse sse = {.event = note_event, .user = &seen};
	static const char half[] = "event: state\ndata: lost\ndata: ha", whole[] = "data: b\n\n";

	sse_feed(&sse, half, strlen(half));
	sse_reset(&sse);
	sse_feed(&sse, whole, strlen(whole));
	assert_string_equal(seen.text, "[message||b]");
	sse_done(&sse);
}

static void test_huge_event_is_bounded(void **state)
{
	struct seen seen = {0};
	struct sse sse = {.event = note_event, .user = &seen};
	cleanup_free char *junk = malloc(4 * SSE_EVENT_MAX);

	memset(junk, 'x', 4 * SSE_EVENT_MAX);
	sse_feed(&sse, "data: ", 6);
	sse_feed(&sse, junk, 4 * SSE_EVENT_MAX);
	assert_true(sse.line.size <= SSE_EVENT_MAX);
	sse_done(&sse);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_filter_long_string_is_text_again),
		cmocka_unit_test(test_filter_random),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_raw_lines_are_bytes),
		cmocka_unit_test(test_endless_line_is_broken),
		cmocka_unit_test(test_bars_collapse),
		cmocka_unit_test(test_long_bar_needs_no_memory),
		cmocka_unit_test(test_tail),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_reset_forgets_a_half_event),
		cmocka_unit_test(test_huge_event_is_bounded),
	};

	(void)setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
