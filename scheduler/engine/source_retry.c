/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/engine/source_retry.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/names.h"
#include "scheduler/model/json.h"
#include "scheduler/model/outbox.h"
#include "scheduler/model/project.h"
#include "scheduler/model/state.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DELAY_FIRST_USEC (1 * USEC_PER_SEC)
#define DELAY_MAX_USEC (60 * USEC_PER_SEC)

/*
 * Failures that may pass by themselves. Forges reply 401, 403 and 404 during maintenance or while a
 * permission spreads, but mostly the configuration is wrong and a person has to see that: such a
 * failure gets a fifth of the time. A manual run ends at once in such a case, and when its branch
 * is misspelt: the name came from a person, not from a forge.
 */
static const struct rule {
	const char *word; /* for machines; NULL: another try would not help */
	unsigned part;	  /* divisor of the configured time */
	bool at_once;	  /* ends a manual run */
} rules[FETCH_NUM] = {
	[FETCH_NO_SUCH_COMMIT] = {"no-such-commit", 1, true},
	[FETCH_UNREACHABLE] = {"unreachable", 1, false},
	[FETCH_DENIED] = {"denied", 5, true},
	[FETCH_NO_SPACE] = {"disk-full", 1, false},
};

static enum fetch_outcome outcome_parse(const char *word)
{
	for (unsigned i = 0; i < FETCH_NUM; i++) {
		if (rules[i].word && strcmp(rules[i].word, word) == 0)
			return (enum fetch_outcome)i;
	}
	return FETCH_UNREACHABLE; /* from a newer version */
}

void retry_seconds_text(char *out, size_t size, uint64_t usec)
{
	text_duration(out, size, (usec + USEC_PER_SEC / 2) / USEC_PER_SEC * 1000);
}

/* ---- the delayed runs of a project ---- */

static struct source_wait *wait_new(struct run *run)
{
	struct source_wait *wait = calloc(1, sizeof(*wait));

	if (!wait)
		return NULL;
	wait->run = run;
	wait->row.run = run->row.id;
	wait->row.error = wait->error;
	wait->timer = LOOP_TIMER_NULL;
	list_prepend(&run->project->delayed, &wait->node);
	run->wait = wait;
	return wait;
}

void source_retry_free(struct run *run)
{
	struct source_wait *wait = run->wait;

	if (!wait)
		return;
	run->wait = NULL;
	loop_timer_cancel(&wait->timer);
	list_remove(&wait->node);
	free(wait);
}

bool source_retry_end(struct run *run)
{
	if (!run->wait)
		return false;
	store_fetch_wait_clear(run->scheduler->store, run->row.id);
	turn_schedule(run->scheduler);
	source_retry_free(run);
	return true;
}

bool source_retry_waits(const struct run *run)
{
	return run->wait && run->wait->timer.loop;
}

/* ---- tries ---- */

static void try_now(struct run *run)
{
	loop_timer_cancel(&run->wait->timer);
	run_next(run, RUN_DUE_TREE);
}

static void wait_over(struct loop_timer *timer)
{
	struct source_wait *wait = container_of(timer, struct source_wait, timer);

	run_next(wait->run, RUN_DUE_TREE);
}

static int wait_arm(struct source_wait *wait, uint64_t delay_usec)
{
	wait->next_usec = now_usec() + delay_usec;
	return loop_timer_set(wait->run->scheduler->loop, &wait->timer, wait->next_usec, wait_over);
}

static uint64_t window_usec(const struct run *run, enum fetch_outcome outcome)
{
	return run->project->fetch_retry_sec * USEC_PER_SEC / rules[outcome].part;
}

/* Try without end while the host lacks the space to start steps; that is reported elsewhere. */
static bool endless(const struct run *run, enum fetch_outcome outcome)
{
	return outcome == FETCH_NO_SPACE && executor_home(run->scheduler)->space[0];
}

/* How long it may still be tried, in microseconds. */
static uint64_t time_left(const struct source_wait *wait, uint64_t now)
{
	const struct run *run = wait->run;
	uint64_t whole = window_usec(run, FETCH_UNREACHABLE);
	uint64_t part = window_usec(run, wait->outcome);
	uint64_t first = now - wait->first_usec, since = now - wait->since_usec;
	uint64_t left, left_part;

	if (endless(run, wait->outcome))
		return UINT64_MAX;
	if (wait->overtaken && wait->outcome == FETCH_NO_SUCH_COMMIT)
		return 0;
	left = first < whole ? whole - first : 0;
	left_part = since < part ? part - since : 0;
	return left < left_part ? left : left_part;
}

