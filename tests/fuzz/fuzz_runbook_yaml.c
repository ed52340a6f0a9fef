/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a runbook.yml. Besides the sanitizers' checks, this checks what runbook_parse()
 * promises: findings have a place and a fix and are printable UTF-8; an accepted runbook has names
 * that other folders accept, a topological order of its steps, and unique slugs.
 */
#include "runbook/runbook.h"

#include "common/cron.h"
#include "common/names.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what)
{
	if (holds)
		return;
	(void)fprintf(stderr, "broken promise: %s\n", what);
	abort();
}

static void check_findings(const struct runbook_finding *findings, size_t n)
{
	char line[2048];

	require(n > 0 && n <= RUNBOOK_FINDINGS_MAX, "a number of findings");
	for (size_t i = 0; i < n; i++) {
		require(findings[i].place.line > 0 && findings[i].place.column > 0, "a place");
		require(findings[i].message[0] && findings[i].fix[0], "a message and a fix");
		runbook_finding_format(line, sizeof(line), "runbook.yml", &findings[i]);
		require(text_printable(line), "a printable line");
		require(i == 0 || i == n - 1 ||
				findings[i - 1].place.line <= findings[i].place.line,
			"sorted by line");
	}
}

static void check_order(const struct runbook *runbook)
{
	bool *done = calloc(runbook->n_steps, sizeof(*done));

	require(done != NULL, "memory");
	for (size_t i = 0; i < runbook->n_steps; i++) {
		const struct runbook_step *step = &runbook->steps[runbook->order[i]];

		for (size_t j = 0; j < step->n_depends_on; j++)
			require(done[step->depends_on[j]], "dependencies come first");
		require(!done[runbook->order[i]], "each step once");
		done[runbook->order[i]] = true;
	}
	free(done);
}

static void check_globs(const struct runbook_globs *globs)
{
	uint64_t steps = RUNBOOK_MATCH_STEPS;

	for (size_t i = 0; i < globs->n_items; i++)
		require(globs->items[i][0] && text_printable(globs->items[i]), "a pattern");
	(void)runbook_globs_match(globs, "release/1.2/very/long/name-of-a-branch", &steps);
	(void)runbook_globs_match(globs, "", &steps);
}

/* The values of "on" are accepted by the functions that use them. */
static void check_on(const struct runbook *runbook)
{
	char why[256], fix[256];
	struct cron cron;
	char path[] = "src/main.c";
	char *const paths[] = {path};

	for (size_t i = 0; i < RUNBOOK_EVENT_NUM; i++) {
		check_globs(&runbook->on[i].branches);
		check_globs(&runbook->on[i].tags);
		check_globs(&runbook->on[i].paths);
		why[0] = '\0';
		require(runbook_filter_match(runbook, (enum runbook_event)i, "refs/heads/main",
					     paths, 1, why, sizeof(why)) ||
				why[0],
			"a reason");
	}
	require((runbook->n_schedules > 0) == runbook->on[RUNBOOK_EVENT_SCHEDULE].given,
		"a schedule says when");
	for (size_t i = 0; i < runbook->n_schedules; i++) {
		const struct runbook_schedule *schedule = &runbook->schedules[i];

		require(cron_parse(schedule->cron, &cron, why, sizeof(why), fix, sizeof(fix)) == 0,
			"a time");
		require(!schedule->timezone || cron_timezone_valid(schedule->timezone),
			"a time zone");
	}
	require(runbook->priority >= -100 && runbook->priority <= 100, "a priority");
	require(runbook->concurrency_limit >= 1, "a limit");
}

static void check_matrices(const struct runbook *runbook)
{
	for (size_t i = 0; i < runbook->n_matrices; i++) {
		const struct runbook_matrix *matrix = &runbook->matrices[i];

		require(matrix->name && matrix->n_steps > 0 &&
				matrix->first + matrix->n_steps <= runbook->n_steps,
			"instances");
		for (size_t j = 0; j < matrix->n_steps; j++) {
			const struct runbook_step *step = &runbook->steps[matrix->first + j];

			require(step->matrix == i && step->n_env > 0 &&
					strncmp(step->name, matrix->name, strlen(matrix->name)) ==
						0,
				"an instance");
		}
	}
}

static void check_behaviour(const struct runbook_step *step)
{
	require(step->attempts >= 1 && step->attempts <= 10, "attempts");
	require(step->when.statuses != 0, "a status");
	check_globs(&step->when.branches);
	check_globs(&step->when.paths);
	require(!step->workdir || step->workdir[0] == '/', "an absolute directory");
	require(!step->user || step->user[0], "a user");
	for (size_t i = 0; i < step->n_labels; i++)
		require(step->labels[i][0] != '\0', "a label");
}

static void check_runbook(const struct runbook *runbook)
{
	require(runbook->n_steps > 0 && runbook->n_steps <= RUNBOOK_STEPS_MAX, "steps");
	check_order(runbook);
	check_on(runbook);
	check_matrices(runbook);
	for (size_t i = 0; i < runbook->n_steps; i++) {
		const struct runbook_step *step = &runbook->steps[i];

		require(step->name && text_printable(step->name) &&
				strlen(step->name) <= STEP_NAME_MAX,
			"a name");
		require(step_slug_valid(step->slug), "a slug");
		require(step->command && step->command[0], "a command");
		require(step->image && step->image[0], "an image");
		check_behaviour(step);
		for (size_t j = 0; j < step->n_env; j++)
			require(env_name_valid(step->env[j].name) && step->env[j].value,
				"a variable");
		for (size_t j = 0; j < i && i < 64; j++)
			require(strcmp(step->slug, runbook->steps[j].slug) != 0, "unique slugs");
	}
}

/* Stands for a host with two time zones. */
static bool zone_is_known(const char *name)
{
	return strcmp(name, "UTC") == 0 || strcmp(name, "Europe/Berlin") == 0;
}

static char *zones_are(void)
{
	return strdup("UTC\nEurope/Berlin\n");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct runbook_zones zones = {.known = zone_is_known, .names = zones_are};
	struct runbook_finding findings[RUNBOOK_FINDINGS_MAX];
	struct runbook *runbook = NULL;
	size_t n;
	int r = runbook_parse((const char *)data, size, &runbook, findings, &n);

	require(r == 0 || r == -EINVAL, "a documented result");
	if (r < 0) {
		check_findings(findings, n);
		return 0;
	}
	check_runbook(runbook);
	n = runbook_check_zones(runbook, &zones, findings);
	if (n > 0)
		check_findings(findings, n);
	runbook_free(runbook);
	return 0;
}
