/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/engine/trigger.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/names.h"
#include "scheduler/engine/deliveries.h"
#include "scheduler/model/outbox.h"
#include "scheduler/model/project.h"
#include "scheduler/store/store_retention.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define UPLOAD_PROJECT "uploads"

static void answer_set(struct trigger_answer *answer, unsigned status, uint64_t run,
		       const char *format, ...) __attribute__((format(printf, 4, 5)));

static void answer_set(struct trigger_answer *answer, unsigned status, uint64_t run,
		       const char *format, ...)
{
	va_list arguments;

	answer->status = status;
	answer->run = run;
	va_start(arguments, format);
	(void)vsnprintf(answer->reason, sizeof(answer->reason), format, arguments);
	va_end(arguments);
}

/* One printable line of at most TITLE_MAX bytes, cut between characters. */
static void line_clean(char *out, const char *text)
{
	size_t n = 0;

	for (; *text && n < TITLE_MAX; text++) {
		unsigned char c = (unsigned char)*text;

		out[n++] = (c < 0x20 || c == 0x7f) ? ' ' : *text;
	}
	while (n > 0 && *text && ((unsigned char)*text & 0xc0) == 0x80)
		text = &out[--n];
	out[n] = '\0';
}

static bool commit_is_zero(const char *commit)
{
	return commit[0] && strspn(commit, "0") == strlen(commit);
}

static struct project *trigger_project(struct scheduler *scheduler, const char *name,
				       struct trigger_answer *answer)
{
	struct project *project = project_name_valid(name) ? project_find(scheduler, name) : NULL;

	if (!scheduler->configured) {
		answer_set(answer, 503, 0, "the scheduler is starting: try again");
		return NULL;
	}
	if (project && project->configured)
		return project;
	answer_set(answer, 404, 0,
		   "no project of this name: add it with `runbookctl project add`, or correct "
		   "the address");
	return NULL;
}

static void trigger_new(struct project *project, const struct store_run *row, int upload_fd,
			struct trigger_answer *answer)
{
	const struct run *run = run_new(project, row, upload_fd);

	if (run)
		answer_set(answer, 202, run->row.id, "%s", "");
	else
		answer_set(answer, 503, 0, "the run could not be stored: try again");
}

/* ---- deliveries ---- */

/* The push of a tag is an event of its own for runbooks and people. */
static const char *delivery_event(const struct trigger *trigger)
{
	if (strcmp(trigger->event, "pull_request") == 0)
		return trigger->pull_request ? "pull_request" : NULL;
	if (strcmp(trigger->event, "push") != 0)
		return NULL;
	return strncmp(trigger->ref, "refs/tags/", 10) == 0 ? "tag" : "push";
}

static bool delivery_checked(const struct trigger *trigger, struct trigger_answer *answer)
{
	/* a pull request's delivery may omit the commit: then its ref counts */
	bool any_commit = trigger->pull_request && !trigger->after[0];

	if (!delivery_event(trigger))
		answer_set(answer, 400, 0, "the event is neither push nor pull_request");
	else if (!ref_name_valid(trigger->ref) ||
		 (trigger->base_ref[0] && !ref_name_valid(trigger->base_ref)))
		answer_set(answer, 400, 0,
			   "the ref is not a valid full ref such as refs/heads/main");
	else if (commit_is_zero(trigger->after))
		answer_set(answer, 200, 0, "%.200s was deleted", trigger->ref);
	else if ((!any_commit && !commit_valid(trigger->after)) ||
		 (trigger->before[0] && !commit_valid(trigger->before)))
		answer_set(answer, 400, 0, "the commit is not 40 or 64 hex digits");
	else if (!trigger->delivery[0] || strlen(trigger->delivery) > DELIVERY_ID_MAX)
		answer_set(answer, 400, 0, "the delivery id must have 1 to %d bytes",
			   DELIVERY_ID_MAX);
	else
		return true;
	return false;
}

static void answer_duplicate(struct trigger_answer *answer, uint64_t run)
{
	answer_set(answer, 200, run, "duplicate of the delivery that made run %" PRIu64, run);
}

void trigger_delivery(struct scheduler *scheduler, const struct trigger *trigger,
		      struct trigger_answer *answer)
{
	struct project *project = trigger_project(scheduler, trigger->project, answer);
	char title[TITLE_MAX + 1], actor[TITLE_MAX + 1];
	struct store_run row = {
		.project = trigger->project,
		.event = delivery_event(trigger),
		.ref = trigger->ref,
		.before = trigger->before,
		.pull_request = trigger->pull_request,
		.base_ref = trigger->base_ref,
		.from_fork = trigger->from_fork,
		.asked = trigger->after,
		.commit = trigger->after,
		.title = title,
		.actor = actor,
	};
	struct delivery delivery;
	uint64_t same = 0;
	int r;

	if (!project || !delivery_checked(trigger, answer))
		return;
	line_clean(title, trigger->title);
	line_clean(actor, trigger->actor);
	row.source = project->workspace ? RUN_SOURCE_WORKSPACE : RUN_SOURCE_FETCH;
	delivery_init(&delivery, trigger, &row);
	r = delivery_find(scheduler->store, &delivery, &same);
	turn_schedule(scheduler);
	if (r < 0) {
		answer_set(answer, 503, 0, "the store cannot be read: try again");
		return;
	}
	if (r > 0) {
		answer_duplicate(answer, same);
		return;
	}
	row.again_of = same;
	trigger_new(project, &row, -1, answer);
	if (answer->run)
		delivery_add(scheduler->store, &delivery, answer->run);
}

