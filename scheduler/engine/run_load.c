/* SPDX-License-Identifier: Apache-2.0 */
/* Loads runs from the store: one by its number, or all unfinished ones after a start. */

#include "common/cleanup.h"
#include "common/log.h"
#include "scheduler/engine/admission.h"
#include "scheduler/engine/concurrency.h"
#include "scheduler/engine/images.h"
#include "scheduler/engine/instantiate.h"
#include "scheduler/engine/progress.h"
#include "scheduler/engine/run.h"
#include "scheduler/engine/run_timers.h"
#include "scheduler/engine/schedule.h"
#include "scheduler/engine/source_retry.h"
#include "scheduler/engine/step_when.h"
#include "scheduler/model/project.h"
#include "scheduler/model/state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct run_loading {
	struct scheduler *scheduler;
	struct run *run;
	size_t n_rows;
	bool apply; /* second pass: the steps exist */
	int failed;
};

static void load_row(const struct store_run *row, void *userdata)
{
	struct run_loading *loading = userdata;

	/*
	 * Only a damaged store has a run 0 or the same run twice; such a row could not be named or
	 * freed.
	 */
	if (row->id == 0 || map_get(&loading->scheduler->runs, row->id)) {
		loading->failed = -EUCLEAN;
		return;
	}
	loading->run = run_from_row(loading->scheduler, row);
}

static void load_step(const struct store_step *row, const struct store_attempt *attempt,
		      void *userdata)
{
	struct run_loading *loading = userdata;
	struct run *run = loading->run;
	struct step *step;

	loading->n_rows++;
	if (!loading->apply || loading->failed)
		return;
	if (row->index >= run->n_steps || row->state >= STEP_STATE_NUM) {
		loading->failed = -EUCLEAN;
		return;
	}
	step = &run->steps[row->index];
	step->state = row->state;
	step->attempt = row->attempt;
	step->budget = row->budget;
	step->condition_failed = row->condition_failed;
	step->ready_usec = row->ready_usec;
	step->order = attempt->order;
	step->started_usec = attempt->started_usec;
	run->n_final += step_state_final(step->state);
	if (step->state != STEP_STATE_RUNNING)
		return;
	step->cancelling = attempt->cancelling;
	step->instance = strdup(attempt->instance);
	if (!step->order)
		loading->failed = -EUCLEAN;
	else if (!step->instance || map_put(&run->scheduler->orders, step->order, step) < 0)
		loading->failed = -ENOMEM;
	else
		step_resume_running(step);
}

static void load_image(const char *name, const char *id, void *userdata)
{
	struct run_loading *loading = userdata;

	if (image_id_valid(id) && images_run_fix(loading->run, name, id) < 0)
		loading->failed = -ENOMEM;
}

/*
 * The rows of steps are read twice: first to see whether the run has any, then, when the runbook
 * has made the steps in memory, to fill these in.
 */
static int load_steps(struct run_loading *loading, struct error *error)
{
	struct run *run = loading->run;
	struct store *store = run->scheduler->store;
	int r;

	r = store_steps_each(store, run->row.id, load_step, loading);
	if (r < 0)
		return error_errno(error, -r, "steps");
	if (loading->n_rows == 0)
		return 0;
	r = run_reload(run, error);
	if (r < 0)
		return r;
	loading->apply = true;
	r = store_steps_each(store, run->row.id, load_step, loading);
	if (r == 0)
		r = loading->failed;
	if (r < 0)
		return error_errno(error, -r, "steps");
	run_count(run);
	r = store_run_images_each(store, run->row.id, load_image, loading);
	if (r == 0)
		r = loading->failed;
	return r < 0 ? error_errno(error, -r, "images") : 0;
}

struct run *run_load(struct scheduler *scheduler, uint64_t id, struct error *error)
{
	struct run_loading loading = {.scheduler = scheduler};
	int r;

	r = store_run_get(scheduler->store, id, load_row, &loading);
	if (r < 0) {
		(void)error_errno(error, -r, "run %" PRIu64, id);
		return NULL;
	}
	if (loading.failed) {
		(void)error_set(error, -loading.failed,
				"run %" PRIu64 " has a row that runbookd never writes", id);
		return NULL;
	}
	if (r == 0 || !loading.run) {
		(void)error_set(error, r ? ENOMEM : ENOENT, "run %" PRIu64 "%s", id,
				r ? ": out of memory" : " does not exist");
		return NULL;
	}
	if (load_steps(&loading, error) < 0) {
		(void)error_wrap(error, "run %" PRIu64, id);
		return run_free(loading.run);
	}
	return loading.run;
}

struct id_list {
	uint64_t *ids;
	size_t n, room;
	bool failed;
};

