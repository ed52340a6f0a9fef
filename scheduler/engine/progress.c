/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/engine/progress.h"

#include "scheduler/engine/admission.h"
#include "scheduler/engine/concurrency.h"
#include "scheduler/engine/dispatch.h"
#include "scheduler/engine/filters.h"
#include "scheduler/engine/images.h"
#include "scheduler/engine/instantiate.h"
#include "scheduler/engine/notices.h"
#include "scheduler/engine/retention.h"
#include "scheduler/engine/run.h"
#include "scheduler/engine/run_timers.h"
#include "scheduler/engine/schedule.h"
#include "scheduler/engine/source.h"
#include "scheduler/engine/source_retry.h"
#include "scheduler/engine/step_when.h"
#include "scheduler/store/store_retention.h"

/* ---- consequences for a step ---- */

void step_release(struct step *step)
{
	step->to_release = false;
	if (step->run->row.held)
		return;
	run_timers_ready(step);
	if (images_ready(step))
		step_enqueue(step);
}

/* The step may have ended since its order was requested. */
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
	if (step->to_release)
		step_release(step);
	if (step_state_final(step->state))
		step_propagate(step);
}

/* ---- consequences for a run ---- */

/* The tree of @run is no longer awaited: release held runs that waited for it. */
static void run_fetched(struct run *run)
{
	name_list_clear(&run->paths);
	run->paths_known = false;
	if (source_retry_end(run))
		concurrency_settle_project(run->project);
}

/* Read the runbook: is the run wanted, which steps has it, which runs does it exclude? */
static void run_begin(struct run *run)
{
	if (!run_instantiate(run))
		return;
	schedules_learn(run);
	if (!filters_admit(run))
		return;
	notices_look(run);
	run_add_steps(run);
	concurrency_enter(run); /* may end the run at once */
	if (!run_state_final(run->row.state))
		run_decide(run);
}

static void run_due_follow(struct run *run)
{
	enum run_due due = run->due;

	run->due = RUN_DUE_NOTHING;
	if (due == RUN_DUE_SCHEDULES)
		schedules_learn(run);
	if (run_state_final(run->row.state)) /* the run may have been cancelled since */
		return;
	if (due == RUN_DUE_TREE)
		source_start(run);
	if (due == RUN_DUE_RUNBOOK) {
		run_begin(run);
		run_fetched(run);
	}
}

static void run_ended(struct run *run)
{
	struct scheduler *scheduler = run->scheduler;

	run_timers_stop(run);
	source_stop(run);
	concurrency_leave(run);
	run_fetched(run);
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
		run_due_follow(run);
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
