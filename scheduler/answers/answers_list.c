/* SPDX-License-Identifier: Apache-2.0 */
/* Replies about more than one run: status, projects, pages of runs and events, the queue. */
#include "common/cleanup.h"
#include "common/log.h"
#include "scheduler/answers/answers.h"
#include "scheduler/engine/admission.h"
#include "scheduler/engine/concurrency.h"
#include "scheduler/engine/schedule.h"
#include "scheduler/engine/source_retry.h"
#include "scheduler/engine/wait_reason.h"
#include "scheduler/model/image_wait.h"
#include "scheduler/model/project.h"
#include "scheduler/model/run_row.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_DEFAULT 50
#define QUEUE_SHOWN_MAX 1000

void answer_status(const struct request *request)
{
	const struct scheduler *scheduler = request->scheduler;
	cleanup_json struct json json = {0};

	json_open(&json, NULL, '{');
	json_text(&json, "version", RUNBOOK_VERSION);
	json_text(&json, "instance", executor_home(scheduler)->config.instance);
	json_number(&json, "started_usec", scheduler->started_usec);
	json_open(&json, "runs", '{');
	for (unsigned i = 0; i < RUN_STATE_NUM; i++)
		json_number(&json, run_state_name((enum run_state)i), scheduler->run_counts[i]);
	json_close(&json, '}');
	json_open(&json, "steps", '{');
	json_number(&json, "running", scheduler->queue.running);
	json_number(&json, "ready", scheduler->queue.n_waiting);
	json_close(&json, '}');
	json_number(&json, "limit", queue_places(&scheduler->queue));
	json_number(&json, "projects", scheduler->n_projects);
	json_close(&json, '}');
	reply_json(request, 200, &json);
}

/* ---- projects ---- */

struct last_run {
	const struct scheduler *scheduler;
	struct json *json;
	bool found;
};

static void write_last_run(const struct store_run *row, void *userdata)
{
	struct last_run *last = userdata;

	answer_run_open(last->json, "last_run", last->scheduler, row);
	json_close(last->json, '}');
	last->found = true;
}

