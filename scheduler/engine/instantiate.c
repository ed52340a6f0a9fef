/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the steps of a run from its runbook, and their rows in the store. */
#include "scheduler/engine/instantiate.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/runbook_name.h"
#include "scheduler/engine/notices.h"
#include "scheduler/engine/step_when.h"
#include "scheduler/model/run_row.h"
#include "scheduler/model/state.h"
#include "scheduler/model/steps.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FINDING_LINE_MAX 1200

/* Invert depends_on of all steps into dependants_start and dependants, in linear time. */
static int run_make_dependants(struct run *run)
{
	const struct runbook *runbook = run->runbook;
	cleanup_free size_t *fill = NULL;
	size_t n_edges = 0;

	for (size_t i = 0; i < runbook->n_steps; i++)
		n_edges += runbook->steps[i].n_depends_on;
	run->dependants_start = calloc(runbook->n_steps + 1, sizeof(size_t));
	run->dependants = calloc(n_edges + 1, sizeof(size_t));
	fill = calloc(runbook->n_steps + 1, sizeof(size_t));
	if (!run->dependants_start || !run->dependants || !fill)
		return -ENOMEM;
	for (size_t i = 0; i < runbook->n_steps; i++) {
		for (size_t j = 0; j < runbook->steps[i].n_depends_on; j++)
			run->dependants_start[runbook->steps[i].depends_on[j] + 1]++;
	}
	for (size_t i = 0; i < runbook->n_steps; i++) {
		run->dependants_start[i + 1] += run->dependants_start[i];
		fill[i] = run->dependants_start[i];
	}
	for (size_t i = 0; i < runbook->n_steps; i++) {
		for (size_t j = 0; j < runbook->steps[i].n_depends_on; j++)
			run->dependants[fill[runbook->steps[i].depends_on[j]]++] = i;
	}
	return 0;
}

static int run_make_steps(struct run *run)
{
	const struct runbook *runbook = run->runbook;

	run->steps = calloc(runbook->n_steps + 1, sizeof(*run->steps));
	run->groups = calloc(runbook->n_matrices + 1, sizeof(*run->groups));
	if (!run->steps || !run->groups)
		return -ENOMEM;
	run->n_steps = runbook->n_steps;
	for (size_t i = 0; i < runbook->n_matrices; i++)
		run->groups[i] = (struct queue_group){.name = runbook->matrices[i].name,
						      .limit = runbook->matrices[i].limit};
	for (size_t i = 0; i < run->n_steps; i++) {
		size_t matrix = runbook->steps[i].matrix;

		run->steps[i] = (struct step){
			.run = run,
			.index = i,
			.attempt = 1,
			.budget = 1,
		};
		if (matrix < runbook->n_matrices && run->groups[matrix].limit)
			run->steps[i].item.group = &run->groups[matrix];
	}
	return run_make_dependants(run);
}

static void run_fail_findings(struct run *run, const struct runbook_finding *findings, size_t n)
{
	char reason[REASON_MAX + 1], line[FINDING_LINE_MAX];

	runbook_finding_format(line, sizeof(line), RUNBOOK_FILE, &findings[0]);
	if (n > 1)
		(void)snprintf(reason, sizeof(reason), "%.440s (and %zu more)", line, n - 1);
	else
		(void)snprintf(reason, sizeof(reason), "%.*s", REASON_MAX, line);
	notices_keep(run, findings, n);
	state_run_set(run, RUN_STATE_FAILED, reason);
}

/* Return: 0; -EINVAL, with @fail after the run failed because of the findings; -ENOMEM. */
static int run_parse(struct run *run, const char *text, size_t size, bool fail)
{
	cleanup_free struct runbook_finding *findings = NULL;
	size_t n = 0;
	int r;

	findings = calloc(RUNBOOK_FINDINGS_MAX, sizeof(*findings));
	if (!findings)
		return -ENOMEM;
	r = runbook_parse(text, size, &run->runbook, findings, &n);
	if (r == -EINVAL && fail)
		run_fail_findings(run, findings, n);
	if (r == 0)
		r = run_make_steps(run);
	return r;
}

bool run_instantiate(struct run *run)
{
	struct store *store = run->scheduler->store;
	cleanup_free char *text = TAKE_PTR(run->text);
	size_t size = run->text_size;
	int r;

	if (!text && store_runbook_get(store, run->row.runbook, &text, &size) < 0) {
		state_run_set(run, RUN_STATE_ERRORED, "its frozen runbook cannot be read");
		return false;
	}
	if (!run->row.runbook && size <= RUNBOOK_BYTES_MAX)
		run->row.runbook = store_runbook_add(store, text, size);
	store_run_set_runbook(store, run->row.id, run->row.runbook, NULL);
	r = run_parse(run, text, size, true);
	if (r == -EINVAL)
		return false;
	if (r == 0)
		r = run_set_text(&run->row.name, run->runbook->name);
	if (r < 0) {
		state_run_set(run, RUN_STATE_ERRORED, "out of memory while reading " RUNBOOK_FILE);
		return false;
	}
	store_run_set_runbook(store, run->row.id, run->row.runbook, run->row.name);
	return true;
}

int run_reload(struct run *run, struct error *error)
{
	cleanup_free char *text = NULL;
	size_t size = 0;
	int r;

	r = store_runbook_get(run->scheduler->store, run->row.runbook, &text, &size);
	if (r < 0)
		return error_errno(error, -r, "frozen runbook");
	r = run_parse(run, text, size, false);
	if (r == -EINVAL)
		return error_set(error, EINVAL,
				 "the frozen runbook is not valid for this version of runbookd");
	if (r < 0)
		return error_errno(error, -r, "frozen runbook");
	return 0;
}

static void step_make_row(struct step *step, struct run_changes *changes)
{
	const struct runbook_step *text = step_text(step);
	char why[REASON_MAX + 1];
	struct store_step row = {
		.run = step->run->row.id,
		.index = step->index,
		.name = text->name,
		.slug = text->slug,
		.image = text->image,
		.state = STEP_STATE_PENDING,
		.attempt = 1,
		.budget = 1,
		.max_attempts = text->attempts,
		.allow_failure = text->allow_failure,
	};

	step->condition_failed = row.condition_failed =
		!step_conditions_met(step, changes, why, sizeof(why));
	store_step_add(step->run->scheduler->store, &row);
	if (step->condition_failed)
		state_step_set(step, STEP_STATE_SKIPPED, why);
}

void run_add_steps(struct run *run)
{
	struct run_changes changes = {.steps = RUNBOOK_MATCH_STEPS};
	const struct runbook *runbook = run->runbook;

	changes.n_paths = run_paths(run, &changes.paths);
	for (size_t i = 0; i < run->n_steps; i++)
		step_make_row(&run->steps[i], &changes);
	if (changes.steps == 0)
		log_warning(
			"%s run %" PRIu64 ": its conditions take too long to compare with "
			"branch and paths: of the others, those on paths count as met, those on "
			"branches do not",
			run->row.project, run->row.id);
	for (size_t i = 0; i < run->n_steps; i++) {
		for (size_t j = 0; j < runbook->steps[i].n_depends_on; j++)
			store_dependency_add(run->scheduler->store, run->row.id, i,
					     runbook->steps[i].depends_on[j]);
	}
}
