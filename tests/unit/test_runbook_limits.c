/* SPDX-License-Identifier: Apache-2.0 */
/* Limits and sizes, with inputs that are too large for files in the repository. */
#include "runbook/runbook.h"
#include "runbook/schema.h"
#include "tests/unit/cmocka_headers.h"
#include "tests/unit/graph_print.h"

#include "common/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** struct text - a file while it is written */
struct text {
	char *data;
	size_t size;
	FILE *out;
};

static struct text *text_new(void)
{
	struct text *text = calloc(1, sizeof(*text));

	assert_non_null(text);
	text->out = open_memstream(&text->data, &text->size);
	assert_non_null(text->out);
	return text;
}

static void put_many(struct text *text, char c, size_t n)
{
	while (n-- > 0)
		fputc(c, text->out);
}

/* Parse and free @text: success gives the runbook, else the first finding is formatted. */
static struct runbook *text_parse(struct text *text, char *line, size_t line_size)
{
	struct runbook_finding findings[RUNBOOK_FINDINGS_MAX];
	struct runbook *runbook = NULL;
	size_t n;
	int r;

	assert_int_equal(fclose(text->out), 0);
	r = runbook_parse(text->data, text->size, &runbook, findings, &n);
	line[0] = '\0';
	if (r != 0) {
		assert_int_equal(r, -EINVAL);
		assert_true(n > 0 && n <= RUNBOOK_FINDINGS_MAX);
		runbook_finding_format(line, line_size, "f", &findings[0]);
	}
	free(text->data);
	free(text);
	return runbook;
}

static void expect(struct text *text, const char *want)
{
	char line[2048];
	struct runbook *runbook = text_parse(text, line, sizeof(line));

	assert_null(runbook);
	assert_string_equal(line, want);
}

static void test_file_of_two_mib(void **state)
{
	struct text *text = text_new();

	fputs("steps:\n  - {name: a, command: x}\n#", text->out);
	put_many(text, 'x', 2 * MIB);
	expect(text, "f:1:1: the file is larger than 1 MiB (1048576 bytes) (move scripts and data "
		     "into files of the repository)");
}

static void test_no_bytes(void **state)
{
	struct runbook_finding findings[RUNBOOK_FINDINGS_MAX];
	struct runbook *runbook = NULL;
	size_t n;

	assert_int_equal(runbook_parse(NULL, 0, &runbook, findings, &n), -EINVAL);
	assert_int_equal(n, 1);
	assert_string_equal(findings[0].message, "the file is empty");
}

static void test_file_of_one_mib_is_good(void **state)
{
	struct text *text = text_new();
	struct runbook *runbook;
	char line[2048];

	fputs("steps: [{name: a, command: x}]\n#", text->out);
	put_many(text, 'x', MIB - 32);
	runbook = text_parse(text, line, sizeof(line));
	assert_string_equal(line, "");
	assert_non_null(runbook);
	runbook_free(runbook);
}

static void test_long_texts(void **state)
{
	struct text *text = text_new();

	fputs("steps:\n  - name: a\n    command: \"", text->out);
	put_many(text, 'x', 257 * KIB);
	fputs("\"\n", text->out);
	expect(text, "f:3:14: steps[0].command: a text longer than 256 KiB (put it into a file of "
		     "the repository)");

	text = text_new();
	fputs("steps:\n  - name: a\n    command: \"", text->out);
	put_many(text, 'x', 121 * KIB);
	fputs("\"\n", text->out);
	expect(text, "f:3:14: steps[0].command: \"command\" has 123904 bytes, more than 122880 "
		     "(120 KiB) (put the script into a file of the repository and run that)");

	text = text_new();
	fputs("steps:\n  - name: a\n    command: x\n    env: {A: \"", text->out);
	put_many(text, 'x', 121 * KIB);
	fputs("\"}\n", text->out);
	expect(text,
	       "f:4:14: steps[0].env.A: the variable \"A\" has 123904 bytes, more than 120 KiB "
	       "(put the value into a file of the repository)");
}

static void test_command_at_the_limit(void **state)
{
	struct text *text = text_new();
	struct runbook *runbook;
	char line[2048];

	fputs("steps:\n  - name: a\n    command: \"", text->out);
	put_many(text, 'x', STEP_ARGUMENT_MAX);
	fputs("\"\n", text->out);
	runbook = text_parse(text, line, sizeof(line));
	assert_non_null(runbook);
	assert_int_equal(strlen(runbook->steps[0].command), STEP_ARGUMENT_MAX);
	runbook_free(runbook);
}

static void test_command_and_variables_together(void **state)
{
	struct text *text = text_new();

	fputs("global:\n  env:\n    V0: &x \"", text->out);
	put_many(text, 'y', 100000);
	fputs("\"\n", text->out);
	for (int i = 1; i < 11; i++)
		fprintf(text->out, "    V%d: *x\n", i);
	fputs("steps:\n  - {name: a, command: x}\n", text->out);
	expect(text,
	       "f:15:5: steps[0]: command and variables have 1100046 bytes together, more than "
	       "1 MiB (put values into files of the repository)");
}