static void write_schedules(struct json *json, const struct project *project)
{
	json_open(json, "schedules", '[');
	for (const struct schedule *schedule = project->schedules; schedule;
	     schedule = schedule->next) {
		json_open(json, NULL, '{');
		json_text(json, "cron", schedule->text);
		json_text(json, "timezone", *schedule->timezone ? schedule->timezone : "UTC");
		json_text(json, "branch",
			  *schedule->branch	    ? ref_branch(schedule->branch)
			  : project->default_branch ? ref_branch(project->default_branch)
						    : NULL);
		json_number_or_null(json, "next_usec", schedule->next_usec);
		json_text(json, "problem", schedule->problem);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void write_project(struct json *json, const struct project *project)
{
	struct scheduler *scheduler = project->scheduler;
	struct last_run last = {.scheduler = scheduler, .json = json};

	json_open(json, NULL, '{');
	json_text(json, "name", project->name);
	json_text(json, "repository", project->repository);
	json_number(json, "max_running", project->max_running);
	json_number(json, "weight", project->weight);
	json_bool(json, "paused", project->paused);
	json_bool(json, "workspace", project->workspace);
	json_number(json, "running", project->queue.running);
	json_number(json, "waiting", project->queue.n_waiting);
	json_text(json, "default_branch",
		  project->default_branch ? ref_branch(project->default_branch) : NULL);
	write_schedules(json, project);
	(void)store_run_last(scheduler->store, project->name, write_last_run, &last);
	if (!last.found)
		json_text(json, "last_run", NULL);
	json_close(json, '}');
}

static void reply_project(const struct request *request, const struct project *project)
{
	cleanup_json struct json json = {0};

	write_project(&json, project);
	reply_json(request, 200, &json);
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

void answer_projects(const struct request *request)
{
	struct scheduler *scheduler = request->scheduler;
	cleanup_free const struct project **list = NULL;
	cleanup_json struct json json = {0};
	struct project *project = NULL;
	size_t bucket = 0, n = 0, i = 0;

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
	json_open(&json, NULL, '{');
	json_open(&json, "projects", '[');
	for (i = 0; i < n; i++)
		write_project(&json, list[i]);
	json_close(&json, ']');
	json_close(&json, '}');
	reply_json(request, 200, &json);
}

/* The project of the request. Return: NULL after an error reply. */
static struct project *request_project(const struct request *request)
{
	struct project *project = project_find(request->scheduler, request->ask.project);

	if (project && project_shown(project))
		return project;
	reply_error(request, 404,
		    "project %s does not exist: `runbookctl project ls` lists them, `runbookctl "
		    "project add` makes one",
		    request->ask.project);
	return NULL;
}

void answer_project(const struct request *request)
{
	const struct project *project = request_project(request);

	if (project)
		reply_project(request, project);
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
	reply_project(request, project);
}

void answer_project_pause(const struct request *request)
{
	project_pause(request, true);
}

void answer_project_unpause(const struct request *request)
{
	project_pause(request, false);
}

/* ---- pages ---- */

struct page {
	const struct scheduler *scheduler;
	struct json json;
	uint64_t n, limit;
	uint64_t last; /* id of the last row in the page */
};

static void page_start(const struct request *request, struct page *page, const char *key)
{
	*page = (struct page){
		.scheduler = request->scheduler,
		.limit = request->ask.page.limit ? request->ask.page.limit : PAGE_DEFAULT,
	};
	if (page->limit > API_PAGE_MAX)
		page->limit = API_PAGE_MAX;
	json_open(&page->json, NULL, '{');
	json_open(&page->json, key, '[');
}

static void page_run(const struct store_run *row, void *userdata)
{
	struct page *page = userdata;

	if (page->n++ >= page->limit)
		return;
	page->last = row->id;
	answer_run_open(&page->json, NULL, page->scheduler, row);
	json_close(&page->json, '}');
}

static void page_event(const struct store_event *row, void *userdata)
{
	struct page *page = userdata;

	if (page->n++ >= page->limit)
		return;
	page->last = row->id;
	json_event(&page->json, row);
}

static void page_reply(const struct request *request, struct page *page, int r)
{
	json_close(&page->json, ']');
	/* one row more than the limit was read, to find out whether there is a next page */
	json_number_or_null(&page->json, "next", page->n > page->limit ? page->last : 0);
	json_close(&page->json, '}');
	if (r < 0)
		reply_store_error(request, r);
	else
		reply_json(request, 200, &page->json);
	json_clear(&page->json);
}

void answer_runs(const struct request *request)
{
	struct page page;
	int r;

	page_start(request, &page, "runs");
	r = store_runs_each(request->scheduler->store,
			    request->ask.project[0] ? request->ask.project : NULL,
			    request->ask.page.after, page.limit + 1, page_run, &page);
	page_reply(request, &page, r);
}

void answer_events(const struct request *request)
{
	struct page page;
	int r;

	page_start(request, &page, "events");
	r = store_events_each(request->scheduler->store, request->ask.run, request->ask.page.after,
			      page.limit + 1, page_event, &page);
	page_reply(request, &page, r);
}

/* ---- queue ---- */

static void write_waiting(const struct queue_item *item, uint64_t position, void *userdata)
{
	const struct step *step = container_of(item, struct step, item);
	const struct runbook_step *text = &step->run->runbook->steps[step->index];
	struct json *json = userdata;
	char reason[REASON_MAX + 1];
	const char *wait = step_wait_reason(step, reason, sizeof(reason));

	json_open(json, NULL, '{');
	json_number(json, "run", step->run->row.id);
	json_text(json, "project", step->run->project->name);
	json_text(json, "step", text->slug);
	json_text(json, "name", text->name);
	json_number_or_null(json, "position", position);
	json_text(json, "wait", wait);
	json_text(json, "reason", reason);
	json_number(json, "since_usec", step->ready_usec);
	json_signed(json, "priority", run_priority(step->run));
	json_number(json, "cpu_milli", item->node.own.cpu_milli);
	json_number(json, "memory", item->node.own.memory);
	json_close(json, '}');
}

static void write_host(struct json *json, const struct scheduler *scheduler)
{
	const struct queue_host *host = &executor_home(scheduler)->host;

	json_open(json, "host", '{');
	json_number_or_null(json, "cpu_milli", host->capacity.cpu_milli);
	json_number(json, "cpu_milli_used", host->used.cpu_milli);
	json_number_or_null(json, "memory", host->capacity.memory);
	json_number(json, "memory_used", host->used.memory);
	json_open(json, "labels", '[');
	for (const char *labels = host->labels; *labels; labels += *labels == ' ') {
		size_t length = strcspn(labels, " ");
		char label[LABEL_MAX + 1];

		(void)snprintf(label, sizeof(label), "%.*s", (int)length, labels);
		json_text(json, NULL, label);
		labels += length;
	}
	json_close(json, ']');
	json_close(json, '}');
}

/* Such steps are in no queue and so have no position. */
static void write_aside(const struct step *step, void *userdata)
{
	write_waiting(&step->item, 0, userdata);
}

/* Such a run has no steps yet. */
static void write_fetching(const struct run *run, void *userdata)
{
	struct json *json = userdata;
	char reason[REASON_MAX + 1];

	source_retry_reason(run, reason, sizeof(reason));
	json_open(json, NULL, '{');
	json_number(json, "run", run->row.id);
	json_text(json, "project", run->project->name);
	json_text(json, "wait", "fetch-retry");
	json_text(json, "reason", reason);
	json_number(json, "since_usec", run->wait->row.first_usec);
	source_retry_json(json, run);
	json_close(json, '}');
}

void answer_queue(const struct request *request)
{
	const struct queue *queue = &request->scheduler->queue;
	cleanup_json struct json json = {0};
	uint64_t limit = request->ask.page.limit, n_shown, total = queue->n_waiting;

	if (limit == 0 || limit > QUEUE_SHOWN_MAX)
		limit = QUEUE_SHOWN_MAX;
	json_open(&json, NULL, '{');
	json_open(&json, "waiting", '[');
	if (queue_walk(queue, limit, write_waiting, &json) < 0)
		json.failed = true;
	n_shown = total < limit ? total : limit;
	total += images_waiting_each(&request->scheduler->images, limit - n_shown, write_aside,
				     &json);
	n_shown = total < limit ? total : limit;
	total += concurrency_held_each(request->scheduler, limit - n_shown, write_aside, &json);
	json_close(&json, ']');
	json_number(&json, "total", total);
	json_open(&json, "fetching", '[');
	total = source_retry_each(request->scheduler, limit, write_fetching, &json);
	json_close(&json, ']');
	json_number(&json, "fetching_total", total);
	json_number(&json, "running", queue->running);
	json_number(&json, "limit", queue_places(queue));
	write_host(&json, request->scheduler);
	json_close(&json, '}');
	reply_json(request, 200, &json);
}
