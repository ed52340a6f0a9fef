/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_SOURCE_RETRY_H
#define SCHEDULER_SOURCE_RETRY_H

/*
 * DOC: A tree that could not be had is asked for again
 *
 * A forge that is away for seconds, that has told of a commit before it gives it out, or a
 * full disk of ours: none of them ends a run that was acknowledged. It stays pending, says
 * why, and asks again after 1, 2, 4, … 60 s (a quarter more or less, so that many do not
 * come at once), with a last try when [Limits] FetchRetry= is over. Meanwhile it stands in
 * no line, so other fetches of its project go on. The times are those of the monotonic clock; over a restart,
 * wall times in the store stand in, as for run_timers.h.
 *
 * Such a run is "delayed" until its runbook was read or it ended. Newer runs of its branch
 * know of it: concurrency groups have it before them, see concurrency.c.
 */

#include "common/fetch_outcome.h"
#include "common/list.h"
#include "scheduler/engine/run.h"

struct json;

/** struct source_wait - of a delayed run */
struct source_wait {
	struct loop_timer timer; /* armed between two tries */
	struct run *run;
	struct list_node node;	     /* of project->delayed */
	struct store_fetch_wait row; /* its text is in error below */
	enum fetch_outcome outcome;
	uint64_t first_usec, since_usec; /* monotonic: it failed, and failed in this way */
	uint64_t next_usec;
	bool overtaken; /* a newer commit of its branch is here */
	char error[REASON_MAX + 1];
};

/** retry_delay_usec() - the pause after the try with this number, from 1 */
uint64_t retry_delay_usec(uint64_t tries);
/** retry_seconds_text() - a time in whole seconds, as people read it */
void retry_seconds_text(char *out, size_t size, uint64_t usec);
/**
 * source_retry() - the tree of @run could not be had: ask again later?
 * @error: what went wrong, one sentence
 *
 * Return: false when that would not help, or was tried for long enough.
 */
bool source_retry(struct run *run, enum fetch_outcome outcome, const char *error);
/** source_retry_sentence() - why @run ends, when source_retry() said false */
void source_retry_sentence(const struct run *run, const char *error, char *out, size_t size);
/** source_retry_end() - @run is not delayed any more. Return: was it? */
bool source_retry_end(struct run *run);
/** source_retry_free() - memory only */
void source_retry_free(struct run *run);
/** source_retry_load() - @run, from the store, may be delayed. Return: 0 or -errno. */
int source_retry_load(struct run *run);
/** source_retry_waits() - is @run between two tries? */
bool source_retry_waits(const struct run *run);
/** source_retry_arrived() - the tree of @run is here: those that wait for its forge ask at once */
void source_retry_arrived(const struct run *run);
/** source_retry_space() - there is room on disk again: runs that wait for it ask at once */
void source_retry_space(struct scheduler *scheduler);
/** source_retry_reason() - for people: why a delayed run is pending, "" for others */
void source_retry_reason(const struct run *run, char *out, size_t size);
/** source_retry_json() - for machines: member "fetch_retry" of a run, null for others */
void source_retry_json(struct json *json, const struct run *run);
/** source_retry_each() - delayed runs. Return: how many there are; @each is called for @max. */
uint64_t source_retry_each(struct scheduler *scheduler, uint64_t max,
			   void (*each)(const struct run *run, void *userdata), void *userdata);
/** source_retry_before() - how many older runs of @run's branch and event are delayed */
uint64_t source_retry_before(const struct run *run, uint64_t *ret_oldest);
/** source_retry_supersede() - end those, for @run */
void source_retry_supersede(struct run *run);

#endif
