/* SPDX-License-Identifier: Apache-2.0 */
/* Words, widths, tables and graphs in the output. */

#include "cli/graph.h"
#include "cli/project_file.h"
#include "cli/run_table.h"
#include "cli/text.h"
#include "cli/working_copy.h"
#include "common/cleanup.h"
#include "common/names.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_durations(void **state)
{
	static const struct {
		uint64_t usec;
		const char *text;
	} cases[] = {
		{0, "0.0s"},
		{999999, "0.9s"},
		{59 * USEC_PER_SEC + 940000, "59.9s"},
		{60 * USEC_PER_SEC, "1m 00s"},
		{3599 * USEC_PER_SEC, "59m 59s"},
		{3600 * USEC_PER_SEC, "1h 00m"},
		{(86400 + 3 * 3600) * USEC_PER_SEC, "1d 03h"},
	};
	char text[32];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		format_duration(text, sizeof(text), cases[i].usec);
		assert_string_equal(text, cases[i].text);
	}
}

static void test_ages(void **state)
{
	static const uint64_t now = 1700000000 * USEC_PER_SEC;
	static const struct {
		uint64_t seconds;
		const char *text;
	} cases[] = {
		{0, "just now"},  {12, "12s ago"},	 {200, "3m ago"},
		{7200, "2h ago"}, {5 * 86400, "5d ago"}, {400 * 86400, "2022-10-10"},
	};
	char text[32];

	(void)setenv("TZ", "UTC", 1);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		format_age(text, sizeof(text), now, now - cases[i].seconds * USEC_PER_SEC);
		assert_string_equal(text, cases[i].text);
	}
	format_age(text, sizeof(text), now, now + 1); /* clocks differ */
	assert_string_equal(text, "just now");
}

static void test_bytes(void **state)
{
	char text[32];

	format_bytes(text, sizeof(text), 1023);
	assert_string_equal(text, "1023 B");
	format_bytes(text, sizeof(text), 1536);
	assert_string_equal(text, "1.5 KiB");
	format_bytes(text, sizeof(text), 1024 * 1024 - 1);
	assert_string_equal(text, "1.0 MiB");
	format_bytes(text, sizeof(text), UINT64_MAX);
	assert_string_equal(text, "16.0 EiB");
	format_amount(text, sizeof(text), 1023);
	assert_string_equal(text, "1023");
	format_amount(text, sizeof(text), 1536);
	assert_string_equal(text, "1.5K");
}

static void test_widths(void **state)
{
	char cut[64];

	assert_int_equal(text_width("abc"), 3);
	assert_int_equal(text_width("\033[31mä漢\033[0m"), 3);
	assert_int_equal(text_width("\xff"), 1);
	text_cut(cut, sizeof(cut), "abcdef", 6, true);
	assert_string_equal(cut, "abcdef");
	text_cut(cut, sizeof(cut), "abcdefg", 6, true);
	assert_string_equal(cut, "abcde…");
	text_cut(cut, sizeof(cut), "abcdefg", 6, false);
	assert_string_equal(cut, "abc...");
	text_cut(cut, sizeof(cut), "漢漢漢", 4, true); /* never half a character */
	assert_string_equal(cut, "漢…");
	text_cut(cut, 8, "abcdefghijkl", 12, true); /* room ends first */
	assert_true(strlen(cut) < 8);
}

static void test_decode_refuses_bad_utf8(void **state)
{
	static const char *const bad[] = {"\x80",	  "\xc0\x80",	      "\xe0\x80\x80",
					  "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc3",
					  "\xf0\x9f\x98"};
	int32_t code;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(text_decode(bad[i], strlen(bad[i]), &code), 1);
		assert_int_equal(code, -1);
	}
	assert_int_equal(text_decode("😀", 4, &code), 4);
	assert_int_equal(code, 0x1f600);
}

static void test_distance(void **state)
{
	assert_int_equal(text_distance("runs", "runs"), 0);
	assert_int_equal(text_distance("rusn", "runs"), 2);
	assert_int_equal(text_distance("", "abc"), 3);
	assert_int_equal(text_distance("kitten", "sitting"), 3);
}

static void test_table(void **state)
{
	cleanup_table struct table table = {.headings = {"A", "LONGER", "LAST"}, .n_columns = 3};
	cleanup_free char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	table_row(&table);
	table_cell(&table, 0, "wide cell");
	table_cell(&table, 2, "x\033y");
	table_row(&table);
	table_cell(&table, 1, "ü");
	table_cell_color(&table, 1, SGR_RED);
	table_cellf(&table, 2, "%d", 7);
	assert_int_equal(table_print(&table, file, false), 0);
	(void)fclose(file);
	assert_string_equal(text, "A          LONGER  LAST\n"
				  "wide cell  -       x\\x1by\n"
				  "-          ü       7\n");
}

