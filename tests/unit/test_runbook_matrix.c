/* SPDX-License-Identifier: Apache-2.0 */
/* Matrices: their combinations, the values that steps get, and limits. */
#include "runbook/runbook.h"
#include "tests/unit/cmocka_headers.h"
#include "tests/unit/graph_print.h"

#include "common/cleanup.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *text_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

static char *text_of(const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	assert_true(vasprintf(&text, format, arguments) > 0);
	va_end(arguments);
	return text;
}

/* The runbook, or NULL with the first finding in @line. Frees @text. */
static struct runbook *parse(char *text, char *line, size_t line_size)
{
	struct runbook_finding findings[RUNBOOK_FINDINGS_MAX];
	struct runbook *runbook = NULL;
	size_t n;
	int r = runbook_parse(text, strlen(text), &runbook, findings, &n);

	line[0] = '\0';
	if (r != 0) {
		assert_int_equal(r, -EINVAL);
		assert_true(n > 0);
		runbook_finding_format(line, line_size, "f", &findings[0]);
	}
	free(text);
	return runbook;
}

static struct runbook *good(char *text)
{
	char line[2048];
	struct runbook *runbook = parse(text, line, sizeof(line));

	if (!runbook)
		fail_msg("%s", line);
	return runbook;
}

static void bad(char *text, const char *wanted)
{
	char line[2048];
	struct runbook *runbook = parse(text, line, sizeof(line));

	assert_null(runbook);
	if (!strstr(line, wanted))
		fail_msg("\"%s\" is not in \"%s\"", wanted, line);
}

/* The names of the instances of one step with this matrix */
static void expect_names(const char *matrix, const char *const *names, size_t n)
{
	struct runbook *runbook =
		good(text_of("steps: [{name: s, command: x, matrix: %s}]", matrix));

	assert_int_equal(runbook->n_steps, n);
	for (size_t i = 0; i < n; i++)
		assert_string_equal(runbook->steps[i].name, names[i]);
	runbook_free(runbook);
}

#define EXPECT(matrix, ...)                                                                        \
	do {                                                                                       \
		static const char *const names_[] = {__VA_ARGS__};                                 \
		expect_names(matrix, names_, ARRAY_SIZE(names_));                                  \
	} while (0)

static void test_products(void **state)
{
	EXPECT("{a: [1]}", "s (a=1)");
	EXPECT("{a: [1, 2], b: [x, y]}", "s (a=1, b=x)", "s (a=1, b=y)", "s (a=2, b=x)",
	       "s (a=2, b=y)");
	/* values are used as they are written */
	EXPECT("{v: [3.10, 0x1F, true, '']}", "s (v=3.10)", "s (v=0x1F)", "s (v=true)", "s (v=)");
}

static void test_exclude(void **state)
{
	EXPECT("{a: [1, 2], b: [x, y], exclude: [{a: 1, b: y}]}", "s (a=1, b=x)", "s (a=2, b=x)",
	       "s (a=2, b=y)");
	EXPECT("{a: [1, 2], b: [x, y], exclude: [{a: 1}, {b: x}]}", "s (a=2, b=y)");
	bad(text_of("steps: [{name: s, command: x, matrix: {a: [1], exclude: [{a: 1}]}}]"),
	    "\"exclude\" leaves no combination");
}

static void test_include(void **state)
{
	/* an entry extends combinations that it does not contradict */
	EXPECT("{a: [1, 2], include: [{a: 2, c: z}]}", "s (a=1)", "s (a=2, c=z)");
	EXPECT("{a: [1, 2], include: [{c: z}]}", "s (a=1, c=z)", "s (a=2, c=z)");
	EXPECT("{a: [1, 2], include: [{c: y}, {a: 1, c: z}]}", "s (a=1, c=z)", "s (a=2, c=y)");
	/* or adds one */
	EXPECT("{a: [1], include: [{a: 3}, {a: 4, c: z}]}", "s (a=1)", "s (a=3)", "s (a=4, c=z)");
	EXPECT("{include: [{a: 1}, {b: 2}]}", "s (a=1)", "s (b=2)");
	/* an excluded combination comes back only as an entry of include */
	EXPECT("{a: [1, 2], exclude: [{a: 2}], include: [{a: 2, c: z}]}", "s (a=1)",
	       "s (a=2, c=z)");
	bad(text_of("steps: [{name: s, command: x, matrix: {include: [{a: 1}, {a: 1}]}}]"),
	    "stands twice in \"include\"");
}

