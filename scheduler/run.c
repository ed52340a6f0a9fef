/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a run: made, loaded, cancelled, settled, forgotten. */
#include "scheduler/run.h"

#include "common/cleanup.h"
#include "common/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int run_set_text(const char **field, const char *value)
{
	char *copy = value ? strdup(value) : NULL;

	if (value && !copy)
		return -ENOMEM;
	free((char *)*field);
	*field = copy;
	return 0;
}

static const size_t text_fields[] = {
	offsetof(struct store_run, project), offsetof(struct store_run, event),
	offsetof(struct store_run, ref),     offsetof(struct store_run, asked),
	offsetof(struct store_run, commit),  offsetof(struct store_run, tree),
	offsetof(struct store_run, title),   offsetof(struct store_run, actor),
};

static const char **text_field(struct store_run *row, size_t i)
{
	return (const char **)(void *)((char *)row + text_fields[i]);
}

/* A row of our own: texts copied, absent ones "" (name alone may be NULL). */
static int row_copy(struct store_run *to, const struct store_run *from)
{
	struct store_run source = *from;
	int r;

	*to = source;
	to->name = to->reason = to->findings = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(text_fields); i++)
		*text_field(to, i) = NULL;
	r = run_set_text(&to->name, source.name);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(text_fields); i++) {
		const char *text = *text_field(&source, i);

		r = run_set_text(text_field(to, i), text ? text : "");
	}
	return r;
}

static void row_clear(struct store_run *row)
{
	(void)run_set_text(&row->name, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(text_fields); i++)
		(void)run_set_text(text_field(row, i), NULL);
}

struct run *run_free(struct run *run)
{
	if (!run)
		return NULL;
	source_stop(run);
	if (run->row.id)
		map_remove(&run->scheduler->runs, run->row.id);
	for (size_t i = 0; i < run->n_steps; i++) {
		struct step *step = &run->steps[i];

		queue_remove(&step->item);
		images_stop(step);
		if (step->order && map_get(&run->scheduler->orders, step->order) == step) {
			map_remove(&run->scheduler->orders, step->order);
			queue_finished(&run->project->queue);
		}
		free(step->instance);
	}
	images_run_clear(run);
	free(run->steps);
	free(run->dependants_start);
	free(run->dependants);
	(void)runbook_free(run->runbook);
	row_clear(&run->row);
	if (run->upload_fd >= 0)
		(void)close(run->upload_fd);
	free(run);
	return NULL;
}

static struct run *run_alloc(struct scheduler *scheduler, const struct store_run *row)
{
	struct run *run = calloc(1, sizeof(*run));