static void test_alias_of_long_text(void **state)
{
	struct text *text = text_new();
	char line[2048];

	fputs("x: &x \"", text->out);
	put_many(text, 'y', 60000);
	fputs("\"\nz: [", text->out);
	for (int i = 0; i < 80; i++)
		fputs("*x, ", text->out);
	fputs("]\n", text->out);
	assert_null(text_parse(text, line, sizeof(line)));
	assert_non_null(strstr(line, "z[68]: the aliases stand for too much"));
}

static void test_too_many_values(void **state)
{
	struct text *text = text_new();
	char line[2048];

	fputs("steps:\n", text->out);
	for (int i = 0; i < 400001; i++)
		fputs("-\n", text->out);
	assert_null(text_parse(text, line, sizeof(line)));
	assert_non_null(strstr(line, "the file has too many values (more than 400000)"));
}

/* A list that each instance of a matrix reads, of names that do not exist. */
static void test_long_list_of_a_matrix(void **state)
{
	struct text *text = text_new();

	fputs("steps:\n  - name: a\n    command: x\n    depends_on: [", text->out);
	for (int i = 0; i < 39000; i++)
		fputs("x,", text->out);
	fputs("]\n    matrix:\n      n: [", text->out);
	for (int i = 0; i < 1000; i++)
		fprintf(text->out, "%d,", i);
	fputs("]\n", text->out);
	expect(text, "f:4:17: steps[0].depends_on: with the instances of matrices, more than "
		     "400000 dependencies (put one step between two matrices: it depends on the "
		     "first, the second on it)");
}

static void test_too_many_variables(void **state)
{
	struct text *text = text_new();

	fputs("steps:\n  - name: a\n    command: x\n    env:\n", text->out);
	for (int i = 0; i < 1001; i++)
		fprintf(text->out, "      V%d: \"\"\n", i);
	expect(text, "f:5:7: steps[0].env: 1001 variables, more than 1000 (put the values into a "
		     "file that the command reads)");
}

static void put_steps(struct text *text, size_t n)
{
	fputs("steps:\n", text->out);
	for (size_t i = 0; i < n; i++) {
		fprintf(text->out, "- name: step number %zu\n  command: make\n", i);
		if (i > 0)
			fprintf(text->out, "  depends_on: [step number %zu]\n", i - 1);
	}
}

/* A chain of the maximum length: order, slugs and levels, without stack overflow by recursion. */
static void test_ten_thousand_steps(void **state)
{
	struct text *text = text_new();
	struct runbook *runbook;
	cleanup_free char *graph = NULL;
	char line[2048];

	put_steps(text, RUNBOOK_STEPS_MAX);
	runbook = text_parse(text, line, sizeof(line));
	assert_string_equal(line, "");
	assert_int_equal(runbook->n_steps, RUNBOOK_STEPS_MAX);
	for (size_t i = 0; i < runbook->n_steps; i++)
		assert_int_equal(runbook->order[i], i);
	assert_string_equal(runbook->steps[9999].slug, "step_number_9999");
	graph = runbook_graph_text(runbook);
	assert_non_null(strstr(graph, "level 10000\n"));
	runbook_free(runbook);
}

static void test_too_many_steps(void **state)
{
	struct text *text = text_new();

	put_steps(text, RUNBOOK_STEPS_MAX + 1);
	expect(text, "f:2:1: steps: more than 10000 steps (write 1 to 10000 steps)");
}

/* Every name has the same slug: free numbers must not be searched one by one from 2. */
static void test_equal_slugs(void **state)
{
	struct text *text = text_new();
	struct runbook *runbook;
	char line[2048];

	fputs("steps:\n", text->out);
	for (int i = 0; i < 8000; i++) {
		fputs("- {name: \"", text->out);
		for (int bit = 0; bit < 13; bit++)
			fputc(i & (1 << bit) ? '!' : '?', text->out);
		fputs("\", command: x}\n", text->out);
	}
	runbook = text_parse(text, line, sizeof(line));
	assert_string_equal(line, "");
	assert_string_equal(runbook->steps[0].slug, "_____________");
	assert_string_equal(runbook->steps[1].slug, "_____________-2");
	assert_string_equal(runbook->steps[7999].slug, "_____________-8000");
	runbook_free(runbook);
}

/* One circle through all steps: one walk finds it, and the message is short. */
static void test_long_cycle(void **state)
{
	struct text *text = text_new();
	char line[2048];

	fputs("steps:\n", text->out);
	for (int i = 0; i < 10000; i++)
		fprintf(text->out, "- {name: s%d, command: x, depends_on: [s%d]}\n", i,
			(i + 1) % 10000);
	assert_null(text_parse(text, line, sizeof(line)));
	assert_non_null(strstr(line, "dependency cycle of 10000 steps: s0 -> s1 -> s2"));
	assert_non_null(strstr(line, "s7 -> ... -> s0"));
}