uint64_t retry_delay_usec(uint64_t tries)
{
	uint64_t delay = tries < 7 ? DELAY_FIRST_USEC << (tries - 1) : DELAY_MAX_USEC;

	return delay / 4 * 3 + randombytes_uniform((uint32_t)(delay / 2));
}

static void wait_fail(struct source_wait *wait, enum fetch_outcome outcome, const char *error)
{
	uint64_t now = now_usec(), wall = wall_usec();

	if (wait->row.tries == 0) {
		wait->first_usec = now;
		wait->row.first_usec = wall;
	}
	if (wait->row.tries == 0 || wait->outcome != outcome) {
		wait->since_usec = now;
		wait->row.since_usec = wall;
	}
	wait->outcome = outcome;
	wait->row.outcome = rules[outcome].word;
	wait->row.tries++;
	(void)snprintf(wait->error, sizeof(wait->error), "%.400s", error);
}

static void say_again(const struct source_wait *wait, uint64_t delay)
{
	const struct run *run = wait->run;
	char reason[REASON_MAX + 1], text[32];
	struct store_event event = {
		.run = run->row.id,
		.from = run_state_name(run->row.state),
		.to = run_state_name(run->row.state),
		.reason = reason,
		.at_usec = wall_usec(),
	};

	retry_seconds_text(text, sizeof(text), delay);
	(void)snprintf(reason, sizeof(reason), "cannot be fetched yet, again in %s: %.400s", text,
		       wait->error);
	log_notice("%s run %" PRIu64 ": %s", run->row.project, run->row.id, reason);
	event_push(run->scheduler, &event);
}

bool source_retry(struct run *run, enum fetch_outcome outcome, const char *error)
{
	struct source_wait *wait = run->wait;
	uint64_t left, delay;

	if (outcome >= FETCH_NUM || !rules[outcome].word ||
	    (rules[outcome].at_once && strcmp(run->row.event, "manual") == 0))
		return false;
	if (!wait && run->project->fetch_retry_sec)
		wait = wait_new(run);
	if (!wait)
		return false;
	wait_fail(wait, outcome, error);
	left = time_left(wait, now_usec());
	if (left == 0)
		return false;
	delay = retry_delay_usec(wait->row.tries);
	if (delay > left)
		delay = left;
	wait->row.next_usec = wall_usec() + delay;
	store_fetch_wait_set(run->scheduler->store, &wait->row);
	if (wait_arm(wait, delay) < 0)
		return false;
	say_again(wait, delay);
	return true;
}

void source_retry_sentence(const struct run *run, const char *error, char *out, size_t size)
{
	const struct source_wait *wait = run->wait;
	char text[32];

	if (!wait || wait->row.tries < 2) {
		(void)snprintf(out, size, "%s", error);
		return;
	}
	retry_seconds_text(text, sizeof(text), now_usec() - wait->first_usec);
	(void)snprintf(out, size,
		       "%.400s (tried %" PRIu64 " times in %s; `runbookctl retry %" PRIu64
		       "` fetches again)",
		       error, wait->row.tries, text, run->row.id);
}

/* ---- continuing after a restart ---- */

static void load_row(const struct store_fetch_wait *row, void *userdata)
{
	struct source_wait *wait = userdata;

	wait->row = *row;
	wait->row.error = wait->error;
	(void)snprintf(wait->error, sizeof(wait->error), "%s", row->error);
	wait->outcome = outcome_parse(row->outcome);
	wait->row.outcome = rules[wait->outcome].word;
}

/*
 * The monotonic time of a past wall time; if the clock was set back, the wait begins anew. The
 * result may be before the start of the monotonic clock: differences are right all the same.
 */
static uint64_t past_usec(uint64_t wall_then)
{
	uint64_t wall = wall_usec();

	return now_usec() - (wall > wall_then ? wall - wall_then : 0);
}

int source_retry_load(struct run *run)
{
	uint64_t wall = wall_usec(), delay = 0;
	struct source_wait *wait = wait_new(run);
	int r;

	if (!wait)
		return -ENOMEM;
	r = store_fetch_wait_get(run->scheduler->store, run->row.id, load_row, wait);
	if (r <= 0) {
		source_retry_free(run);
		return r;
	}
	wait->first_usec = past_usec(wait->row.first_usec);
	wait->since_usec = past_usec(wait->row.since_usec);
	if (wait->row.next_usec > wall)
		delay = wait->row.next_usec - wall;
	if (delay > 2 * DELAY_MAX_USEC)
		delay = 2 * DELAY_MAX_USEC; /* the clock was set back */
	return wait_arm(wait, delay);
}

