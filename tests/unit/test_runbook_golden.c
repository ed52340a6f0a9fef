/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each tests/golden/runbook/NAME.yml is compared with NAME.expected: the findings in the format
 * of `runbookctl validate`, or the meaning of a valid file. UPDATE=1 in the environment
 * rewrites these files; read the difference before committing.
 */
#include "runbook/runbook.h"
#include "tests/unit/cmocka_headers.h"
#include "tests/unit/graph_print.h"

#include "common/cleanup.h"
#include "common/fdio.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOLDEN_DIR "tests/golden/runbook"
#define FILE_MAX (8 * MIB)

static char *file_read(const char *path, size_t *ret_size)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *data;

	if (fd < 0)
		return NULL;
	assert_int_equal(fd_read_file(fd, FILE_MAX, &data, ret_size), 0);
	return data;
}

static void print_env(FILE *out, const char *indent, const struct runbook_env *env, size_t n_env)
{
	for (size_t i = 0; i < n_env; i++)
		fprintf(out, "%senv %s=[%s]\n", indent, env[i].name, env[i].value);
}

static void print_globs(FILE *out, const char *title, const struct runbook_globs *globs)
{
	if (globs->n_items == 0)
		return;
	fprintf(out, " %s", title);
	for (size_t i = 0; i < globs->n_items; i++)
		fprintf(out, " [%s]", globs->items[i]);
}

/* Prints values that differ from the defaults. */
static void print_behaviour(FILE *out, const struct runbook_step *step)
{
	const struct runbook_when *when = &step->when;

	if (when->statuses != RUNBOOK_WHEN_SUCCESS || when->events || when->branches.n_items > 0 ||
	    when->paths.n_items > 0) {
		fprintf(out, "  when status %x events %x", when->statuses, when->events);
		print_globs(out, "branch", &when->branches);
		print_globs(out, "paths", &when->paths);
		fputc('\n', out);
	}
	if (step->attempts != 1 || step->allow_failure || step->interruptible || step->tty)
		fprintf(out, "  attempts %llu%s%s%s\n", (unsigned long long)step->attempts,
			step->allow_failure ? " allow_failure" : "",
			step->interruptible ? " interruptible" : "", step->tty ? " tty" : "");
	if (step->user || step->workdir)
		fprintf(out, "  user %s workdir %s\n", step->user ? step->user : "-",
			step->workdir ? step->workdir : "-");
	for (size_t i = 0; i < step->n_labels; i++)
		fprintf(out, "  label [%s]\n", step->labels[i]);
	if (step->matrix != SIZE_MAX)
		fprintf(out, "  matrix %zu\n", step->matrix);
}

static void print_on(FILE *out, const struct runbook *runbook)
{
	for (size_t i = 0; i < RUNBOOK_EVENT_NUM; i++) {
		const struct runbook_filter *filter = &runbook->on[i];

		if (!filter->given || !runbook->on_given)
			continue;
		fprintf(out, "on %s", runbook_event_name((enum runbook_event)i));
		print_globs(out, "branches", &filter->branches);
		print_globs(out, "tags", &filter->tags);
		print_globs(out, "paths", &filter->paths);
		fputc('\n', out);
	}
	for (size_t i = 0; i < runbook->n_schedules; i++) {
		const struct runbook_schedule *schedule = &runbook->schedules[i];

		fprintf(out, "cron [%s] timezone %s branch %s\n", schedule->cron,
			schedule->timezone ? schedule->timezone : "-",
			schedule->branch ? schedule->branch : "-");
	}
}

static void print_run(FILE *out, const struct runbook *runbook)
{
	print_on(out, runbook);
	if (runbook->priority)
		fprintf(out, "priority %lld\n", (long long)runbook->priority);
	if (runbook->concurrency_group)
		fprintf(out, "concurrency [%s] limit %llu%s\n", runbook->concurrency_group,
			(unsigned long long)runbook->concurrency_limit,
			runbook->cancel_superseded ? " cancel_superseded" : "");
	if (runbook->timeout_sec || runbook->queue_timeout_sec)
		fprintf(out, "timeout %llu queue_timeout %llu\n",
			(unsigned long long)runbook->timeout_sec,
			(unsigned long long)runbook->queue_timeout_sec);
	for (size_t i = 0; i < runbook->n_matrices; i++) {
		const struct runbook_matrix *matrix = &runbook->matrices[i];

		fprintf(out, "matrix [%s] steps %zu to %zu limit %llu%s\n", matrix->name,
			matrix->first, matrix->first + matrix->n_steps - 1,
			(unsigned long long)matrix->limit, matrix->fail_fast ? " fail_fast" : "");
	}
}

