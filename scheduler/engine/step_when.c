/* SPDX-License-Identifier: Apache-2.0 */
/* Decides dependants from the states of the steps above them. */
#include "scheduler/engine/step_when.h"

#include "common/cleanup.h"
#include "scheduler/model/run_row.h"
#include "scheduler/model/state.h"
#include "scheduler/model/steps.h"

#include <stdio.h>
#include <string.h>

static bool step_may_fail(const struct step *step)
{
	return step_text(step)->allow_failure;
}

/* Failed or errored, without allow_failure. */
static bool step_failed(const struct step *step)
{
	return (step->state == STEP_STATE_FAILED || step->state == STEP_STATE_ERRORED) &&
	       !step_may_fail(step);
}

bool step_passed(const struct step *step)
{
	return step->state == STEP_STATE_SUCCEEDED ||
	       ((step->state == STEP_STATE_FAILED || step->state == STEP_STATE_ERRORED) &&
		step_may_fail(step));
}

/* Such a step is skipped without waiting for the rest as soon as one dependency did not succeed. */
static bool wants_success_only(const struct step *step)
{
	return step_text(step)->when.statuses == RUNBOOK_WHEN_SUCCESS;
}

/* ---- counting anew ---- */

void run_count(struct run *run)
{
	for (size_t i = 0; i < run->n_steps; i++) {
		struct step *step = &run->steps[run->runbook->order[i]];
		const struct runbook_step *text = step_text(step);

		step->n_missing = 0;
		step->bad_above = step->failed_above = false;
		for (size_t j = 0; j < text->n_depends_on; j++) {
			const struct step *above = &run->steps[text->depends_on[j]];

			step->n_missing += !above->settled;
			step->bad_above |= step_state_final(above->state) && !step_passed(above);
			step->failed_above |= step_failed(above) || above->failed_above;
		}
		step->notified = step_state_final(step->state);
		step->settled = step->notified && step->n_missing == 0;
	}
}

/* ---- deciding a dependant ---- */

/* A worklist instead of recursion: a chain may have ten thousand steps. */
static void work_push(struct step **work, struct step *step)
{
	if (step->work_listed)
		return;
	step->work_listed = true;
	step->work_next = *work;
	*work = step;
}

static struct step *work_pop(struct step **work)
{
	struct step *step = *work;

	if (step) {
		*work = step->work_next;
		step->work_listed = false;
	}
	return step;
}

static const struct step *bad_dependency(const struct step *step)
{
	const struct runbook_step *text = step_text(step);

	for (size_t i = 0; i < text->n_depends_on; i++) {
		const struct step *above = &step->run->steps[text->depends_on[i]];

		if (step_state_final(above->state) && !step_passed(above))
			return above;
	}
	return NULL;
}

static void skip_reason(const struct step *step, char *out, size_t size)
{
	const struct step *bad = wants_success_only(step) ? bad_dependency(step) : NULL;

	if (bad)
		(void)snprintf(out, size, "dependency \"%s\" %s%s", step_text(bad)->name,
			       bad->state == STEP_STATE_SKIPPED ||
					       bad->state == STEP_STATE_CANCELLED
				       ? "was "
				       : "",
			       step_state_name(bad->state));
	else
		(void)snprintf(out, size, "when: failure: no step before it failed");
}

static void step_skip(struct step *step, struct step **work)
{
	char reason[REASON_MAX + 1];

	skip_reason(step, reason, sizeof(reason));
	state_step_set(step, STEP_STATE_SKIPPED, reason);
	work_push(work, step);
}

/* Whether @step is to run, when all its dependencies are settled. */
static bool step_wanted(const struct step *step)
{
	unsigned statuses = step_text(step)->when.statuses;

	if (statuses == (RUNBOOK_WHEN_SUCCESS | RUNBOOK_WHEN_FAILURE))
		return true;
	if (statuses & RUNBOOK_WHEN_FAILURE)
		return step->failed_above;
	return !step->bad_above;
}

static void step_decide(struct step *step, struct step **work)
{
	if (step->state != STEP_STATE_PENDING)
		return;
	if (step->bad_above && wants_success_only(step))
		step_skip(step, work);
	else if (step->n_missing > 0)
		return;
	else if (step_wanted(step))
		state_step_set(step, STEP_STATE_READY, "");
	else
		step_skip(step, work);
}

bool step_hopeless(const struct step *step)
{
	if (wants_success_only(step))
		return bad_dependency(step) != NULL;
	return step->n_missing == 0 && !step_wanted(step);
}

/* ---- matrix: fail_fast ---- */

static const struct runbook_matrix *step_matrix(const struct step *step)
{
	const struct runbook *runbook = step->run->runbook;
	size_t matrix = step_text(step)->matrix;

	return matrix < runbook->n_matrices ? &runbook->matrices[matrix] : NULL;
}

static void fail_fast_reason(const struct step *failed, char *out, size_t size)
{
	(void)snprintf(out, size, "cancelled: \"%.200s\" %s, and its matrix has fail_fast",
		       step_text(failed)->name, step_state_name(failed->state));
}