/* ---- news from other runs ---- */

/* Whether @older is older than @newer, and both are of the same branch or pull request. */
static bool goes_before(const struct run *older, const struct run *newer)
{
	return older->row.id < newer->row.id && older->row.from_fork == newer->row.from_fork &&
	       strcmp(older->row.ref, newer->row.ref) == 0 &&
	       strcmp(older->row.event, newer->row.event) == 0;
}

void source_retry_arrived(const struct run *run)
{
	struct source_wait *wait;

	list_each (wait, &run->project->delayed, node) {
		bool before = goes_before(wait->run, run);

		if (wait->run == run || run->row.source != wait->run->row.source)
			continue;
		wait->overtaken |= before;
		if (wait->timer.loop &&
		    (before || wait->outcome == FETCH_UNREACHABLE || wait->outcome == FETCH_DENIED))
			try_now(wait->run);
	}
}

void source_retry_space(struct scheduler *scheduler)
{
	struct project *project = NULL;
	struct source_wait *wait;
	size_t bucket = 0;

	while ((project = project_next(scheduler, &bucket, project))) {
		list_each (wait, &project->delayed, node) {
			if (wait->timer.loop && wait->outcome == FETCH_NO_SPACE)
				try_now(wait->run);
		}
	}
}

uint64_t source_retry_before(const struct run *run, uint64_t *ret_oldest)
{
	const struct source_wait *wait;
	uint64_t n = 0;

	list_each (wait, &run->project->delayed, node) {
		if (!goes_before(wait->run, run))
			continue;
		if (n++ == 0 || wait->row.run < *ret_oldest)
			*ret_oldest = wait->row.run;
	}
	return n;
}

void source_retry_supersede(struct run *run)
{
	struct source_wait *wait, *next;

	list_each_safe (wait, next, &run->project->delayed, node) {
		if (goes_before(wait->run, run))
			(void)run_stop(wait->run, RUN_STOP_SUPERSEDED, run->row.id);
	}
}

/* ---- reasons for people and machines ---- */

void source_retry_reason(const struct run *run, char *out, size_t size)
{
	const struct source_wait *wait = run->wait;
	uint64_t now = now_usec(), left;
	char again[48] = "now", until[64] = "";
	char text[32];

	out[0] = '\0';
	if (!wait)
		return;
	if (source_retry_waits(run)) {
		retry_seconds_text(text, sizeof(text),
				   wait->next_usec > now ? wait->next_usec - now : 0);
		(void)snprintf(again, sizeof(again), "in %s", text);
	}
	left = time_left(wait, now);
	if (left == UINT64_MAX) {
		(void)snprintf(until, sizeof(until), "until there is room");
	} else {
		retry_seconds_text(text, sizeof(text), left);
		(void)snprintf(until, sizeof(until), "for %s more", text);
	}
	(void)snprintf(out, size,
		       "cannot be fetched yet (tried %" PRIu64 "x, again %s, %s): %.380s",
		       wait->row.tries, again, until, wait->error);
}

void source_retry_json(struct json *json, const struct run *run)
{
	const struct source_wait *wait = run ? run->wait : NULL;
	uint64_t left;

	if (!wait) {
		json_text(json, "fetch_retry", NULL);
		return;
	}
	left = time_left(wait, now_usec());
	json_open(json, "fetch_retry", '{');
	json_text(json, "what", rules[wait->outcome].word);
	json_text(json, "error", wait->error);
	json_number(json, "tries", wait->row.tries);
	json_number(json, "since_usec", wait->row.first_usec);
	json_number_or_null(json, "next_usec", source_retry_waits(run) ? wait->row.next_usec : 0);
	json_number_or_null(json, "until_usec", left == UINT64_MAX ? 0 : wall_usec() + left);
	json_close(json, '}');
}

uint64_t source_retry_each(struct scheduler *scheduler, uint64_t max,
			   void (*each)(const struct run *run, void *userdata), void *userdata)
{
	const struct source_wait *wait;
	struct project *project = NULL;
	size_t bucket = 0;
	uint64_t n = 0;

	while ((project = project_next(scheduler, &bucket, project))) {
		list_each (wait, &project->delayed, node) {
			if (n++ < max)
				each(wait->run, userdata);
		}
	}
	return n;
}
