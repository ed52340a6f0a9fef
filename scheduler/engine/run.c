/* SPDX-License-Identifier: Apache-2.0 */
/* Making, settling and forgetting runs. */
#include "scheduler/engine/run.h"

#include "common/cleanup.h"
#include "scheduler/engine/concurrency.h"
#include "scheduler/engine/images.h"
#include "scheduler/engine/run_timers.h"
#include "scheduler/engine/source.h"
#include "scheduler/engine/source_retry.h"
#include "scheduler/engine/step_when.h"
#include "scheduler/model/give_up.h"
#include "scheduler/model/image_wait.h"
#include "scheduler/model/outbox.h"
#include "scheduler/model/project.h"
#include "scheduler/model/run_row.h"
#include "scheduler/model/state.h"
#include "scheduler/model/steps.h"
#include "scheduler/store/store_retention.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct run *run_free(struct run *run)
{
	if (!run)
		return NULL;
	list_remove(&run->changed_node);
	source_stop(run);
	source_retry_free(run);
	concurrency_forget(run);
	run_timers_stop(run);
	name_list_clear(&run->paths);
	free(run->text);
	if (run->row.id)
		map_remove(&run->scheduler->runs, run->row.id);
	for (size_t i = 0; i < run->n_steps; i++) {
		struct step *step = &run->steps[i];

		queue_remove(&step->item);
		images_stop(step);
		if (step->order && map_get(&run->scheduler->orders, step->order) == step) {
			map_remove(&run->scheduler->orders, step->order);
			queue_finished(&step->item);
		}
		free(step->instance);
	}
	images_run_clear(run);
	free(run->steps);
	free(run->groups);
	free(run->dependants_start);
	free(run->dependants);
	(void)runbook_free(run->runbook);
	run_row_clear(&run->row);
	if (run->upload_fd >= 0)
		(void)close(run->upload_fd);
	free(run);
	return NULL;
}

struct run *run_from_row(struct scheduler *scheduler, const struct store_run *row)
{
	struct run *run = calloc(1, sizeof(*run));

	if (!run)
		return NULL;
	run->scheduler = scheduler;
	run->upload_fd = -1;
	run->project = project_get(scheduler, row->project);
	if (!run->project || run_row_copy(&run->row, row) < 0 ||
	    (run->row.id && map_put(&scheduler->runs, run->row.id, run) < 0))
		return run_free(run);
	run->followed = run->row.state;
	if (run->row.source == RUN_SOURCE_UPLOAD && !run->project->upload) {
		run->project->upload = true;
		project_update(run->project);
	}
	return run;
}

static void inherit_image(const char *name, const char *id, void *userdata)
{
	struct run *run = userdata;

	/* without memory to fix it, the name stands for today's image */
	if (image_id_valid(id) && images_run_fix(run, name, id) == 0)
		store_run_image_add(run->scheduler->store, run->row.id, name, id);
}

struct run *run_new(struct project *project, const struct store_run *row, int upload_fd)
{
	struct scheduler *scheduler = project->scheduler;
	cleanup_close int fd = upload_fd;
	struct store_run made = *row;
	struct store_event event = {.from = "", .to = run_state_name(RUN_STATE_PENDING)};
	struct run *run;

	made.project = project->name;
	made.state = RUN_STATE_PENDING;
	made.created_usec = wall_usec();
	made.id = store_run_add(scheduler->store, &made);
	turn_schedule(scheduler);
	if (!made.id)
		return NULL;
	/*
	 * retention keeps the last success of each branch that exists; a retry says
	 * nothing about the branch
	 */
	if (made.source == RUN_SOURCE_FETCH && !made.retry_of)
		store_branch_seen(scheduler->store, made.project, made.ref);
	run = run_from_row(scheduler, &made);
	if (!run) {
		scheduler_give_up(scheduler, NULL);
		return NULL;
	}
	run->upload_fd = TAKE_FD(fd);
	scheduler->run_counts[RUN_STATE_PENDING]++;
	event.run = made.id;
	event.reason = "";
	event.at_usec = made.created_usec;
	event_push(scheduler, &event);
	/* a retry has the images of the run that it retries */
	if (made.retry_of)
		(void)store_run_images_each(scheduler->store, made.retry_of, inherit_image, run);
	/* the tree of a retry may still exist */
	run_next(run,
		 !made.runbook || made.source == RUN_SOURCE_FETCH ? RUN_DUE_TREE : RUN_DUE_RUNBOOK);
	return run;
}

void run_forget_later(struct run *run)
{
	if (run->final_listed)
		return;
	run->final_listed = true;
	run->final_next = run->scheduler->final_runs;
	run->scheduler->final_runs = run;
}

void runs_forget(struct scheduler *scheduler)
{
	struct run *run = scheduler->final_runs, *next;

	scheduler->final_runs = NULL;
	for (; run; run = next) {
		next = run->final_next;
		run->final_listed = false;
		if (run_state_final(run->row.state))
			(void)run_free(run);
	}
}

/* ---- the end of a run ---- */

/* The first step in @state. With @allowed, a failure that is allowed counts, too. */
static const struct step *run_first(const struct run *run, enum step_state state, bool allowed)
{
	for (size_t i = 0; i < run->n_steps; i++) {
		if (run->steps[i].state == state && step_passed(&run->steps[i]) == allowed)
			return &run->steps[i];
	}
	return NULL;
}

static void settle_passed(struct run *run)
{
	static const enum step_state bad[] = {STEP_STATE_FAILED, STEP_STATE_ERRORED};
	const struct step *step = NULL;
	char reason[REASON_MAX + 1] = "";

	for (size_t i = 0; i < ARRAY_SIZE(bad) && !step; i++)
		step = run_first(run, bad[i], true);
	if (step)
		(void)snprintf(reason, sizeof(reason), "step \"%s\" %s, which is allowed",
			       step_text(step)->name, step_state_name(step->state));
	state_run_set(run, RUN_STATE_SUCCEEDED, reason);
}

void run_settle(struct run *run)
{
	static const struct {
		enum step_state step;
		enum run_state run;
	} rules[] = {
		/*
		 * the user's own failure is the most important result, then ours, then what was cut
		 * short
		 */
		{STEP_STATE_FAILED, RUN_STATE_FAILED},
		{STEP_STATE_ERRORED, RUN_STATE_ERRORED},
		{STEP_STATE_CANCELLED, RUN_STATE_CANCELLED},
	};
	char reason[REASON_MAX + 1];

	if (run->n_steps == 0 || run->n_final < run->n_steps || run_state_final(run->row.state))
		return;
	if (run->row.cancelling && run_first(run, STEP_STATE_CANCELLED, false)) {
		run_stop_reason(run, reason, sizeof(reason));
		state_run_set(run, run_stop_state(run), reason);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		const struct step *step = run_first(run, rules[i].step, false);

		if (!step)
			continue;
		(void)snprintf(reason, sizeof(reason), "step \"%s\" %s%s",
			       run->runbook->steps[step->index].name,
			       step->state == STEP_STATE_CANCELLED ? "was " : "",
			       step_state_name(step->state));
		state_run_set(run, rules[i].run, reason);
		return;
	}
	settle_passed(run);
}
