/* SPDX-License-Identifier: Apache-2.0 */
/* The table of verbs that the api may send, and the verbs that change something. */
#include "scheduler/answers/answers.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/names.h"
#include "scheduler/answers/backup.h"
#include "scheduler/engine/retention.h"
#include "scheduler/engine/run.h"
#include "scheduler/engine/source_retry.h"
#include "scheduler/engine/step_retry.h"
#include "scheduler/engine/trigger.h"
#include "scheduler/model/outbox.h"
#include "scheduler/model/steps.h"
#include "scheduler/store/store_retention.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- replies ---- */

static void reply_run(const struct request *request, unsigned status, uint64_t run)
{
	cleanup_json struct json json = {0};

	json_open(&json, NULL, '{');
	json_number(&json, "run", run);
	json_close(&json, '}');
	reply_json(request, status, &json);
}

static void reply_trigger(const struct request *request, const struct trigger_answer *answer)
{
	if (answer->run)
		reply_run(request, answer->status, answer->run);
	else
		reply_error(request, answer->status, "%s", answer->reason);
}

/* ---- verbs that change runs and steps ---- */

static void answer_run_trigger(const struct request *request)
{
	struct trigger_answer answer = {.status = 503};

	trigger_manual(request->scheduler, request->ask.project, request->ask.source.ref,
		       request->ask.source.commit, &answer);
	reply_trigger(request, &answer);
}

static void answer_run_upload(const struct request *request)
{
	struct trigger_answer answer = {.status = 503};
	int fd = request->ask.content < 0 ? -1 : fcntl(request->ask.content, F_DUPFD_CLOEXEC, 0);

	trigger_upload(request->scheduler, request->ask.project, request->ask.source.ref,
		       request->ask.source.commit, fd, &answer);
	reply_trigger(request, &answer);
}

/* The step that people call @name: by its slug or its name. */
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
		    request->ask.run, request->ask.run);
}