	if (!run)
		return NULL;
	run->scheduler = scheduler;
	run->upload_fd = -1;
	run->project = project_get(scheduler, row->project);
	if (!run->project || row_copy(&run->row, row) < 0 ||
	    (run->row.id && map_put(&scheduler->runs, run->row.id, run) < 0))
		return run_free(run);
	if (run->row.source == RUN_SOURCE_UPLOAD && !run->project->upload) {
		run->project->upload = true;
		project_update(run->project);
	}
	return run;
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
	run = run_alloc(scheduler, &made);
	if (!run)
		return NULL;
	run->upload_fd = TAKE_FD(fd);
	scheduler->run_counts[RUN_STATE_PENDING]++;
	event.run = made.id;
	event.reason = "";
	event.at_usec = made.created_usec;
	event_push(scheduler, &event);
	if (!made.runbook || made.source == RUN_SOURCE_FETCH)
		source_start(run);
	else
		run_freeze_again(run); /* a retry whose tree is where it was */
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

/* ---- the end ---- */

static const struct step *run_first(const struct run *run, enum step_state state)
{
	for (size_t i = 0; i < run->n_steps; i++) {
		if (run->steps[i].state == state)
			return &run->steps[i];
	}
	return NULL;
}

void run_settle(struct run *run)
{
	static const struct {
		enum step_state step;
		enum run_state run;
	} rules[] = {
		/* the user's own failure says most, then ours, then what was cut short */
		{STEP_STATE_FAILED, RUN_STATE_FAILED},
		{STEP_STATE_ERRORED, RUN_STATE_ERRORED},
		{STEP_STATE_CANCELLED, RUN_STATE_CANCELLED},
	};
	char reason[REASON_MAX + 1];

	if (run->n_steps == 0 || run->n_final < run->n_steps || run_state_final(run->row.state))
		return;
	if (run->row.cancelling && run_first(run, STEP_STATE_CANCELLED)) {
		state_run_set(run, RUN_STATE_CANCELLED, "cancelled");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		const struct step *step = run_first(run, rules[i].step);

		if (!step)
			continue;
		(void)snprintf(reason, sizeof(reason), "step \"%s\" %s%s",
			       run->runbook->steps[step->index].name,
			       step->state == STEP_STATE_CANCELLED ? "was " : "",
			       step_state_name(step->state));
		state_run_set(run, rules[i].run, reason);
		return;
	}
	state_run_set(run, RUN_STATE_SUCCEEDED, "");
}

size_t run_cancel(struct run *run)
{
	size_t n = 0;

	if (run_state_final(run->row.state))
		return 0;
	if (run->n_steps == 0) {
		source_stop(run);
		state_run_set(run, RUN_STATE_CANCELLED, "cancelled");
		return 0;
	}
	run->row.cancelling = true;
	store_run_set_cancelling(run->scheduler->store, run->row.id, true);
	for (size_t i = 0; i < run->n_steps; i++) {
		struct step *step = &run->steps[i];

		if (step->state == STEP_STATE_RUNNING) {
			n += step_cancel(step);
		} else if (!step_state_final(step->state)) {
			state_step_set(step, STEP_STATE_CANCELLED, "cancelled");
			n++;
		}
	}
	run_settle(run);
	return n;
}

/* ---- from the store ---- */

struct run_loading {
	struct scheduler *scheduler;
	struct run *run;
	size_t n_rows;
	bool apply; /* second pass: the steps are there */
	int failed;
};

static void load_row(const struct store_run *row, void *userdata)
{
	struct run_loading *loading = userdata;

	loading->run = run_alloc(loading->scheduler, row);
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
		queue_running(&run->project->queue);
}

static void load_missing(struct run *run)
{
	for (size_t i = 0; i < run->n_steps; i++) {
		const struct runbook_step *text = &run->runbook->steps[i];

		run->steps[i].n_missing = 0;
		for (size_t j = 0; j < text->n_depends_on; j++)
			run->steps[i].n_missing +=
				run->steps[text->depends_on[j]].state != STEP_STATE_SUCCEEDED;
	}
}

static void load_image(const char *name, const char *id, void *userdata)
{
	struct run_loading *loading = userdata;

	if (image_id_valid(id) && images_run_fix(loading->run, name, id) < 0)
		loading->failed = -ENOMEM;
}

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
	r = run_thaw(run, error);
	if (r < 0)
		return r;
	loading->apply = true;
	r = store_steps_each(store, run->row.id, load_step, loading);
	if (r == 0)
		r = loading->failed;
	if (r < 0)
		return error_errno(error, -r, "steps");
	load_missing(run);
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

/* Its steps, if it has any, wait in the queue already or run; a tree may be missing. */
static void run_resume(struct run *run)
{
	if (run->n_steps) {
		run_settle(run);
		return;
	}
	if (run->row.source == RUN_SOURCE_UPLOAD)
		state_run_set(run, RUN_STATE_ERRORED,
			      "the upload was interrupted by a restart: send it again");
	else
		source_start(run);
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

/* Back into the lines, in the order in which they stood there. */
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
	for (size_t i = 0; i < n; i++) {
		if (images_ready(ready[i]))
			queue_push(&ready[i]->run->project->queue, &ready[i]->item);
	}
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
		r = store_runs_open_each(scheduler->store, collect_id, &open);
	if (r == 0 && open.failed)
		r = -ENOMEM;
	for (size_t i = 0; r == 0 && i < open.n; i++) {
		struct error why = ERROR_INIT;

		if (!run_load(scheduler, open.ids[i], &why))
			run_give_up(scheduler, open.ids[i], &why);
	}
	if (r == 0)
		r = queue_resume(scheduler);
	for (size_t i = 0; r == 0 && i < open.n; i++) {
		struct run *run = map_get(&scheduler->runs, open.ids[i]);

		if (run && !run_state_final(run->row.state))
			run_resume(run);
	}
	if (open.n)
		log_info("%zu unfinished runs, %" PRIu64 " steps wait, %" PRIu64 " were running",
			 open.n, scheduler->queue.n_waiting, scheduler->queue.running);
	free(open.ids);
	return r < 0 ? error_errno(error, -r, "cannot load the unfinished runs") : 0;
}