/* ---- requests of people ---- */

static bool manual_checked(const char *ref, const char *commit, char *full_ref, size_t size,
			   struct trigger_answer *answer)
{
	/* people type "main"; "" stands for the remote's HEAD */
	if (strcmp(ref, "HEAD") == 0)
		ref = "";
	(void)snprintf(full_ref, size, "%s%s",
		       ref[0] && strncmp(ref, "refs/", 5) != 0 ? "refs/heads/" : "", ref);
	if (full_ref[0] && !ref_name_valid(full_ref)) {
		answer_set(answer, 400, 0, "ref: not a valid name of a branch or tag");
		return false;
	}
	if (commit[0] && !commit_valid(commit)) {
		answer_set(answer, 400, 0, "commit: give all 40 or 64 hex digits");
		return false;
	}
	return true;
}

void trigger_manual(struct scheduler *scheduler, const char *name, const char *ref,
		    const char *commit, struct trigger_answer *answer)
{
	struct project *project = trigger_project(scheduler, name, answer);
	char full_ref[REF_NAME_MAX + 32];
	struct store_run row = {
		.event = "manual",
		.ref = full_ref,
		.asked = commit,
		.commit = commit,
	};

	if (!project || !manual_checked(ref, commit, full_ref, sizeof(full_ref), answer))
		return;
	row.source = project->workspace ? RUN_SOURCE_WORKSPACE : RUN_SOURCE_FETCH;
	trigger_new(project, &row, -1, answer);
}

void trigger_upload(struct scheduler *scheduler, const char *name, const char *ref,
		    const char *commit, int upload_fd, struct trigger_answer *answer)
{
	cleanup_close int fd = upload_fd;
	struct project *project;
	unsigned char chance[20];
	char full_ref[REF_NAME_MAX + 32], tree[sizeof(chance) * 2 + 1];
	struct store_run row = {
		.source = RUN_SOURCE_UPLOAD,
		.event = "upload",
		.ref = full_ref,
		.asked = commit,
		.commit = commit,
		.tree = tree,
	};

	if (!name[0])
		name = UPLOAD_PROJECT;
	if (fd < 0) {
		answer_set(answer, 400, 0,
			   "the upload has no body: send a tar of the working copy");
		return;
	}
	if (!project_name_valid(name)) {
		answer_set(answer, 400, 0, "project: not a valid name ([a-z0-9][a-z0-9._-]*)");
		return;
	}
	if (!manual_checked(ref, commit, full_ref, sizeof(full_ref), answer))
		return;
	if (!scheduler->configured) {
		answer_set(answer, 503, 0, "the scheduler is starting: try again");
		return;
	}
	project = project_get(scheduler, name);
	if (!project) {
		answer_set(answer, 503, 0, "out of memory: try again");
		return;
	}
	/* the unpacked tree needs a name before the row, and so the number, of its run exists */
	randombytes_buf(chance, sizeof(chance));
	(void)sodium_bin2hex(tree, sizeof(tree), chance, sizeof(chance));
	trigger_new(project, &row, TAKE_FD(fd), answer);
}

/* ---- retries ---- */

struct retrying {
	struct scheduler *scheduler;
	struct trigger_answer *answer;
};

static void retry_row(const struct store_run *old, void *userdata)
{
	struct retrying *retrying = userdata;
	struct trigger_answer *answer = retrying->answer;
	struct store_run row = *old;
	struct project *project = project_get(retrying->scheduler, old->project);

	if (!run_state_final(old->state)) {
		answer_set(answer, 409, 0, "run %" PRIu64 " is %s: cancel it first, or wait",
			   old->id, run_state_name(old->state));
		return;
	}
	if (!project || (old->source != RUN_SOURCE_UPLOAD && !project->configured)) {
		answer_set(answer, 409, 0, "project %s is not configured any more: add it again",
			   old->project);
		return;
	}
	if (old->source == RUN_SOURCE_UPLOAD && !old->runbook) {
		answer_set(answer, 409, 0, "its upload was never unpacked: send it again");
		return;
	}
	if (old->source == RUN_SOURCE_UPLOAD &&
	    store_tree_there(retrying->scheduler->store, old) == 0) {
		answer_set(answer, 409, 0,
			   "the files of run %" PRIu64
			   " were removed by retention: send the working copy again",
			   old->id);
		return;
	}
	row.retry_of = old->id;
	row.reason = row.findings = NULL;
	row.cancelling = row.unwanted = row.held = false;
	row.stop = RUN_STOP_NONE;
	row.started_usec = row.ended_usec = row.stop_by = row.deadline_usec = 0;
	row.again_of = 0;
	trigger_new(project, &row, -1, answer);
}

void trigger_retry(struct scheduler *scheduler, uint64_t run, struct trigger_answer *answer)
{
	struct retrying retrying = {.scheduler = scheduler, .answer = answer};
	int r;

	r = store_run_get(scheduler->store, run, retry_row, &retrying);
	if (r == 0)
		answer_set(answer, 404, 0, "run %" PRIu64 " does not exist", run);
	else if (r < 0)
		answer_set(answer, 503, 0, "the store cannot be read: try again");
}