static void collect_id(const struct store_run *row, void *userdata)
{
	struct id_list *list = userdata;

	if (list->n == list->room) {
		size_t room = list->room ? list->room * 2 : 64;
		uint64_t *larger = reallocarray(list->ids, room, sizeof(*larger));

		if (!larger) {
			list->failed = true;
			return;
		}
		list->ids = larger;
		list->room = room;
	}
	list->ids[list->n++] = row->id;
}

/* Its steps, if it has any, are queued again or run already; a tree may still be missing. */
static void run_resume(struct run *run)
{
	if (run->n_steps) {
		run_timers_restore(run);
		run_decide(run);
		return;
	}
	if (run->row.source == RUN_SOURCE_UPLOAD)
		state_run_set(run, RUN_STATE_ERRORED,
			      "the upload was interrupted by a restart: send it again");
	else if (!source_retry_waits(run))
		run_next(run, RUN_DUE_TREE);
}

static int compare_ready(const void *left, const void *right)
{
	const struct step *a = *(const struct step *const *)left;
	const struct step *b = *(const struct step *const *)right;

	if (a->ready_usec != b->ready_usec)
		return a->ready_usec < b->ready_usec ? -1 : 1;
	if (a->run->row.id != b->run->row.id)
		return a->run->row.id < b->run->row.id ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

/* Put ready steps back into the queue, in their previous order. */
static int queue_resume(struct scheduler *scheduler)
{
	cleanup_free struct step **ready = NULL;
	size_t cursor = 0, n = 0, room = 0;
	struct run *run;

	while ((run = map_next(&scheduler->runs, &cursor)))
		room += run->n_steps;
	ready = calloc(room + 1, sizeof(*ready));
	if (!ready)
		return -ENOMEM;
	cursor = 0;
	while ((run = map_next(&scheduler->runs, &cursor))) {
		for (size_t i = 0; i < run->n_steps; i++) {
			if (run->steps[i].state == STEP_STATE_READY)
				ready[n++] = &run->steps[i];
		}
	}
	qsort(ready, n, sizeof(*ready), compare_ready);
	for (size_t i = 0; i < n; i++)
		step_release(ready[i]);
	concurrency_settle(scheduler);
	return 0;
}

static void pause_project(const char *name, void *userdata)
{
	struct project *project = project_get(userdata, name);

	if (project) {
		project->paused = true;
		project_update(project);
	}
}

/* A run that cannot be loaded ends with the reason; the others go on. */
static void run_give_up(struct scheduler *scheduler, uint64_t id, const struct error *error)
{
	struct run_loading loading = {.scheduler = scheduler};

	log_error("%s", error->text);
	if (store_run_get(scheduler->store, id, load_row, &loading) == 1 && loading.run) {
		char reason[REASON_MAX + 1];

		(void)snprintf(reason, sizeof(reason), "cannot go on after a restart: %.400s",
			       error->text);
		state_run_set(loading.run, RUN_STATE_ERRORED, reason);
	}
}

int runs_resume(struct scheduler *scheduler, struct error *error)
{
	struct id_list open = {0};
	int r;

	r = store_run_counts(scheduler->store, scheduler->run_counts);
	if (r == 0)
		r = store_paused_each(scheduler->store, pause_project, scheduler);
	if (r == 0)
		r = schedules_load(scheduler);
	if (r == 0)
		r = store_runs_open_each(scheduler->store, collect_id, &open);
	if (r == 0 && open.failed)
		r = -ENOMEM;
	for (size_t i = 0; r == 0 && i < open.n; i++) {
		struct error why = ERROR_INIT;

		struct run *run = run_load(scheduler, open.ids[i], &why);

		if (run && run->n_steps == 0)
			r = source_retry_load(run);
		if (run)
			concurrency_restore(run);
		else if (store_damaged(scheduler->store))
			r = -EUCLEAN; /* a fault of the store, not of the run: write nothing now */
		else if (why.number == ENOMEM)
			r = -ENOMEM; /* nor is lack of memory a fault of the run */
		else
			run_give_up(scheduler, open.ids[i], &why);
	}
	if (r == 0)
		r = queue_resume(scheduler);
	for (size_t i = 0; r == 0 && i < open.n; i++) {
		struct run *run = map_get(&scheduler->runs, open.ids[i]);

		if (run && !run_state_final(run->row.state))
			run_resume(run);
	}
	progress(scheduler);
	if (open.n)
		log_info("%zu unfinished runs, %" PRIu64 " steps wait, %" PRIu64 " were running",
			 open.n, scheduler->queue.n_waiting, scheduler->queue.running);
	free(open.ids);
	return r < 0 ? error_errno(error, -r, "cannot load the unfinished runs") : 0;
}