/* Each step depends on all earlier ones, through one alias: many edges from a small file. */
static void test_many_edges(void **state)
{
	struct text *text = text_new();
	struct runbook *runbook;
	char line[2048];

	fputs("steps:\n", text->out);
	for (int i = 0; i < 500; i++)
		fprintf(text->out, "- {name: s%d, command: x}\n", i);
	fputs("- name: first\n  command: x\n  depends_on: &all [s0", text->out);
	for (int i = 1; i < 500; i++)
		fprintf(text->out, ", s%d", i);
	fputs("]\n", text->out);
	for (int i = 0; i < 700; i++)
		fprintf(text->out, "- {name: t%d, command: x, depends_on: *all}\n", i);
	runbook = text_parse(text, line, sizeof(line));
	assert_string_equal(line, "");
	assert_int_equal(runbook->steps[1200].n_depends_on, 500);
	runbook_free(runbook);
}

/* Thousands of near misses: the list of findings is soon full, which ends the search. */
static void test_many_unknown_dependencies(void **state)
{
	struct text *text = text_new();
	struct runbook_finding findings[RUNBOOK_FINDINGS_MAX];
	struct runbook *runbook = NULL;
	size_t n;

	fputs("steps:\n", text->out);
	for (int i = 0; i < 9000; i++)
		fprintf(text->out,
			"- {name: a-rather-long-name-%05d, command: x, depends_on: "
			"[b-rather-lung-nama-%05d]}\n",
			i, i);
	assert_int_equal(fclose(text->out), 0);
	assert_int_equal(runbook_parse(text->data, text->size, &runbook, findings, &n), -EINVAL);
	assert_int_equal(n, RUNBOOK_FINDINGS_MAX);
	assert_string_equal(findings[0].fix, "did you mean \"a-rather-long-name-00000\"?");
	assert_string_equal(findings[n - 1].message, "8951 more problems from here on");
	free(text->data);
	free(text);
}

/* A file cut at every byte: the rest is refused or valid, and no memory leaks. */
static void test_every_prefix(void **state)
{
	static const char whole[] = "name: \"caf\xc3\xa9\"\n"
				    "global: {env: &e {A: '1'}, resources: {cpu: 1.5}}\n"
				    "steps:\n"
				    "  - name: a\n"
				    "    command: |\n"
				    "      make\n"
				    "    env: *e\n"
				    "  - {name: b, command: !!str x, depends_on: [a]}\n";
	size_t n_good = 0;

	for (size_t size = 0; size < sizeof(whole); size++) {
		struct runbook_finding findings[RUNBOOK_FINDINGS_MAX];
		struct runbook *runbook = NULL;
		size_t n;
		/* a copy of this size, so that a sanitizer detects a read after the end */
		cleanup_free char *copy = malloc(size ? size : 1);
		int r;

		assert_non_null(copy);
		memcpy(copy, whole, size);
		r = runbook_parse(copy, size, &runbook, findings, &n);
		assert_true(r == 0 || (r == -EINVAL && n > 0));
		n_good += r == 0;
		runbook_free(runbook);
	}
	assert_true(n_good >= 2);
}

/* The manual page is written by hand and must mention every key. */
static void test_manual_names_every_key(void **state)
{
	cleanup_fclose FILE *file = fopen("man/runbook.yml.5.scd", "re");
	static char manual[256 * 1024];
	const struct schema_key *keys;
	size_t n_keys;

	assert_non_null(file);
	manual[fread(manual, 1, sizeof(manual) - 1, file)] = '\0';
	keys = schema_keys(&n_keys);
	for (size_t i = 0; i < n_keys; i++) {
		char marked[64];

		(void)snprintf(marked, sizeof(marked), "*%s*", keys[i].name);
		if (!strstr(manual, marked))
			fail_msg("man/runbook.yml.5.scd does not name %s", marked);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_of_two_mib),
		cmocka_unit_test(test_file_of_one_mib_is_good),
		cmocka_unit_test(test_no_bytes),
		cmocka_unit_test(test_long_texts),
		cmocka_unit_test(test_command_at_the_limit),
		cmocka_unit_test(test_command_and_variables_together),
		cmocka_unit_test(test_alias_of_long_text),
		cmocka_unit_test(test_too_many_values),
		cmocka_unit_test(test_long_list_of_a_matrix),
		cmocka_unit_test(test_too_many_variables),
		cmocka_unit_test(test_ten_thousand_steps),
		cmocka_unit_test(test_too_many_steps),
		cmocka_unit_test(test_equal_slugs),
		cmocka_unit_test(test_long_cycle),
		cmocka_unit_test(test_many_edges),
		cmocka_unit_test(test_many_unknown_dependencies),
		cmocka_unit_test(test_every_prefix),
		cmocka_unit_test(test_manual_names_every_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
