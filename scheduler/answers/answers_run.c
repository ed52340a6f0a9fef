/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replies about one run: its steps with dependencies and attempts, its runbook. The store returns
 * each kind of row in the order of steps. Each kind is first written as a list of fragments, which
 * are then merged step by step.
 */
#include "common/cleanup.h"
#include "scheduler/answers/answers.h"
#include "scheduler/engine/concurrency.h"
#include "scheduler/engine/source_retry.h"
#include "scheduler/engine/wait_reason.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

void answer_run_open(struct json *json, const char *key, const struct scheduler *scheduler,
		     const struct store_run *row)
{
	const struct run *live = map_get(&scheduler->runs, row->id);
	struct store_run shown = *row;
	char reason[REASON_MAX + 1];

	if (live && live->row.held) {
		concurrency_reason(live, reason, sizeof(reason));
		shown.reason = reason;
	} else if (live && live->wait) {
		source_retry_reason(live, reason, sizeof(reason));
		shown.reason = reason;
	}
	json_run_open(json, key, &shown, scheduler->config.url);
	source_retry_json(json, live);
}

/* Fragments of JSON in one buffer, in the order of steps. */
struct fragments {
	struct json json;
	size_t *ends; /* ends[i]: end of the fragment of step i; 0 if it has none */
	size_t taken; /* where the next fragment starts, while they are merged */
};

struct run_view {
	const struct run *live; /* NULL when the run is final */
	const struct scheduler *scheduler;
	struct json json;
	size_t n_steps;
	struct fragments names, dependencies, attempts;
};

static void fragments_clear(struct fragments *fragments)
{
	json_clear(&fragments->json);
	free(fragments->ends);
}

/* The buffer, ready for another piece of the fragment of @step. */
static struct json *fragment_start(struct fragments *fragments, uint64_t step)
{
	fragments->json.comma = fragments->ends[step] != 0;
	return &fragments->json;
}

static void fragment_end(struct fragments *fragments, uint64_t step)
{
	fragments->ends[step] = fragments->json.length;
}

static void fragment_place(struct json *json, const char *key, struct fragments *fragments,
			   uint64_t step)
{
	size_t end = fragments->ends[step];

	json_open(json, key, '[');
	if (end && !fragments->json.failed) {
		json_raw(json, NULL, fragments->json.text + fragments->taken,
			 end - fragments->taken);
		fragments->taken = end;
	}
	json_close(json, ']');
}

static void view_run(const struct store_run *row, void *userdata)
{
	struct run_view *view = userdata;

	answer_run_open(&view->json, NULL, view->scheduler, row);
}

static void view_count(const struct store_step *row, const struct store_attempt *attempt,
		       void *userdata)
{
	((struct run_view *)userdata)->n_steps++;
}

static void view_name(const struct store_step *row, const struct store_attempt *attempt,
		      void *userdata)
{
	struct run_view *view = userdata;

	if (row->index >= view->n_steps)
		return;
	json_text(fragment_start(&view->names, row->index), NULL, row->name);
	fragment_end(&view->names, row->index);
}

static void view_dependency(uint64_t step, uint64_t depends_on, void *userdata)
{
	struct run_view *view = userdata;
	const size_t *ends = view->names.ends;
	size_t start;

	if (step >= view->n_steps || depends_on >= view->n_steps || view->names.json.failed)
		return;
	start = depends_on ? ends[depends_on - 1] : 0;
	json_raw(fragment_start(&view->dependencies, step), NULL, view->names.json.text + start,
		 ends[depends_on] - start);
	fragment_end(&view->dependencies, step);
}

static void view_attempt(const struct store_attempt *row, void *userdata)
{
	struct run_view *view = userdata;

	if (row->step >= view->n_steps)
		return;
	json_attempt(fragment_start(&view->attempts, row->step), row);
	fragment_end(&view->attempts, row->step);
}

static void view_step(const struct store_step *row, const struct store_attempt *attempt,
		      void *userdata)
{
	struct run_view *view = userdata;
	struct store_step step = *row;
	char reason[REASON_MAX + 1];
	const char *wait = NULL;

	if (row->index >= view->n_steps)
		return;
	if (view->live && row->index < view->live->n_steps &&
	    (row->state == STEP_STATE_PENDING || row->state == STEP_STATE_READY)) {
		wait = step_wait_reason(&view->live->steps[row->index], reason, sizeof(reason));
		step.reason = reason;
	}
	json_step_open(&view->json, &step, attempt);
	json_text(&view->json, "wait", wait);
	fragment_place(&view->json, "depends_on", &view->dependencies, row->index);
	fragment_place(&view->json, "attempts", &view->attempts, row->index);
	json_close(&view->json, '}');
}

static int view_read(struct store *store, uint64_t run, struct run_view *view)
{
	struct fragments *all[] = {&view->names, &view->dependencies, &view->attempts};
	int r;

	r = store_steps_each(store, run, view_count, view);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		all[i]->ends = calloc(view->n_steps + 1, sizeof(size_t));
		if (!all[i]->ends)
			return -ENOMEM;
	}
	if (r == 0)
		r = store_steps_each(store, run, view_name, view);
	if (r == 0)
		r = store_dependencies_each(store, run, view_dependency, view);
	if (r == 0)
		r = store_attempts_each(store, run, view_attempt, view);
	json_open(&view->json, "steps", '[');
	if (r == 0)
		r = store_steps_each(store, run, view_step, view);
	json_close(&view->json, ']');
	json_close(&view->json, '}');
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		view->json.failed |= all[i]->json.failed;
	return r;
}

void answer_run(const struct request *request)
{
	struct scheduler *scheduler = request->scheduler;
	struct run_view view = {
		.live = map_get(&scheduler->runs, request->ask.run),
		.scheduler = scheduler,
	};
	int r;

	r = store_run_get(scheduler->store, request->ask.run, view_run, &view);
	if (r == 0) {
		reply_no_run(request);
		return;
	}
	if (r > 0)
		r = view_read(scheduler->store, request->ask.run, &view);
	if (r < 0)
		reply_store_error(request, r);
	else
		reply_json(request, 200, &view.json);
	json_clear(&view.json);
	fragments_clear(&view.names);
	fragments_clear(&view.dependencies);
	fragments_clear(&view.attempts);
}

static void note_runbook(const struct store_run *row, void *userdata)
{
	*(uint64_t *)userdata = row->runbook;
}

void answer_runbook(const struct request *request)
{
	struct store *store = request->scheduler->store;
	cleanup_json struct json json = {0};
	cleanup_free char *text = NULL;
	uint64_t runbook = 0;
	size_t size = 0;
	int r;

	r = store_run_get(store, request->ask.run, note_runbook, &runbook);
	if (r == 0) {
		reply_no_run(request);
		return;
	}
	if (r > 0 && !runbook) {
		reply_error(request, 404, "run %" PRIu64 " has no runbook: its reason says why",
			    request->ask.run);
		return;
	}
	if (r > 0)
		r = store_runbook_get(store, runbook, &text, &size);
	if (r < 0) {
		reply_store_error(request, r);
		return;
	}
	json_open(&json, NULL, '{');
	json_text(&json, "file", "runbook.yml");
	/* a NUL in a refused file ends the text that is shown */
	json_text(&json, "runbook", text);
	json_close(&json, '}');
	reply_json(request, 200, &json);
}