static void test_names_of_directories(void **state)
{
	static const char *const cases[][2] = {
		{"/home/me/My Project", "my-project"},
		{"/src/libfoo-1.2", "libfoo-1.2"},
		{"/", "workspace"},
		{"/x/...", "workspace"},
		{"/x/.hidden", "hidden"},
		{"/x/a..b", "a.-b"},
		{"/x/ünder", "nder"},
	};
	char name[PROJECT_NAME_MAX + 1];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		working_copy_name(name, cases[i][0]);
		assert_true(project_name_valid(name));
		assert_string_equal(name, cases[i][1]);
	}
}

static void test_refs(void **state)
{
	assert_string_equal(ref_short("refs/heads/a/b"), "a/b");
	assert_string_equal(ref_short("refs/tags/v1"), "v1");
	assert_string_equal(ref_short("refs/pull/7/head"), "refs/pull/7/head");
}

static void test_project_values(void **state)
{
	cleanup_text struct text_buffer file = {0};
	struct error error = ERROR_INIT;

	assert_int_equal(project_file_key(&file, "Repository", "https://x/y.git", &error), 0);
	assert_string_equal(file.data, "Repository=https://x/y.git\n");
	assert_true(project_file_key(&file, "User", "a\nSecret=b", &error) < 0);
	assert_true(project_file_key(&file, "User", "a ;b", &error) < 0);
	assert_true(project_file_key(&file, "User", " a", &error) < 0);
	assert_true(project_file_key(&file, "User", "", &error) < 0);
	assert_string_equal(file.data, "Repository=https://x/y.git\n");
}

static struct graph *graph_from(const char *text)
{
	json_t *run = json_loads(text, 0, NULL);
	struct graph *graph = graph_of_run(run);

	json_decref(run);
	return graph;
}

static void test_graph(void **state)
{
	cleanup_text struct text_buffer text = {0}, svg = {0}, dot = {0};
	struct graph *graph = graph_from(
		"{\"steps\":[{\"name\":\"z\",\"state\":\"failed\",\"depends_on\":[\"a\",\"<b>\"]},"
		"{\"name\":\"a\",\"state\":\"succeeded\",\"depends_on\":[],"
		"\"started_usec\":1000000,\"ended_usec\":3500000},"
		"{\"name\":\"<b>\",\"state\":\"running\",\"depends_on\":[\"a\"]}]}");

	assert_non_null(graph);
	assert_int_equal(graph->n_levels, 3);
	assert_int_equal(graph->nodes[0].level, 2);
	graph_text(graph, true, false, &text);
	assert_string_equal(text.data, "✓ a  succeeded 2.5s\n"
				       "  ● <b>  running  ← a\n"
				       "    ✗ z  failed  ← a, <b>\n");
	graph_svg(graph, &svg);
	assert_non_null(strstr(svg.data, "&lt;b&gt;"));
	assert_null(strstr(svg.data, "<b>"));
	graph_dot(graph, &dot);
	assert_non_null(strstr(dot.data, "\"<b>\" -> \"z\";"));
	assert_null(graph_free(graph));
}

/* All instances of a matrix are shown as one word, a part of them as several. */
static void test_graph_of_matrix(void **state)
{
	static const char text[] = "steps:\n"
				   "- {name: b, command: x, matrix: {v: [1, 2]}}\n"
				   "- {name: all, command: x, depends_on: [b]}\n"
				   "- {name: one, command: x, depends_on: ['b (v=2)']}\n";
	cleanup_text struct text_buffer out = {0}, dot = {0};
	struct runbook_finding findings[RUNBOOK_FINDINGS_MAX];
	struct runbook *runbook = NULL;
	struct graph *graph;
	size_t n;

	assert_int_equal(runbook_parse(text, strlen(text), &runbook, findings, &n), 0);
	graph = graph_of_runbook(runbook);
	runbook_free(runbook);
	assert_non_null(graph);
	graph_text(graph, false, false, &out);
	assert_string_equal(out.data, "b (v=1)\nb (v=2)\n"
				      "  all  <- b (2)\n"
				      "  one  <- b (v=2)\n");
	graph_dot(graph, &dot);
	assert_non_null(strstr(dot.data, "subgraph cluster_0 {\n\t\tlabel=\"b\";"));
	assert_non_null(strstr(dot.data, "\"b (v=1)\" -> \"all\";"));
	graph_free(graph);
}

static void test_graph_of_nonsense(void **state)
{
	struct graph *graph;

	/* a cycle is refused; unknown names and values of wrong types are ignored */
	assert_null(graph_from("{\"steps\":[{\"name\":\"a\",\"depends_on\":[\"a\"]}]}"));
	graph = graph_from("{\"steps\":[{\"name\":\"a\",\"depends_on\":[\"b\",7,null]},5]}");
	assert_non_null(graph);
	assert_int_equal(graph->nodes[0].n_needs, 0);
	assert_null(graph_free(graph));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_ages),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_widths),
		cmocka_unit_test(test_decode_refuses_bad_utf8),
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_names_of_directories),
		cmocka_unit_test(test_refs),
		cmocka_unit_test(test_project_values),
		cmocka_unit_test(test_graph),
		cmocka_unit_test(test_graph_of_matrix),
		cmocka_unit_test(test_graph_of_nonsense),
	};

	(void)setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
