/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/engine/run_timers.h"

#include "common/cleanup.h"
#include "common/names.h"
#include "scheduler/engine/run.h"
#include "scheduler/model/give_up.h"
#include "scheduler/model/state.h"

#include <stddef.h>
#include <stdio.h>

/* Expired steps of one run are searched once in this time, not one by one. */
#define QUEUE_CHECK_MIN_USEC (1 * USEC_PER_SEC)

static void timer_arm(struct run *run, struct loop_timer *timer, uint64_t at_usec,
		      loop_timer_fn callback)
{
	if (loop_timer_set(run->scheduler->loop, timer, at_usec, callback) < 0)
		scheduler_give_up(run->scheduler, NULL);
}

/* ---- timeout of the run ---- */

static void timeout_fired(struct loop_timer *timer)
{
	struct run *run = container_of(timer, struct run, timeout_timer);

	(void)run_stop(run, RUN_STOP_TIMEOUT, 0);
}

void run_timers_started(struct run *run)
{
	uint64_t timeout_usec;

	if (!run->runbook || !run->runbook->timeout_sec)
		return;
	timeout_usec = run->runbook->timeout_sec * USEC_PER_SEC;
	run->row.deadline_usec = wall_usec() + timeout_usec;
	store_run_set_limits(run->scheduler->store, &run->row);
	timer_arm(run, &run->timeout_timer, now_usec() + timeout_usec, timeout_fired);
}

/* ---- timeout of waiting steps ---- */

static uint64_t queue_timeout_usec(const struct run *run)
{
	return run->runbook ? run->runbook->queue_timeout_sec * USEC_PER_SEC : 0;
}

static void step_expire(struct step *step)
{
	char text[32], reason[REASON_MAX + 1];

	text_duration(text, sizeof(text), step->run->runbook->queue_timeout_sec * 1000);
	(void)snprintf(reason, sizeof(reason), "queue timeout: could not start for %s", text);
	state_step_set(step, STEP_STATE_ERRORED, reason);
}

/* End all steps whose time in the queue is over, and set the timer for the next one. */
static void queue_timeout_fired(struct loop_timer *timer)
{
	struct run *run = container_of(timer, struct run, queue_timer);
	uint64_t timeout_usec = queue_timeout_usec(run), now = now_usec(), next = UINT64_MAX;

	for (size_t i = 0; i < run->n_steps; i++) {
		struct step *step = &run->steps[i];

		if (step->state == STEP_STATE_READY && !run->row.held &&
		    step->queued_usec + timeout_usec <= now)
			step_expire(step);
	}
	for (size_t i = 0; i < run->n_steps; i++) {
		const struct step *step = &run->steps[i];

		if (step->state == STEP_STATE_READY && step->queued_usec + timeout_usec < next)
			next = step->queued_usec + timeout_usec;
	}
	if (next == UINT64_MAX || run->row.held || run_state_final(run->row.state))
		return;
	if (next < now + QUEUE_CHECK_MIN_USEC)
		next = now + QUEUE_CHECK_MIN_USEC;
	timer_arm(run, timer, next, queue_timeout_fired);
}

void run_timers_ready(struct step *step)
{
	struct run *run = step->run;
	uint64_t timeout_usec = queue_timeout_usec(run);

	step->queued_usec = now_usec();
	/* an armed timer is earlier: it was set for an older step */
	if (timeout_usec && !run->queue_timer.loop)
		timer_arm(run, &run->queue_timer, step->queued_usec + timeout_usec,
			  queue_timeout_fired);
}

/* ---- continuing after a restart ---- */

/* How much of @whole_usec has passed since the wall time @since_usec. */
static uint64_t passed_usec(uint64_t since_usec, uint64_t whole_usec)
{
	uint64_t wall = wall_usec();
	uint64_t passed = wall > since_usec ? wall - since_usec : 0;

	return passed < whole_usec ? passed : whole_usec;
}

void run_timers_restore(struct run *run)
{
	uint64_t now = now_usec(), timeout_usec;

	if (!run->runbook)
		return;
	timeout_usec = run->runbook->timeout_sec * USEC_PER_SEC;
	if (run->row.state == RUN_STATE_RUNNING && !run->row.held &&
	    run->row.deadline_usec >= timeout_usec && timeout_usec &&
	    run->row.stop == RUN_STOP_NONE) {
		uint64_t passed = passed_usec(run->row.deadline_usec - timeout_usec, timeout_usec);

		timer_arm(run, &run->timeout_timer, now + timeout_usec - passed, timeout_fired);
	}
	timeout_usec = queue_timeout_usec(run);
	for (size_t i = 0; i < run->n_steps; i++) {
		struct step *step = &run->steps[i];
		uint64_t passed;

		if (step->state != STEP_STATE_READY)
			continue;
		passed = passed_usec(step->ready_usec, timeout_usec);
		step->queued_usec = now > passed ? now - passed : 0;
	}
	/* examines all steps and sets the timer for the next one */
	if (timeout_usec && !run->row.held)
		timer_arm(run, &run->queue_timer, now, queue_timeout_fired);
}

void run_timers_stop(struct run *run)
{
	loop_timer_cancel(&run->timeout_timer);
	loop_timer_cancel(&run->queue_timer);
}
