/* SPDX-License-Identifier: Apache-2.0 */
/* The parts that the parser uses: scalar types, nearest words, the index, findings. */
#include "runbook/findings.h"
#include "runbook/name_index.h"
#include "runbook/nearest.h"
#include "runbook/yaml.h"
#include "tests/unit/cmocka_headers.h"

#include "common/cleanup.h"

#include <stdio.h>
#include <string.h>

static void test_scalar_kinds(void **state)
{
	static const struct {
		const char *text;
		enum node_kind kind;
	} cases[] = {
		{"", NODE_NULL},	   {"~", NODE_NULL},	  {"null", NODE_NULL},
		{"nULL", NODE_TEXT},	   {"true", NODE_BOOL},	  {"TRUE", NODE_BOOL},
		{"tRUE", NODE_TEXT},	   {"yes", NODE_TEXT},	  {"no", NODE_TEXT},
		{"on", NODE_TEXT},	   {"off", NODE_TEXT},	  {"0", NODE_INT},
		{"-1", NODE_INT},	   {"+12", NODE_INT},	  {"007", NODE_INT},
		{"0o17", NODE_INT},	   {"0o18", NODE_TEXT},	  {"0x1F", NODE_INT},
		{"0x", NODE_TEXT},	   {"0xg", NODE_TEXT},	  {"1.", NODE_FLOAT},
		{".5", NODE_FLOAT},	   {"1.5e3", NODE_FLOAT}, {"1e-3", NODE_FLOAT},
		{"1e", NODE_TEXT},	   {".", NODE_TEXT},	  {"-", NODE_TEXT},
		{"+", NODE_TEXT},	   {"1.2.3", NODE_TEXT},  {"12:30", NODE_TEXT},
		{".inf", NODE_FLOAT},	   {"-.INF", NODE_FLOAT}, {".nan", NODE_FLOAT},
		{"-.nan", NODE_TEXT},	   {"1_000", NODE_TEXT},  {"0b1", NODE_TEXT},
		{"2026-11-22", NODE_TEXT}, {"e5", NODE_TEXT},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (scalar_kind(cases[i].text, strlen(cases[i].text)) != cases[i].kind)
			fail_msg("\"%s\" is not %s", cases[i].text, node_kind_name(cases[i].kind));
	}
}

static const char *nearest_of(const char *word, const char *const *candidates, size_t n)
{
	struct nearest nearest = nearest_start(word);

	for (size_t i = 0; i < n; i++)
		nearest_offer(&nearest, candidates[i]);
	return nearest.best;
}

static void test_nearest(void **state)
{
	static const char *const keys[] = {"name", "command", "depends_on", "env", "image"};
	char longest[400];

	assert_string_equal(nearest_of("comand", keys, ARRAY_SIZE(keys)), "command");
	assert_string_equal(nearest_of("nmae", keys, ARRAY_SIZE(keys)), "name");
	assert_string_equal(nearest_of("NAME", keys, ARRAY_SIZE(keys)), "name");
	assert_string_equal(nearest_of("dependsOn", keys, ARRAY_SIZE(keys)), "depends_on");
	assert_null(nearest_of("x", keys, ARRAY_SIZE(keys)));
	assert_null(nearest_of("", keys, ARRAY_SIZE(keys)));
	assert_null(nearest_of("volumes", keys, ARRAY_SIZE(keys)));
	/* longer than any name: no overrun, no result */
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_null(nearest_of(longest, keys, ARRAY_SIZE(keys)));
	assert_null(nearest_of("aaaa", (const char *const[]){longest}, 1));
	/* the nearest of several, the first of equally near ones */
	assert_string_equal(nearest_of("tests", (const char *const[]){"text", "test", "rests"}, 3),
			    "test");
}

static void test_name_index(void **state)
{
	struct name_index index = {0};
	static char names[3000][8];

	assert_null(name_index_get(&index, "a"));
	for (size_t i = 0; i < 3000; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "n%zu", i);
		assert_null(name_index_get(&index, names[i]));
		assert_int_equal(name_index_put(&index, names[i], i), 0);
	}
	for (size_t i = 0; i < 3000; i++)
		assert_int_equal(name_index_get(&index, names[i])->value, i);
	assert_null(name_index_get(&index, "n3000"));
	name_index_done(&index);
	assert_null(name_index_get(&index, "n1"));
}