static void test_what_instances_get(void **state)
{
	struct runbook *runbook =
		good(text_of("global: {env: {G: g, cc: not this}}\n"
			     "steps:\n"
			     "  - name: build\n"
			     "    command: make $cc\n"
			     "    matrix: {cc: [gcc, clang], limit: 3, fail_fast: true}\n"
			     "    image: '{{ matrix.cc }}:{{matrix.cc}}'\n"
			     "    user: 'u{{ matrix.cc }}'\n"
			     "    workdir: 'x/{{ matrix.cc }}'\n"
			     "    labels: ['{{ matrix.cc }}', big]\n"
			     "    env: {T: 'a {{ matrix.cc }} b {{ other }} {{ matrix.cc }}'}\n"
			     "  - {name: all, command: x, depends_on: [build]}\n"
			     "  - {name: one, command: x, depends_on: ['build (cc=clang)']}\n"));
	const struct runbook_step *step = &runbook->steps[1];

	assert_int_equal(runbook->n_steps, 4);
	assert_int_equal(runbook->n_matrices, 1);
	assert_string_equal(runbook->matrices[0].name, "build");
	assert_int_equal(runbook->matrices[0].first, 0);
	assert_int_equal(runbook->matrices[0].n_steps, 2);
	assert_int_equal(runbook->matrices[0].limit, 3);
	assert_true(runbook->matrices[0].fail_fast);
	assert_int_equal(step->matrix, 0);
	assert_string_equal(step->name, "build (cc=clang)");
	assert_string_equal(step->slug, "build__cc_clang_");
	assert_string_equal(step->command, "make $cc");
	assert_string_equal(step->image, "clang:clang");
	assert_string_equal(step->user, "uclang");
	assert_string_equal(step->workdir, "/workspace/x/clang");
	assert_int_equal(step->n_labels, 2);
	assert_string_equal(step->labels[0], "clang");
	assert_int_equal(step->n_env, 2);
	assert_string_equal(step->env[0].name, "cc");
	assert_string_equal(step->env[0].value, "clang");
	assert_string_equal(step->env[1].value, "a clang b {{ other }} clang");
	assert_int_equal(runbook->steps[2].matrix, SIZE_MAX);
	assert_int_equal(runbook->steps[2].n_depends_on, 2);
	assert_int_equal(runbook->steps[3].n_depends_on, 1);
	assert_int_equal(runbook->steps[3].depends_on[0], 1);
	assert_ptr_equal(runbook_whole_matrix(runbook, runbook->steps[2].depends_on, 2),
			 &runbook->matrices[0]);
	assert_null(runbook_whole_matrix(runbook, runbook->steps[2].depends_on, 1));
	assert_null(runbook_whole_matrix(runbook, runbook->steps[3].depends_on, 1));
	runbook_free(runbook);
}

/* Writes @n numbers for a flow list. */
static char *numbers(size_t n)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%s%zu", i ? ", " : "", i);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void test_number_of_combinations(void **state)
{
	cleanup_free char *ten = numbers(10);
	cleanup_free char *thousand = numbers(1000);
	struct runbook *runbook;

	runbook =
		good(text_of("steps: [{name: s, command: x, matrix: {a: [%s], b: [%s], c: [%s]}}]",
			     ten, ten, ten));
	assert_int_equal(runbook->n_steps, 1000);
	assert_string_equal(runbook->steps[999].name, "s (a=9, b=9, c=9)");
	runbook_free(runbook);
	bad(text_of("steps: [{name: s, command: x, matrix: {a: [%s], b: [1, 2]}}]", thousand),
	    "f:1:39: steps[0].matrix: the matrix has more than 1000 combinations");
	bad(text_of("steps: [{name: s, command: x, matrix: {a: [%s], include: [{a: x}]}}]",
		    thousand),
	    "the matrix has more than 1000 combinations");
	bad(text_of("steps: [{name: s, command: x, matrix: {a: [%s, 1000]}}]", thousand),
	    "the axis \"a\" has more than 1000 values");
}