static void print_step(FILE *out, const struct runbook *runbook, const struct runbook_step *step)
{
	static const char *const networks[] = {"egress", "none", "isolated"};

	fprintf(out, "step [%s] at %u:%u slug %s\n", step->name, step->place.line,
		step->place.column, step->slug);
	fprintf(out, "  command [%s]\n", step->command);
	for (size_t i = 0; i < step->n_depends_on; i++)
		fprintf(out, "  after [%s]\n", runbook->steps[step->depends_on[i]].name);
	print_env(out, "  ", step->env, step->n_env);
	fprintf(out, "  image %s network %s%s timeout %llu shell %s\n", step->image,
		networks[step->network], step->network_given ? "" : " (default)",
		(unsigned long long)step->timeout_sec, step->shell ? step->shell : "-");
	fprintf(out, "  cpu %llu memory %llu pids %llu disk %llu\n",
		(unsigned long long)step->resources.cpu_milli,
		(unsigned long long)step->resources.memory,
		(unsigned long long)step->resources.pids, (unsigned long long)step->resources.disk);
	if (step->resources.io_read || step->resources.io_write || step->resources.io_read_ops ||
	    step->resources.io_write_ops)
		fprintf(out, "  io read %llu write %llu read_ops %llu write_ops %llu\n",
			(unsigned long long)step->resources.io_read,
			(unsigned long long)step->resources.io_write,
			(unsigned long long)step->resources.io_read_ops,
			(unsigned long long)step->resources.io_write_ops);
	print_behaviour(out, step);
}

static void print_good(FILE *out, const struct runbook *runbook)
{
	cleanup_free char *text = runbook_graph_text(runbook);
	cleanup_free char *dot = runbook_graph_dot(runbook);

	fprintf(out, "ok: name [%s], %zu steps, order", runbook->name ? runbook->name : "",
		runbook->n_steps);
	for (size_t i = 0; i < runbook->n_steps; i++)
		fprintf(out, " %zu", runbook->order[i]);
	fputc('\n', out);
	print_env(out, "", runbook->env, runbook->n_env);
	print_run(out, runbook);
	for (size_t i = 0; i < runbook->n_steps; i++)
		print_step(out, runbook, &runbook->steps[i]);
	fprintf(out, "--\n%s--\n%s", text, dot);
}

/* Return: the findings, or the meaning of a valid file. */
static char *result_of(const char *name, const char *data, size_t size)
{
	struct runbook_finding findings[RUNBOOK_FINDINGS_MAX];
	struct runbook *runbook = NULL;
	size_t n = 0, text_size;
	char *text = NULL;
	FILE *out = open_memstream(&text, &text_size);
	int r = runbook_parse(data, size, &runbook, findings, &n);

	assert_non_null(out);
	assert_true(r == 0 || (r == -EINVAL && n > 0));
	for (size_t i = 0; i < n; i++) {
		char line[2048];

		/* every finding has a place and a fix */
		assert_true(findings[i].place.line > 0 && findings[i].place.column > 0);
		assert_true(findings[i].fix[0] != '\0');
		runbook_finding_format(line, sizeof(line), name, &findings[i]);
		fprintf(out, "%s\n", line);
	}
	if (r == 0)
		print_good(out, runbook);
	runbook_free(runbook);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void test_case(void **state)
{
	const char *name = *state;
	char path[512], file[300];
	size_t size, expected_size;
	cleanup_free char *data = NULL;
	cleanup_free char *expected = NULL;
	cleanup_free char *result = NULL;

	(void)snprintf(path, sizeof(path), "%s/%s.yml", GOLDEN_DIR, name);
	data = file_read(path, &size);
	assert_non_null(data);
	(void)snprintf(file, sizeof(file), "%s.yml", name);
	result = result_of(file, data, size);
	(void)snprintf(path, sizeof(path), "%s/%s.expected", GOLDEN_DIR, name);
	if (getenv("UPDATE")) {
		assert_int_equal(file_replace(AT_FDCWD, path, result, strlen(result), (mode_t)0644),
				 0);
		return;
	}
	expected = file_read(path, &expected_size);
	if (!expected)
		fail_msg("%s is missing: run with UPDATE=1 and read what it writes", path);
	assert_string_equal(result, expected);
}

static int name_compare(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_yaml(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && strcmp(dot, ".yml") == 0;
}

int main(void)
{
	struct dirent **entries = NULL;
	int n = scandir(GOLDEN_DIR, &entries, is_yaml, name_compare);
	struct CMUnitTest *tests;
	int failed;

	if (n < 210) {
		fprintf(stderr, "%s: %d cases; start the test at the top of the source tree\n",
			GOLDEN_DIR, n);
		return 1;
	}
	tests = calloc((size_t)n, sizeof(*tests));
	assert_non_null(tests);
	for (int i = 0; i < n; i++) {
		entries[i]->d_name[strlen(entries[i]->d_name) - strlen(".yml")] = '\0';
		tests[i] = (struct CMUnitTest){.name = entries[i]->d_name,
					       .test_func = test_case,
					       .initial_state = entries[i]->d_name};
	}
	failed = _cmocka_run_group_tests("golden", tests, (size_t)n, NULL, NULL);
	for (int i = 0; i < n; i++)
		free(entries[i]);
	free(entries);
	free(tests);
	return failed;
}
