/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the api asks, as one table of verbs. An answer is JSON in a sealed
 * memfd, or a status and a sentence. Answers leave with the outbox: nobody is
 * told of what could still be lost.
 */
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/names.h"
#include "scheduler/json.h"
#include "scheduler/requests.h"
#include "scheduler/run.h"
#include "scheduler/trigger.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_DEFAULT 50
#define QUEUE_SHOWN_MAX 1000

struct request {
	struct scheduler *scheduler;
	uint64_t serial;
	uint64_t verb;
	const char *project;
	uint64_t run;
	const char *step, *ref, *commit;
	uint64_t after, limit;
	int fd; /* -1: none; owned by the request */
};

/* ---- replies ---- */

static void reply_error(const struct request *request, unsigned status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void reply_error(const struct request *request, unsigned status, const char *format, ...)
{
	struct message *message = message_new(MESSAGE_API_ANSWER, request->serial);
	char text[REASON_MAX + 1];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (message) {
		message_put_u64(message, status);
		message_put_string(message, text);
	}
	outbox_put(&request->scheduler->api, message);
}

/* Takes @json over. */
static void reply_json(const struct request *request, unsigned status, json_t *json)
{
	cleanup_free char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	cleanup_close int fd = -1;
	struct message *message;

	json_decref(json);
	if (text)
		fd = memfd_sealed("runbook-answer", text, strlen(text));
	if (fd < 0) {
		reply_error(request, 503, "not enough memory for the answer: try again");
		return;
	}
	message = message_new(MESSAGE_API_ANSWER, request->serial);
	if (message) {
		message_put_u64(message, status);
		message_put_fd(message, fd);
	}
	outbox_put(&request->scheduler->api, message);
}

static void reply_store_error(const struct request *request, int r)
{
	log_error("the store cannot be read: %s", strerror(-r));
	reply_error(request, 500, "the store cannot be read: see the log of runbook-scheduler");
}

static void reply_trigger(const struct request *request, const struct trigger_answer *answer)
{
	if (answer->run)
		reply_json(request, answer->status,
			   json_pack("{s:I}", "run", (json_int_t)answer->run));
	else
		reply_error(request, answer->status, "%s", answer->reason);
}

static void reply_no_run(const struct request *request)
{
	reply_error(request, 404, "run %" PRIu64 " does not exist: `runbookctl runs` lists them",
		    request->run);
}

static uint64_t page_limit(const struct request *request)
{
	if (request->limit == 0)
		return PAGE_DEFAULT;
	return request->limit < API_PAGE_MAX ? request->limit : API_PAGE_MAX;
}

/* ---- status and projects ---- */

static void answer_status(const struct request *request)
{
	const struct scheduler *scheduler = request->scheduler;
	json_t *runs = json_object();

	for (unsigned i = 0; i < RUN_STATE_NUM; i++)
		(void)json_object_set_new(runs, run_state_name((enum run_state)i),
					  json_integer((json_int_t)scheduler->run_counts[i]));
	reply_json(request, 200,
		   json_pack("{s:s, s:s, s:I, s:o, s:{s:I, s:I}, s:I, s:I}", "version",
			     RUNBOOK_VERSION, "instance", scheduler->config.instance,
			     "started_usec", (json_int_t)scheduler->started_usec, "runs", runs,
			     "steps", "running", (json_int_t)scheduler->queue.running, "ready",
			     (json_int_t)scheduler->queue.n_waiting, "limit",
			     (json_int_t)scheduler->queue.limit, "projects",
			     (json_int_t)scheduler->n_projects));
}

struct run_holder {
	const char *url;
	json_t *run;
};

static void hold_run(const struct store_run *row, void *userdata)
{
	struct run_holder *holder = userdata;

	holder->run = json_run(row, holder->url);
}

static json_t *project_json(const struct project *project)
{
	struct scheduler *scheduler = project->scheduler;
	struct run_holder last = {.url = scheduler->config.url};

	(void)store_runs_each(scheduler->store, project->name, 0, 1, hold_run, &last);
	return json_pack("{s:s, s:o, s:I, s:I, s:b, s:b, s:I, s:o}", "name", project->name,
			 "repository", json_text(project->repository), "max_running",
			 (json_int_t)project->max_running, "weight", (json_int_t)project->weight,
			 "paused", project->paused, "workspace", project->workspace, "running",
			 (json_int_t)project->queue.running, "last_run",
			 last.run ? last.run : json_null());
}

static bool project_shown(const struct project *project)
{
	return project->configured || project->upload;
}

static int compare_projects(const void *left, const void *right)
{
	const struct project *const *a = left, *const *b = right;

	return strcmp((*a)->name, (*b)->name);
}

static void answer_projects(const struct request *request)
{
	struct scheduler *scheduler = request->scheduler;
	cleanup_free const struct project **list = NULL;
	struct project *project = NULL;
	size_t bucket = 0, n = 0, i = 0;
	json_t *projects;

	while ((project = project_next(scheduler, &bucket, project)))
		n += project_shown(project);
	list = calloc(n + 1, sizeof(*list));
	if (!list) {
		reply_error(request, 503, "not enough memory: try again");
		return;
	}
	bucket = 0;
	while ((project = project_next(scheduler, &bucket, project))) {
		if (project_shown(project))
			list[i++] = project;
	}
	qsort(list, n, sizeof(*list), compare_projects);
	projects = json_array();
	for (i = 0; i < n; i++)
		(void)json_array_append_new(projects, project_json(list[i]));
	reply_json(request, 200, json_pack("{s:o}", "projects", projects));
}

/* NULL after an answer that says why. */
static struct project *request_project(const struct request *request)
{
	struct project *project = project_find(request->scheduler, request->project);

	if (project && project_shown(project))
		return project;
	reply_error(request, 404,
		    "project does not exist: `runbookctl project ls` lists them, `runbookctl "
		    "project add` makes one");
	return NULL;
}

static void answer_project(const struct request *request)
{
	const struct project *project = request_project(request);

	if (project)
		reply_json(request, 200, project_json(project));
}

static void project_pause(const struct request *request, bool paused)
{
	struct project *project = request_project(request);

	if (!project)
		return;
	if (project->paused != paused) {
		project->paused = paused;
		store_pause(request->scheduler->store, project->name, paused, wall_usec());
		project_update(project);
		log_notice("project %s is %s", project->name, paused ? "paused" : "not paused");
	}
	reply_json(request, 200, project_json(project));
}

static void answer_project_pause(const struct request *request)
{
	project_pause(request, true);
}

static void answer_project_unpause(const struct request *request)
{
	project_pause(request, false);
}

/* ---- pages ---- */

struct page {
	const char *url;
	json_t *items;
	uint64_t n, limit;
	uint64_t last; /* id of the last one shown */
};

static void page_run(const struct store_run *row, void *userdata)
{
	struct page *page = userdata;

	if (page->n++ >= page->limit)
		return;
	page->last = row->id;
	(void)json_array_append_new(page->items, json_run(row, page->url));
}

static void page_event(const struct store_event *row, void *userdata)
{
	struct page *page = userdata;

	if (page->n++ >= page->limit)
		return;
	page->last = row->id;
	(void)json_array_append_new(page->items, json_event(row));
}

static void page_reply(const struct request *request, const struct page *page, const char *key,
		       int r)
{
	if (r < 0) {
		json_decref(page->items);
		reply_store_error(request, r);
		return;
	}
	/* one more than the limit was read, to know whether there is a next page */
	reply_json(request, 200,
		   json_pack("{s:o, s:o}", key, page->items, "next",
			     json_number_or_null(page->n > page->limit ? page->last : 0)));
}

static void answer_runs(const struct request *request)
{
	struct page page = {.url = request->scheduler->config.url,
			    .items = json_array(),
			    .limit = page_limit(request)};
	int r;

	r = store_runs_each(request->scheduler->store,
			    request->project[0] ? request->project : NULL, request->after,
			    page.limit + 1, page_run, &page);
	page_reply(request, &page, "runs", r);
}

static void answer_events(const struct request *request)
{
	struct page page = {.items = json_array(), .limit = page_limit(request)};
	int r;

	r = store_events_each(request->scheduler->store, request->run, request->after,
			      page.limit + 1, page_event, &page);
	page_reply(request, &page, "events", r);
}

/* ---- one run ---- */

struct run_view {
	const struct run *live; /* NULL when it is final */
	const char *url;
	json_t *run, *steps;
};

static void view_run(const struct store_run *row, void *userdata)
{
	struct run_view *view = userdata;

	view->run = json_run(row, view->url);
}

static void view_step(const struct store_step *row, const struct store_attempt *attempt,
		      void *userdata)
{
	struct run_view *view = userdata;
	struct store_step step = *row;
	char reason[REASON_MAX + 1];

	if (view->live && row->index < view->live->n_steps && !step_state_final(row->state) &&
	    row->state != STEP_STATE_RUNNING) {
		step_wait_reason(&view->live->steps[row->index], reason, sizeof(reason));
		step.reason = reason;
	}
	(void)json_array_append_new(view->steps, json_step(&step, attempt));
}

static void view_dependency(uint64_t step, uint64_t depends_on, void *userdata)
{
	struct run_view *view = userdata;
	json_t *name = json_object_get(json_array_get(view->steps, (size_t)depends_on), "name");
	json_t *list = json_object_get(json_array_get(view->steps, (size_t)step), "depends_on");

	if (name && list)
		(void)json_array_append(list, name);
}

static void view_attempt(const struct store_attempt *row, void *userdata)
{
	struct run_view *view = userdata;
	json_t *list = json_object_get(json_array_get(view->steps, (size_t)row->step), "attempts");

	if (list)
		(void)json_array_append_new(list, json_attempt(row));
}

static void answer_run(const struct request *request)
{
	struct scheduler *scheduler = request->scheduler;
	struct run_view view = {.live = map_get(&scheduler->runs, request->run),
				.url = scheduler->config.url};
	int r;

	r = store_run_get(scheduler->store, request->run, view_run, &view);
	if (r == 0) {
		reply_no_run(request);
		return;
	}
	view.steps = json_array();
	if (r > 0)
		r = store_steps_each(scheduler->store, request->run, view_step, &view);
	if (r == 0)
		r = store_dependencies_each(scheduler->store, request->run, view_dependency, &view);
	if (r == 0)
		r = store_attempts_each(scheduler->store, request->run, view_attempt, &view);
	if (r < 0) {
		json_decref(view.run);
		json_decref(view.steps);
		reply_store_error(request, r);
		return;
	}
	(void)json_object_set_new(view.run, "steps", view.steps);
	reply_json(request, 200, view.run);
}

static void note_runbook(const struct store_run *row, void *userdata)
{
	*(uint64_t *)userdata = row->runbook;
}

static void answer_runbook(const struct request *request)
{
	struct store *store = request->scheduler->store;
	cleanup_free char *text = NULL;
	uint64_t runbook = 0;
	size_t size = 0;
	int r;

	r = store_run_get(store, request->run, note_runbook, &runbook);
	if (r == 0) {
		reply_no_run(request);
		return;
	}
	if (r > 0 && !runbook) {
		reply_error(request, 404, "run %" PRIu64 " has no runbook: its reason says why",
			    request->run);
		return;
	}
	if (r > 0)
		r = store_runbook_get(store, runbook, &text, &size);
	if (r < 0) {
		reply_store_error(request, r);
		return;
	}
	/* a NUL in a file that was refused ends what is shown of it */
	reply_json(request, 200,
		   json_pack("{s:s, s:o}", "file", "runbook.yml", "runbook", json_text(text)));
}

/* ---- queue ---- */

static void queue_item_view(const struct queue_item *item, uint64_t position, void *userdata)
{
	const struct step *step = container_of(item, struct step, item);
	const struct runbook_step *text = &step->run->runbook->steps[step->index];
	char reason[REASON_MAX + 1];

	step_wait_reason(step, reason, sizeof(reason));
	(void)json_array_append_new(userdata,
				    json_pack("{s:I, s:s, s:s, s:o, s:I, s:o, s:I}", "run",
					      (json_int_t)step->run->row.id, "project",
					      step->run->project->name, "step", text->slug, "name",
					      json_text(text->name), "position",
					      (json_int_t)position, "reason", json_text(reason),
					      "since_usec", (json_int_t)step->ready_usec));
}

static void answer_queue(const struct request *request)
{
	const struct queue *queue = &request->scheduler->queue;
	json_t *waiting = json_array();
	uint64_t limit = request->limit && request->limit < QUEUE_SHOWN_MAX ? request->limit
									    : QUEUE_SHOWN_MAX;

	if (!waiting || queue_walk(queue, limit, queue_item_view, waiting) < 0) {
		json_decref(waiting);
		reply_error(request, 503, "not enough memory: try again");
		return;
	}
	reply_json(request, 200,
		   json_pack("{s:o, s:I, s:I, s:I}", "waiting", waiting, "total",
			     (json_int_t)queue->n_waiting, "running", (json_int_t)queue->running,
			     "limit", (json_int_t)queue->limit));
}

/* ---- changes ---- */

static void answer_run_trigger(const struct request *request)
{
	struct trigger_answer answer = {.status = 503};

	trigger_manual(request->scheduler, request->project, request->ref, request->commit,
		       &answer);
	reply_trigger(request, &answer);
}

static void answer_run_upload(const struct request *request)
{
	struct trigger_answer answer = {.status = 503};
	int fd = request->fd < 0 ? -1 : fcntl(request->fd, F_DUPFD_CLOEXEC, 0);

	trigger_upload(request->scheduler, request->project, request->ref, request->commit, fd,
		       &answer);
	reply_trigger(request, &answer);
}

/* The step that people call @name: its slug or its name. */
static struct step *run_step(const struct run *run, const char *name)
{
	for (size_t i = 0; i < run->n_steps; i++) {
		if (strcmp(run->runbook->steps[i].slug, name) == 0)
			return &run->steps[i];
	}
	for (size_t i = 0; i < run->n_steps; i++) {
		if (strcmp(run->runbook->steps[i].name, name) == 0)
			return &run->steps[i];
	}
	return NULL;
}

static void note_state(const struct store_run *row, void *userdata)
{
	*(enum run_state *)userdata = row->state;
}

static void reply_no_step(const struct request *request)
{
	reply_error(request, 404,
		    "run %" PRIu64 " has no step of this name: `runbookctl show %" PRIu64
		    "` lists them",
		    request->run, request->run);
}

static void answer_run_cancel(const struct request *request)
{
	struct run *run = map_get(&request->scheduler->runs, request->run);
	enum run_state state = RUN_STATE_NUM;
	struct step *step = NULL;
	size_t n;

	if (!run || run_state_final(run->row.state)) {
		if (store_run_get(request->scheduler->store, request->run, note_state, &state) < 1)
			reply_no_run(request);
		else
			reply_error(request, 409, "run %" PRIu64 " is %s already", request->run,
				    run_state_name(state));
		return;
	}
	if (request->step[0]) {
		step = run_step(run, request->step);
		if (!step) {
			reply_no_step(request);
			return;
		}
		if (step_state_final(step->state)) {
			reply_error(request, 409, "the step is %s already",
				    step_state_name(step->state));
			return;
		}
	}
	n = step ? step_cancel(step) : run_cancel(run);
	reply_json(request, 202,
		   json_pack("{s:I, s:I}", "run", (json_int_t)request->run, "cancelled",
			     (json_int_t)n));
}

static void retry_step(const struct request *request)
{
	struct scheduler *scheduler = request->scheduler;
	struct run *run = map_get(&scheduler->runs, request->run);
	struct error error = ERROR_INIT;
	struct step *step;

	if (!run)
		run = run_load(scheduler, request->run, &error);
	if (!run) {
		if (error.number == ENOENT)
			reply_no_run(request);
		else
			reply_error(request, 409, "%s: retry the whole run", error.text);
		return;
	}
	turn_schedule(scheduler);
	run_forget_later(run); /* in case it stays final */
	step = run_step(run, request->step);
	if (!step)
		reply_no_step(request);
	else if (step_retry(step, &error) < 0)
		reply_error(request, 409, "%s", error.text);
	else
		reply_json(request, 202, json_pack("{s:I}", "run", (json_int_t)request->run));
}

static void answer_run_retry(const struct request *request)
{
	struct trigger_answer answer = {.status = 503};

	if (request->step[0]) {
		retry_step(request);
		return;
	}
	trigger_retry(request->scheduler, request->run, &answer);
	reply_trigger(request, &answer);
}

/* ---- the table ---- */

#define NEEDS_PROJECT 1u
#define NEEDS_RUN 2u

static const struct verb {
	const char *name;
	unsigned needs;
	void (*answer)(const struct request *request);
} verbs[] = {
	[API_STATUS] = {"status", 0, answer_status},
	[API_PROJECTS] = {"projects", 0, answer_projects},
	[API_PROJECT] = {"project", NEEDS_PROJECT, answer_project},
	[API_RUNS] = {"runs", 0, answer_runs},
	[API_RUN] = {"run", NEEDS_RUN, answer_run},
	[API_EVENTS] = {"events", 0, answer_events},
	[API_QUEUE] = {"queue", 0, answer_queue},
	[API_RUNBOOK] = {"runbook", NEEDS_RUN, answer_runbook},
	[API_RUN_TRIGGER] = {"trigger", NEEDS_PROJECT, answer_run_trigger},
	[API_RUN_UPLOAD] = {"upload", 0, answer_run_upload},
	[API_RUN_CANCEL] = {"cancel", NEEDS_RUN, answer_run_cancel},
	[API_RUN_RETRY] = {"retry", NEEDS_RUN, answer_run_retry},
	[API_PROJECT_PAUSE] = {"pause", NEEDS_PROJECT, answer_project_pause},
	[API_PROJECT_UNPAUSE] = {"unpause", NEEDS_PROJECT, answer_project_unpause},
};
static_assert(ARRAY_SIZE(verbs) == API_NUM_VERBS, "a verb without its answer");

static void request_serve(const struct request *request)
{
	const struct verb *verb = &verbs[request->verb];

	if (request->project[0] && !project_name_valid(request->project))
		reply_error(request, 400, "%s: not a valid project name ([a-z0-9][a-z0-9._-]*)",
			    verb->name);
	else if ((verb->needs & NEEDS_PROJECT) && !request->project[0])
		reply_error(request, 400, "%s: name a project", verb->name);
	else if ((verb->needs & NEEDS_RUN) && (!request->run || request->run > INT64_MAX))
		reply_error(request, 404, "%s: name a run by its number", verb->name);
	else
		verb->answer(request);
}

int answers_handle(struct channel *channel, struct message *message)
{
	struct peer *peer = channel->userdata;
	struct request request = {.scheduler = peer->scheduler, .serial = message->serial};
	cleanup_close int fd = -1;
	int r;

	request.verb = message_get_u64(message);
	request.project = message_get_string(message, 4096);
	request.run = message_get_u64(message);
	request.step = message_get_string(message, 4096);
	request.ref = message_get_string(message, 4096);
	request.commit = message_get_string(message, 4096);
	request.after = message_get_u64(message);
	request.limit = message_get_u64(message);
	if (request.verb == API_RUN_UPLOAD && message->n_fds)
		fd = message_get_fd(message);
	request.fd = fd;
	r = message_end(message);
	if (r < 0)
		return r;
	if (request.verb >= API_NUM_VERBS)
		reply_error(&request, 501, "this scheduler does not know that request");
	else
		request_serve(&request);
	return 0;
}