static void answer_run_cancel(const struct request *request)
{
	struct run *run = map_get(&request->scheduler->runs, request->ask.run);
	enum run_state state = RUN_STATE_NUM;
	cleanup_json struct json json = {0};
	struct step *step = NULL;
	size_t n;

	if (!run || run_state_final(run->row.state)) {
		if (store_run_get(request->scheduler->store, request->ask.run, note_state, &state) <
		    1)
			reply_no_run(request);
		else
			reply_error(request, 409, "run %" PRIu64 " is %s already", request->ask.run,
				    run_state_name(state));
		return;
	}
	if (request->ask.cancel.step[0]) {
		step = run_step(run, request->ask.cancel.step);
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
	json_open(&json, NULL, '{');
	json_number(&json, "run", request->ask.run);
	json_number(&json, "cancelled", n);
	json_close(&json, '}');
	reply_json(request, 202, &json);
}

/* Retry one step, or (with @step "") all steps that did not succeed, within the same run. */
static void retry_in_run(const struct request *request)
{
	struct scheduler *scheduler = request->scheduler;
	struct run *run = map_get(&scheduler->runs, request->ask.run);
	struct error error = ERROR_INIT;
	struct step *step;

	if (!run)
		run = run_load(scheduler, request->ask.run, &error);
	if (!run) {
		if (error.number == ENOENT)
			reply_no_run(request);
		else
			reply_error(request, 409, "%s: retry the whole run", error.text);
		return;
	}
	turn_schedule(scheduler);
	run_forget_later(run); /* in case the run stays final */
	if (run->n_steps && run->row.source != RUN_SOURCE_WORKSPACE && run->row.tree[0] &&
	    store_tree_there(scheduler->store, &run->row) == 0) {
		reply_error(request, 409,
			    "the files of run %" PRIu64 " were removed by retention: %s",
			    request->ask.run,
			    run->row.source == RUN_SOURCE_UPLOAD ? "send the working copy again"
								 : "retry the whole run");
		return;
	}
	step = request->ask.retry.step[0] ? run_step(run, request->ask.retry.step) : NULL;
	if (request->ask.retry.step[0] && !step)
		reply_no_step(request);
	else if ((step ? step_retry(step, &error) : run_retry_failed(run, &error)) < 0)
		reply_error(request, 409, "%s", error.text);
	else
		reply_run(request, 202, request->ask.run);
}

static void note_unwanted(const struct store_run *row, void *userdata)
{
	*(bool *)userdata = row->unwanted;
}

static void answer_run_retry(const struct request *request)
{
	struct trigger_answer answer = {.status = 503};
	bool unwanted = false;

	if ((request->ask.retry.step[0] || request->ask.retry.failed) &&
	    removal_find(request->scheduler, request->ask.run)) {
		reply_error(request, 409,
			    "retention is removing old logs or artifacts of run %" PRIu64
			    ": try again in a moment",
			    request->ask.run);
		return;
	}
	/* a run that "on" did not ask for stays unwanted when it is retried: make a new run */
	if (request->ask.retry.failed && !request->ask.retry.step[0])
		(void)store_run_get(request->scheduler->store, request->ask.run, note_unwanted,
				    &unwanted);
	if (request->ask.retry.step[0] || (request->ask.retry.failed && !unwanted)) {
		retry_in_run(request);
		return;
	}
	trigger_retry(request->scheduler, request->ask.run, &answer);
	if (answer.status == 404)
		reply_no_run(request);
	else
		reply_trigger(request, &answer);
}

/* ---- the table of verbs ---- */

#define NEEDS_PROJECT 1u
#define NEEDS_RUN 2u
#define MAY_BRING 4u /* may come with a descriptor */

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
	[API_RUN_UPLOAD] = {"upload", MAY_BRING, answer_run_upload},
	[API_RUN_CANCEL] = {"cancel", NEEDS_RUN, answer_run_cancel},
	[API_RUN_RETRY] = {"retry", NEEDS_RUN, answer_run_retry},
	[API_PROJECT_PAUSE] = {"pause", NEEDS_PROJECT, answer_project_pause},
	[API_PROJECT_UNPAUSE] = {"unpause", NEEDS_PROJECT, answer_project_unpause},
	[API_BACKUP] = {"backup", 0, answer_backup},
	[API_SECRETS] = {"secrets", 0, answer_secrets},
	[API_SECRET_PUBLIC_KEY] = {"secret public key", 0, answer_secret_public_key},
	[API_SECRET_SET] = {"secret set", NEEDS_PROJECT | MAY_BRING, answer_secret_set},
	[API_SECRET_REMOVE] = {"secret rm", NEEDS_PROJECT, answer_secret_remove},
	[API_SECRET_REKEY] = {"secret rekey", 0, answer_secret_rekey},
	[API_GC] = {"gc", 0, answer_gc},
	[API_RUN_PIN] = {"pin", NEEDS_RUN, answer_run_pin},
	[API_RUN_UNPIN] = {"unpin", NEEDS_RUN, answer_run_unpin},
};
static_assert(ARRAY_SIZE(verbs) == API_NUM_VERBS, "a verb without its answer");

static void request_serve(const struct request *request)
{
	const struct verb *verb = &verbs[request->ask.verb];

	if (request->ask.project[0] && !project_name_valid(request->ask.project))
		reply_error(request, 400, "%s: not a valid project name ([a-z0-9][a-z0-9._-]*)",
			    verb->name);
	else if ((verb->needs & NEEDS_PROJECT) && !request->ask.project[0])
		reply_error(request, 400, "%s: name a project", verb->name);
	else if ((verb->needs & NEEDS_RUN) && (!request->ask.run || request->ask.run > INT64_MAX))
		reply_error(request, 404, "%s: name a run by its number", verb->name);
	else
		verb->answer(request);
}

int answers_handle(struct channel *channel, struct message *message)
{
	struct peer *peer = channel->userdata;
	struct request request = {.scheduler = peer->scheduler, .serial = message->serial};
	int r = MESSAGE_GET(message, api_request, &request.ask);
	bool known = r == 0 && request.ask.verb < API_NUM_VERBS;

	if (r < 0)
		return r;
	if (request.ask.content >= 0 && !(known && (verbs[request.ask.verb].needs & MAY_BRING)))
		return -EBADMSG;
	if (!known)
		reply_error(&request, 501, "this scheduler does not know that request");
	else
		request_serve(&request);
	return 0;
}
