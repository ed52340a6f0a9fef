/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/progress.h"

#include "scheduler/admission.h"
#include "scheduler/concurrency.h"
#include "scheduler/dispatch.h"
#include "scheduler/run.h"
#include "scheduler/run_timers.h"
#include "scheduler/source_retry.h"
#include "scheduler/step_when.h"
#include "scheduler/store_retention.h"

/* ---- a step ---- */

void step_release(struct step *step)
{
	step->to_release = false;
	if (step->run->row.held)
		return;
	run_timers_ready(step);
	if (images_ready(step))
		step_enqueue(step);
}

/* It may have ended since its order was wanted. */
static void step_order(struct step *step)
{
	step->to_order = false;
	if (step->state == STEP_STATE_RUNNING)
		step_order_send(step);
}

static void step_follow(struct step *step)
{
	if (step->to_order)
		step_order(step);
	else if (step->to_release)
		step_release(step);
	else if (step_state_final(step->state))
		step_propagate(step);
}

/* ---- a run ---- */

static void run_ended(struct run *run)
{
	struct scheduler *scheduler = run->scheduler;

	run_timers_stop(run);
	concurrency_leave(run);
	source_retry_end(run);
	run_forget_later(run);
	store_tree_touch(scheduler->store, &run->row, run->row.ended_usec);
	retention_run_ended(scheduler);
}

static void run_state_follow(struct run *run)
{
	enum run_state from = run->followed, to = run->row.state;

	if (from == to)
		return;
	run->followed = to;
	if (run_state_final(from))
		concurrency_enter_again(run);
	if (to == RUN_STATE_RUNNING && !run->row.held)
		run_timers_started(run);
	if (run_state_final(to))
		run_ended(run);
}

static void run_follow(struct run *run)
{
	struct list_node *node;

	do {
		list_remove(&run->changed_node);
		run_state_follow(run);
		while ((node = list_pop(&run->changed_steps)))
			step_follow(list_entry(node, struct step, changed_node));
		run_settle(run);
	} while (list_linked(&run->changed_node));
}

void progress(struct scheduler *scheduler)
{
	while (!list_empty(&scheduler->changed))
		run_follow(list_entry(scheduler->changed.first, struct run, changed_node));
}