/* Writes @n steps with a thousand instances each; @chain: each depends on the one before. */
static char *many_matrices(size_t n, bool chain, const char *command)
{
	cleanup_free char *thousand = numbers(1000);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	fprintf(out, "steps:\n  - {name: s0, command: &c \"%s\", matrix: {a: &list [%s]}}\n",
		command, thousand);
	for (size_t i = 1; i < n; i++) {
		fprintf(out, "  - {name: s%zu, command: *c, matrix: {a: *list}", i);
		if (chain)
			fprintf(out, ", depends_on: [s%zu]", i - 1);
		fputs("}\n", out);
	}
	assert_int_equal(fclose(out), 0);
	return text;
}

static void test_number_of_steps(void **state)
{
	struct runbook *runbook = good(many_matrices(10, false, "x"));

	assert_int_equal(runbook->n_steps, 10000);
	runbook_free(runbook);
	bad(many_matrices(11, false, "x"),
	    "f:12:5: steps[10]: with the instances of matrices, more than 10000 steps");
}

static void test_number_of_dependencies(void **state)
{
	bad(many_matrices(2, true, "x"),
	    "f:3:61: steps[1].depends_on: with the instances of matrices, more than 400000 "
	    "dependencies (put one step between two matrices");
}

static void test_amount_of_text(void **state)
{
	cleanup_free char *command = calloc(1, 20001);
	cleanup_free char *thousand = numbers(1000);
	char patterns[99 * 4 + 1] = "";

	for (int i = 0; i < 99; i++)
		strcat(patterns, ",*p ");
	memset(command, 'x', 20000);
	bad(many_matrices(1, false, command),
	    "the instances have more than 16 MiB of commands, variables and patterns");
	memset(command, 'p', 200);
	command[200] = '\0';
	bad(text_of("steps: [{name: s, command: x, matrix: {a: [%s]}, when: {paths: [&p %s%s]}}]",
		    thousand, command, patterns),
	    "the instances have more than 16 MiB of commands, variables and patterns");
}

/* Many matrices of which "exclude" leaves little: the limit counts combinations before it. */
static void test_work_is_bounded(void **state)
{
	cleanup_free char *thousand = numbers(1000);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	fprintf(out, "steps:\n- {name: s, command: x, matrix: &m {a: [%s], exclude: [", thousand);
	for (int i = 1; i < 1000; i++)
		fprintf(out, "%s{a: %d}", i > 1 ? ", " : "", i);
	fputs("]}}\n", out);
	for (int i = 0; i < 30; i++)
		fprintf(out, "- {name: s%d, command: x, matrix: *m}\n", i);
	assert_int_equal(fclose(out), 0);
	bad(text, "the matrices have more than 20000 combinations together");
}

static void test_names_too_long(void **state)
{
	char value[190];

	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	bad(text_of("steps: [{name: a long name, command: x, matrix: {a: [%s]}}]", value),
	    "f:1:16: steps[0].name: with the values of the matrix, the name has more than 200 "
	    "bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_products),
		cmocka_unit_test(test_exclude),
		cmocka_unit_test(test_include),
		cmocka_unit_test(test_what_instances_get),
		cmocka_unit_test(test_number_of_combinations),
		cmocka_unit_test(test_number_of_steps),
		cmocka_unit_test(test_number_of_dependencies),
		cmocka_unit_test(test_amount_of_text),
		cmocka_unit_test(test_work_is_bounded),
		cmocka_unit_test(test_names_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
