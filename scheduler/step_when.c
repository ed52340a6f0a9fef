/* SPDX-License-Identifier: Apache-2.0 */
/* What follows from the end of a step: for its dependants, then for the run. */
#include "scheduler/run.h"

#include <stdio.h>

static void dependants_skip(struct step *step, struct step **work)
{
	const struct run *run = step->run;
	char reason[REASON_MAX + 1];

	(void)snprintf(reason, sizeof(reason), "dependency \"%s\" %s%s", step_text(step)->name,
		       step->state == STEP_STATE_SKIPPED || step->state == STEP_STATE_CANCELLED
			       ? "was "
			       : "",
		       step_state_name(step->state));
	for (size_t i = run->dependants_start[step->index];
	     i < run->dependants_start[step->index + 1]; i++) {
		struct step *dependant = &step->run->steps[run->dependants[i]];

		if (dependant->state != STEP_STATE_PENDING)
			continue;
		state_step_set(dependant, STEP_STATE_SKIPPED, reason);
		dependant->work_next = *work;
		*work = dependant;
	}
}

static void dependants_wake(const struct step *step)
{
	const struct run *run = step->run;

	for (size_t i = run->dependants_start[step->index];
	     i < run->dependants_start[step->index + 1]; i++) {
		struct step *dependant = &step->run->steps[run->dependants[i]];

		if (dependant->state != STEP_STATE_PENDING || dependant->n_missing == 0)
			continue;
		if (--dependant->n_missing == 0)
			state_step_set(dependant, STEP_STATE_READY, "");
	}
}

void step_propagate(struct step *step)
{
	struct run *run = step->run;
	struct step *work = NULL;

	if (step->state == STEP_STATE_SUCCEEDED)
		dependants_wake(step);
	else
		dependants_skip(step, &work);
	/* a list, not recursion: a chain may be ten thousand long */
	while (work) {
		struct step *skipped = work;

		work = skipped->work_next;
		dependants_skip(skipped, &work);
	}
	run_settle(run);
}
