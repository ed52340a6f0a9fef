/* SPDX-License-Identifier: Apache-2.0 */
/* Retries of steps, automatic and by a person. */
#include "scheduler/engine/step_retry.h"

#include "scheduler/engine/source.h"
#include "scheduler/engine/step_when.h"
#include "scheduler/model/state.h"
#include "scheduler/model/steps.h"
#include "scheduler/store/store_retention.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/* The number of an attempt that was never claimed is used again. */
static void attempt_next(struct step *step, const char *reason)
{
	if (step->order) {
		step->attempt++;
		step->order = 0;
	}
	step->confirmed = step->cancelling = false;
	step->started_usec = 0;
	step->notified = step->settled = false;
	state_step_set(step, STEP_STATE_PENDING, reason);
}

/* ---- automatic retries ---- */

bool step_attempt_again(struct step *step)
{
	uint64_t max = step_text(step)->attempts, done = step->attempt - step->budget + 1;
	char reason[REASON_MAX + 1];

	if ((step->state != STEP_STATE_FAILED && step->state != STEP_STATE_ERRORED) ||
	    step->cancelling || step->run->row.cancelling || !step->order || done >= max)
		return false;
	(void)snprintf(reason, sizeof(reason), "attempt %" PRIu64 " of %" PRIu64, done + 1, max);
	attempt_next(step, reason);
	state_step_set(step, STEP_STATE_READY, "");
	return true;
}

void step_interrupted(struct step *step)
{
	step->budget++; /* the interruption does not use up an automatic attempt */
	attempt_next(step, "it may be interrupted, and begins anew");
	state_step_set(step, STEP_STATE_READY, "");
}

/* ---- retries by a person ---- */

static void step_reset(struct step *step, const char *reason)
{
	uint64_t attempt = step->attempt + (step->order != 0);

	step->budget = attempt;
	step->retried = true;
	attempt_next(step, reason);
}

/* Whether @step is reset with a retried step above it: it never ran, or looks for failures. */
static bool step_follows(const struct step *step)
{
	const struct runbook_step *text = step_text(step);
	bool above = false;

	for (size_t i = 0; i < text->n_depends_on && !above; i++)
		above = step->run->steps[text->depends_on[i]].retried;
	if (!above || step->condition_failed || !step_state_final(step->state))
		return false;
	if (text->when.statuses & RUNBOOK_WHEN_FAILURE)
		return true;
	return (step->state == STEP_STATE_SKIPPED ||
		(step->state == STEP_STATE_CANCELLED && !step->order)) &&
	       !step_hopeless(step);
}

/* After the retried steps were reset: reset those behind them. */
static void followers_reset(struct run *run, const char *reason)
{
	for (size_t i = 0; i < run->n_steps; i++) {
		struct step *step = &run->steps[run->runbook->order[i]];

		if (!step->retried && step_follows(step))
			step_reset(step, reason);
	}
	for (size_t i = 0; i < run->n_steps; i++)
		run->steps[i].retried = false;
	run_decide(run);
}

static void run_open_again(struct run *run, const char *reason)
{
	if (run->row.cancelling) {
		run->row.cancelling = false;
		store_run_set_cancelling(run->scheduler->store, run->row.id, false);
	}
	if (run_state_final(run->row.state))
		state_run_set(run, RUN_STATE_RUNNING, reason);
	/* more artifacts may be added */
	store_run_set_artifact_bytes(run->scheduler->store, run->row.id, STORE_BYTES_UNKNOWN);
}

int step_retry(struct step *step, struct error *error)
{
	const char *name = step_text(step)->name;
	char reason[REASON_MAX + 1];

	if (!step_state_final(step->state))
		return error_set(error, EBUSY, "step \"%s\" is %s: cancel it first, or wait", name,
				 step_state_name(step->state));
	/* the reason that cuts the run short would still be in force */
	if (step->run->row.cancelling && !run_state_final(step->run->row.state))
		return error_set(error, EBUSY,
				 "run %" PRIu64 " is being cancelled: wait until it is over",
				 step->run->row.id);
	if (step->condition_failed)
		return error_set(error, EBUSY,
				 "step \"%s\" is not for this run: what started the run does not "
				 "meet its conditions (\"when\")",
				 name);
	if (step_hopeless(step) && step_text(step)->when.statuses == RUNBOOK_WHEN_SUCCESS)
		return error_set(error, EBUSY,
				 "a dependency of step \"%s\" did not succeed: retry that one, "
				 "this step follows by itself",
				 name);
	if (step_hopeless(step))
		return error_set(error, EBUSY,
				 "step \"%s\" is for failures, and no step before it failed", name);
	(void)snprintf(reason, sizeof(reason), "step \"%s\" is retried", name);
	run_open_again(step->run, reason);
	step_reset(step, reason);
	followers_reset(step->run, reason);
	return 0;
}

int run_retry_failed(struct run *run, struct error *error)
{
	static const char reason[] = "what did not succeed is retried";
	int n = 0;

	if (!run_state_final(run->row.state))
		return error_set(error, EBUSY, "run %" PRIu64 " is %s: cancel it first, or wait",
				 run->row.id, run_state_name(run->row.state));
	if (run->n_steps == 0)
		return source_again(run, error);
	for (size_t i = 0; i < run->n_steps; i++) {
		const struct step *step = &run->steps[i];

		n += step->state != STEP_STATE_SKIPPED && !step_passed(step);
	}
	if (n == 0)
		return error_set(error, EBUSY, "run %" PRIu64 " has no step that did not succeed",
				 run->row.id);
	run_open_again(run, reason);
	for (size_t i = 0; i < run->n_steps; i++) {
		struct step *step = &run->steps[i];

		if (step_state_final(step->state) && step->state != STEP_STATE_SKIPPED &&
		    !step_passed(step))
			step_reset(step, reason);
	}
	followers_reset(run, reason);
	return n;
}
