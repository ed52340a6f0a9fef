/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/trigger.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/names.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TITLE_MAX 256
#define UPLOAD_PROJECT "uploads"
#define PLACE_MAX (REF_NAME_MAX + 64)

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

/* One printable line of at most TITLE_MAX bytes, cut at a character. */
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

/* "push" of a tag is an event of its own, as runbooks and people see it. */
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
	/* a pull request's sender may leave it to the ref to say which commit */
	bool any_commit = trigger->pull_request && !trigger->after[0];

	if (!delivery_event(trigger))
		answer_set(answer, 400, 0, "the event is neither push nor pull_request");
	else if (!ref_name_valid(trigger->ref) ||
		 (trigger->base_ref[0] && !ref_name_valid(trigger->base_ref)))
		answer_set(answer, 400, 0,
			   "the ref is not a valid full ref such as refs/heads/main");
	else if (commit_is_zero(trigger->after))
		answer_set(answer, 200, 0, "ignored: %.200s was deleted", trigger->ref);
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

/* What a delivery moves: a push and a pull request of one branch are two things. */
static void place_format(char *out, size_t size, const struct store_run *row)
{
	(void)snprintf(out, size, "%s %" PRIu64 " %s", row->event, row->pull_request, row->ref);
}

/* All that makes two deliveries ask for the same; a pull request's before is its base's commit. */
static void asked_digest(const struct trigger *trigger, unsigned char out[STORE_DIGEST_SIZE])
{
	const char *const texts[] = {trigger->event,  trigger->action, trigger->ref,
				     trigger->before, trigger->after,  trigger->base_ref};
	uint64_t numbers[] = {trigger->pull_request, trigger->from_fork};
	crypto_generichash_state state;

	(void)crypto_generichash_init(&state, NULL, 0, STORE_DIGEST_SIZE);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		(void)crypto_generichash_update(&state, (const unsigned char *)texts[i],
						strlen(texts[i]) + 1);
	(void)crypto_generichash_update(&state, (const unsigned char *)numbers, sizeof(numbers));
	(void)crypto_generichash_final(&state, out, STORE_DIGEST_SIZE);
}

/* struct last_delivery - what is known of the newest delivery that moved the same place */
struct last_delivery {
	uint64_t run, received_usec;
	char after[COMMIT_HEX_MAX + 1];
	unsigned char asked[STORE_DIGEST_SIZE];
	bool has_asked;
	bool settles; /* its run tests, or tested, what it was made for */
};

static void keep_last(const struct store_delivery *delivery, void *userdata)
{
	struct last_delivery *last = userdata;

	last->run = delivery->run;
	last->received_usec = delivery->received_usec;
	(void)snprintf(last->after, sizeof(last->after), "%s", delivery->after);
	last->has_asked = delivery->asked != NULL;
	if (delivery->asked)
		memcpy(last->asked, delivery->asked, STORE_DIGEST_SIZE);
}

/* A run that was cut short or that we failed leaves its commit untested. */
static void keep_outcome(const struct store_run *row, void *userdata)
{
	bool short_cut = row->cancelling || row->stop == RUN_STOP_CANCELLED ||
			 row->stop == RUN_STOP_SUPERSEDED || row->state == RUN_STATE_CANCELLED ||
			 row->state == RUN_STATE_ERRORED;

	((struct last_delivery *)userdata)->settles = row->unwanted || !short_cut;
}

static int last_find(struct store *store, const char *project, const char *place,
		     struct last_delivery *last)
{
	int r = store_delivery_last(store, project, place, keep_last, last);

	if (r > 0)
		r = store_run_get(store, last->run, keep_outcome, last);
	return r < 0 ? r : 0;
}

/*
 * The signed bytes came before, under another id: somebody sends them again. Only where
 * they say that a branch leaves the commit that it is known to be at, they are a push of
 * its own: A to B, back to A, to B again looks the same twice where a forge's pushes
 * carry no time (GitLab, Bitbucket Cloud).
 */
static bool moves_again(const struct trigger *trigger, const struct last_delivery *last)
{
	return !trigger->pull_request && trigger->before[0] &&
	       strcmp(trigger->before, last->after) == 0 &&
	       strcmp(trigger->after, last->after) != 0;
}

/* The newest delivery asked for the same just now: a second hook, or one sent again by hand. */
static bool asks_again(const struct trigger *trigger, const struct store_delivery *row,
		       const struct last_delivery *last)
{
	return trigger->after[0] && last->has_asked && last->settles &&
	       memcmp(last->asked, row->asked, STORE_DIGEST_SIZE) == 0 &&
	       last->received_usec + TRIGGER_WINDOW_SEC * USEC_PER_SEC >= row->received_usec;
}

/* Return: 1 and the run that it is a duplicate of, 0 if it is new, or -errno. */
static int delivery_find(struct scheduler *scheduler, const struct trigger *trigger,
			 const struct store_delivery *row, uint64_t *ret_run)
{
	struct store *store = scheduler->store;
	struct last_delivery last = {.run = 0};
	struct store_delivery again = *row;
	int r = store_delivery_find(store, row->project, row->id, ret_run);

	if (r == 0)
		r = last_find(store, row->project, row->place, &last);
	if (r == 0 && row->body) {
		r = store_delivery_find_body(store, row->project, row->body, ret_run);
		if (r > 0 && !moves_again(trigger, &last))
			return 1; /* not kept: whoever has one body could send it without end */
		if (r > 0)
			return 0;
	}
	if (r != 0 || !asks_again(trigger, row, &last))
		return r;
	*ret_run = again.run = last.run;
	again.place = again.after = "";
	again.asked = NULL;
	store_delivery_add(store, &again);
	return 1;
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
	unsigned char asked[STORE_DIGEST_SIZE];
	char place[PLACE_MAX];
	struct store_delivery delivery = {
		.project = trigger->project,
		.id = trigger->delivery,
		.received_usec = wall_usec(),
		.body = trigger->body,
		.place = place,
		.after = trigger->after,
		.asked = asked,
	};
	int r;

	if (!project || !delivery_checked(trigger, answer))
		return;
	line_clean(title, trigger->title);
	line_clean(actor, trigger->actor);
	place_format(place, sizeof(place), &row);
	asked_digest(trigger, asked);
	r = delivery_find(scheduler, trigger, &delivery, &delivery.run);
	turn_schedule(scheduler);
	if (r < 0) {
		answer_set(answer, 503, 0, "the store cannot be read: try again");
		return;
	}
	if (r > 0) {
		answer_duplicate(answer, delivery.run);
		return;
	}
	row.source = project->workspace ? RUN_SOURCE_WORKSPACE : RUN_SOURCE_FETCH;
	trigger_new(project, &row, -1, answer);
	delivery.run = answer->run;
	if (answer->run)
		store_delivery_add(scheduler->store, &delivery);
}

/* ---- people ---- */

static bool manual_checked(const char *ref, const char *commit, char *full_ref, size_t size,
			   struct trigger_answer *answer)
{
	/* "main" is what people type; "" is what the remote calls HEAD */
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
	/* names the unpacked tree; a run's number is not known before its row is written */
	randombytes_buf(chance, sizeof(chance));
	(void)sodium_bin2hex(tree, sizeof(tree), chance, sizeof(chance));
	trigger_new(project, &row, TAKE_FD(fd), answer);
}

/* ---- retry ---- */

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
	row.retry_of = old->id;
	row.reason = row.findings = NULL;
	row.cancelling = row.unwanted = row.held = false;
	row.stop = RUN_STOP_NONE;
	row.started_usec = row.ended_usec = row.stop_by = row.deadline_usec = 0;
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
