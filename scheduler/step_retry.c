/* SPDX-License-Identifier: Apache-2.0 */
/* Another attempt of a step that had ended. */
#include "scheduler/run.h"

#include <errno.h>
#include <stdio.h>

static bool dependencies_hopeless(const struct step *step)
{
	const struct runbook_step *text = step_text(step);

	for (size_t i = 0; i < text->n_depends_on; i++) {
		enum step_state state = step->run->steps[text->depends_on[i]].state;

		if (step_state_final(state) && state != STEP_STATE_SUCCEEDED)
			return true;
	}
	return false;
}

static void step_reset(struct step *step, const char *reason)
{
	if (step->order) {
		step->attempt++;
		step->order = 0;
	}
	step->known = step->cancelling = false;
	step->started_usec = 0;
	state_step_set(step, STEP_STATE_PENDING, reason);
}

/* Never ran, because of something that is retried now. */
static bool step_follows(const struct step *step)
{
	return (step->state == STEP_STATE_SKIPPED ||
		(step->state == STEP_STATE_CANCELLED && !step->order)) &&
	       !dependencies_hopeless(step);
}

static void dependants_reset(struct step *step, const char *reason)
{
	const struct run *run = step->run;
	struct step *work = step;

	step->work_next = NULL;
	while (work) {
		const struct step *next = work;

		work = work->work_next;
		for (size_t i = run->dependants_start[next->index];
		     i < run->dependants_start[next->index + 1]; i++) {
			struct step *dependant = &step->run->steps[run->dependants[i]];

			if (!step_follows(dependant))
				continue;
			step_reset(dependant, reason);
			dependant->work_next = work;
			work = dependant;
		}
	}
}

static void run_count_missing(struct run *run)
{
	for (size_t i = 0; i < run->n_steps; i++) {
		struct step *step = &run->steps[i];
		const struct runbook_step *text = step_text(step);

		step->n_missing = 0;
		for (size_t j = 0; j < text->n_depends_on; j++)
			step->n_missing +=
				run->steps[text->depends_on[j]].state != STEP_STATE_SUCCEEDED;
	}
}

int step_retry(struct step *step, struct error *error)
{
	struct run *run = step->run;
	char reason[REASON_MAX + 1];

	if (!step_state_final(step->state))
		return error_set(error, EBUSY, "step \"%s\" is %s: cancel it first, or wait",
				 step_text(step)->name, step_state_name(step->state));
	if (dependencies_hopeless(step))
		return error_set(error, EBUSY,
				 "a dependency of step \"%s\" did not succeed: retry that one, "
				 "this step follows by itself",
				 step_text(step)->name);
	(void)snprintf(reason, sizeof(reason), "step \"%s\" is retried", step_text(step)->name);
	if (run->row.cancelling) {
		run->row.cancelling = false;
		store_run_set_cancelling(run->scheduler->store, run->row.id, false);
	}
	if (run_state_final(run->row.state))
		state_run_set(run, RUN_STATE_RUNNING, reason);
	step_reset(step, reason);
	dependants_reset(step, reason);
	run_count_missing(run);
	if (step->n_missing == 0)
		state_step_set(step, STEP_STATE_READY, "");
	return 0;
}