static void test_findings_keep_order_and_one_of_equals(void **state)
{
	struct runbook_finding list[RUNBOOK_FINDINGS_MAX];
	struct findings findings = {.list = list};

	assert_non_null(findings_add(&findings, (struct runbook_place){3, 1}, NULL, "c"));
	assert_non_null(findings_add(&findings, (struct runbook_place){1, 9}, NULL, "b"));
	assert_non_null(findings_add(&findings, (struct runbook_place){1, 2}, NULL, "a"));
	assert_null(findings_add(&findings, (struct runbook_place){1, 2}, NULL, "a"));
	finding_fix(NULL, "nobody minds");
	findings_finish(&findings);
	assert_int_equal(findings.n, 3);
	assert_string_equal(list[0].message, "a");
	assert_string_equal(list[1].message, "b");
	assert_string_equal(list[2].message, "c");
}

static void test_finding_format(void **state)
{
	struct runbook_finding finding = {
		.place = {4, 7}, .path = "steps[0]", .message = "bad", .fix = "mend it"};
	char line[64];

	runbook_finding_format(line, sizeof(line), "a.yml", &finding);
	assert_string_equal(line, "a.yml:4:7: steps[0]: bad (mend it)");
	finding = (struct runbook_finding){.message = "bad"};
	runbook_finding_format(line, sizeof(line), "a.yml", &finding);
	assert_string_equal(line, "a.yml: bad");
	runbook_finding_format(line, 8, "a.yml", &finding);
	assert_string_equal(line, "a.yml: ");
}

/* A message never contains half a character or a control byte, wherever it is cut. */
static void test_quote_cuts_between_characters(void **state)
{
	char text[200] = "";
	struct quoted quoted;

	for (int i = 0; i < 40; i++)
		strcat(text, "\xe2\x9c\x93");
	quoted = quote(text);
	assert_int_equal(strlen(quoted.text), 60 + 3);
	assert_string_equal(quoted.text + 57, "\xe2\x9c\x93...");
	text[1] = '\0';
	assert_string_equal(QUOTE("a\nb"), "a\\x0ab");
}

static void test_path_is_cut_between_characters(void **state)
{
	struct node_path root = {.key = "\xc3\xa4\xc3\xa4"};
	struct node_path entry = {.parent = &root, .index = 7};
	char out[32];

	node_path_format(out, sizeof(out), &entry);
	assert_string_equal(out, "\xc3\xa4\xc3\xa4[7]");
	node_path_format(out, 4, &entry);
	assert_string_equal(out, "\xc3\xa4");
	node_path_format(out, sizeof(out), NULL);
	assert_string_equal(out, "");
}

/* An alias is the same node as its anchor, and its cost is counted each time. */
static void test_alias_shares_its_node(void **state)
{
	static const char text[] = "a: &x [1, 2]\nb: *x\n";
	struct runbook_finding list[RUNBOOK_FINDINGS_MAX];
	struct findings findings = {.list = list};
	struct document document;

	assert_int_equal(document_parse(text, sizeof(text) - 1, &findings, &document), 0);
	assert_int_equal(findings.n, 0);
	assert_int_equal(document.root->n_items, 4);
	assert_ptr_equal(document.root->items[1], document.root->items[3]);
	assert_int_equal(document.root->items[1]->n_expanded, 3);
	assert_int_equal(document.root->n_expanded, 1 + 2 + 2 * 3);
	assert_int_equal(document.root->height, 2);
	assert_int_equal(document.root->items[1]->place.line, 1);
	assert_int_equal(document.root->items[1]->place.column, 4);
	document_free(&document);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scalar_kinds),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_name_index),
		cmocka_unit_test(test_findings_keep_order_and_one_of_equals),
		cmocka_unit_test(test_finding_format),
		cmocka_unit_test(test_quote_cuts_between_characters),
		cmocka_unit_test(test_path_is_cut_between_characters),
		cmocka_unit_test(test_alias_shares_its_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
