/* SPDX-License-Identifier: Apache-2.0 */
/* Ends a run early: at a person's request, for a newer run, or at its own timeout. */
#include "common/cleanup.h"
#include "common/names.h"
#include "scheduler/engine/run.h"
#include "scheduler/model/state.h"
#include "scheduler/model/steps.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void run_stop_reason(const struct run *run, char *out, size_t size)
{
	char text[32];

	if (run->row.stop == RUN_STOP_SUPERSEDED) {
		(void)snprintf(out, size, "superseded by run %" PRIu64, run->row.stop_by);
	} else if (run->row.stop == RUN_STOP_TIMEOUT) {
		text_duration(text, sizeof(text),
			      run->runbook ? run->runbook->timeout_sec * 1000 : 0);
		(void)snprintf(out, size, "run timeout after %s", text);
	} else {
		(void)snprintf(out, size, "cancelled");
	}
}

enum run_state run_stop_state(const struct run *run)
{
	/* a timeout is the user's own limit, as that of a step is */
	return run->row.stop == RUN_STOP_TIMEOUT ? RUN_STATE_FAILED : RUN_STATE_CANCELLED;
}

/* The daemon ends running steps; all others end at once. */
static size_t steps_stop(struct run *run, const char *reason)
{
	size_t n = 0;

	for (size_t i = 0; i < run->n_steps; i++) {
		struct step *step = &run->steps[i];

		if (step->state == STEP_STATE_RUNNING) {
			n += step_cancel(step);
		} else if (!step_state_final(step->state)) {
			state_step_set(step, STEP_STATE_CANCELLED, reason);
			n++;
		}
	}
	return n;
}

size_t run_stop(struct run *run, enum run_stop why, uint64_t by)
{
	char reason[REASON_MAX + 1];
	size_t n;

	if (run_state_final(run->row.state))
		return 0;
	/* only the first reason counts */
	if (run->row.stop == RUN_STOP_NONE) {
		run->row.stop = why;
		run->row.stop_by = by;
		store_run_set_limits(run->scheduler->store, &run->row);
	}
	run_stop_reason(run, reason, sizeof(reason));
	if (run->n_steps == 0) {
		state_run_set(run, run_stop_state(run), reason);
		return 0;
	}
	run->row.cancelling = true;
	store_run_set_cancelling(run->scheduler->store, run->row.id, true);
	n = steps_stop(run, reason);
	run_changed(run);
	return n;
}

size_t run_cancel(struct run *run)
{
	return run_stop(run, RUN_STOP_CANCELLED, 0);
}

void run_unwanted(struct run *run, const char *format, ...)
{
	char why[REASON_MAX / 2], reason[REASON_MAX + 1];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(why, sizeof(why), format, arguments);
	va_end(arguments);
	run->row.unwanted = true;
	store_run_set_limits(run->scheduler->store, &run->row);
	(void)snprintf(reason, sizeof(reason), "not wanted: %s", why);
	state_run_set(run, RUN_STATE_CANCELLED, reason);
}