static void matrix_cancel(struct step *failed, struct step **work)
{
	const struct runbook_matrix *matrix = step_matrix(failed);
	char reason[REASON_MAX + 1];

	if (!matrix || !matrix->fail_fast || !step_failed(failed))
		return;
	fail_fast_reason(failed, reason, sizeof(reason));
	for (size_t i = 0; i < matrix->n_steps; i++) {
		struct step *step = &failed->run->steps[matrix->first + i];

		if (step->state == STEP_STATE_RUNNING) {
			(void)step_cancel(step);
		} else if (!step_state_final(step->state)) {
			state_step_set(step, STEP_STATE_CANCELLED, reason);
			work_push(work, step);
		}
	}
}

bool step_fail_fast_reason(const struct step *step, char *out, size_t size)
{
	const struct runbook_matrix *matrix = step_matrix(step);

	if (!matrix || !matrix->fail_fast || step->run->row.cancelling)
		return false;
	for (size_t i = 0; i < matrix->n_steps; i++) {
		const struct step *other = &step->run->steps[matrix->first + i];

		if (step_failed(other)) {
			fail_fast_reason(other, out, size);
			return true;
		}
	}
	return false;
}

/* ---- notifying dependants ---- */

/* @step is final: a failure already decides dependants that want only successes, and its matrix. */
static void step_notify(struct step *step, struct step **work)
{
	const struct run *run = step->run;

	step->notified = true;
	if (!step_passed(step)) {
		for (size_t i = run->dependants_start[step->index];
		     i < run->dependants_start[step->index + 1]; i++) {
			struct step *dependant = &step->run->steps[run->dependants[i]];

			dependant->bad_above = true;
			step_decide(dependant, work);
		}
	}
	matrix_cancel(step, work);
}

/* @step and all steps above it are final: its dependants have one unsettled dependency less. */
static void step_settle(struct step *step, struct step **work)
{
	const struct run *run = step->run;

	step->settled = true;
	for (size_t i = run->dependants_start[step->index];
	     i < run->dependants_start[step->index + 1]; i++) {
		struct step *dependant = &step->run->steps[run->dependants[i]];

		dependant->failed_above |= step_failed(step) || step->failed_above;
		if (dependant->n_missing == 0 || --dependant->n_missing > 0)
			continue;
		if (step_state_final(dependant->state))
			work_push(work, dependant);
		else
			step_decide(dependant, work);
	}
}

static void spread(struct step *work)
{
	struct step *step;

	while ((step = work_pop(&work))) {
		if (!step->notified)
			step_notify(step, &work);
		if (!step->settled && step->n_missing == 0)
			step_settle(step, &work);
	}
}

void step_propagate(struct step *step)
{
	struct step *work = NULL;

	work_push(&work, step);
	spread(work);
}

void run_decide(struct run *run)
{
	run_count(run);
	for (size_t i = 0; i < run->n_steps; i++) {
		struct step *work = NULL;

		step_decide(&run->steps[run->runbook->order[i]], &work);
		spread(work);
	}
	run_changed(run);
}

/* ---- conditions on what started the run ---- */

/* For a pull request, the branch that it goes to. */
static const char *run_branch(const struct run *run)
{
	static const char heads[] = "refs/heads/";
	const char *ref = run_filter_ref(run);

	return strncmp(ref, heads, sizeof(heads) - 1) == 0 ? ref + sizeof(heads) - 1 : "";
}

static void globs_text(const struct runbook_globs *globs, char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < globs->n_items && used + 1 < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "",
					 globs->items[i]);
}

static bool event_met(const struct runbook_when *when, enum runbook_event event, char *why,
		      size_t size)
{
	size_t used;

	if (!when->events || (when->events & (1U << event)))
		return true;
	used = (size_t)snprintf(why, size, "when.event: the run's is %s, not",
				runbook_event_name(event));
	for (unsigned i = 0, n = 0; i < RUNBOOK_EVENT_NUM && used < size; i++) {
		if (when->events & (1U << i))
			used += (size_t)snprintf(why + used, size - used, "%s %s", n++ ? " or" : "",
						 runbook_event_name((enum runbook_event)i));
	}
	return false;
}

static bool branch_met(const struct runbook_when *when, const char *branch, uint64_t *steps,
		       char *why, size_t size)
{
	char text[200];

	if (when->branches.n_items == 0)
		return true;
	if (branch[0] && runbook_globs_match(&when->branches, branch, steps))
		return true;
	globs_text(&when->branches, text, sizeof(text));
	if (branch[0] && *steps == 0)
		(void)snprintf(why, size, "when.branch: takes too long to compare: %s", text);
	else if (branch[0])
		(void)snprintf(why, size, "when.branch: \"%.200s\" is not in %s", branch, text);
	else
		(void)snprintf(why, size, "when.branch: the run is not for a branch (wanted: %s)",
			       text);
	return false;
}

static bool paths_met(const struct runbook_when *when, struct run_changes *changes, char *why,
		      size_t size)
{
	char text[200];

	if (runbook_paths_match(&when->paths, changes->paths, changes->n_paths, &changes->steps))
		return true;
	globs_text(&when->paths, text, sizeof(text));
	(void)snprintf(why, size, "when.paths: no changed path is in %s", text);
	return false;
}

bool step_conditions_met(const struct step *step, struct run_changes *changes, char *why,
			 size_t size)
{
	const struct runbook_when *when = &step_text(step)->when;

	return event_met(when, run_event(step->run), why, size) &&
	       branch_met(when, run_branch(step->run), &changes->steps, why, size) &&
	       paths_met(when, changes, why, size);
}
