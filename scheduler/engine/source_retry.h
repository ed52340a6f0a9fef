/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_SOURCE_RETRY_H
#define SCHEDULER_SOURCE_RETRY_H

/*
 * DOC: Retries of a failed fetch
 *
 * A forge that is away for seconds, one that announces a commit before it serves it, or a full disk
 * of this host must not end a run that was acknowledged. Such a run stays pending, shows the
 * reason, and requests its tree again after 1, 2, 4, … 60 s (a quarter more or less, so that many
 * runs do not come at once), with a last try when [Limits] FetchRetry= is over. Between two tries
 * it has no place in the list of source.h, so other fetches of its project go on. Times follow the
 * monotonic clock; over a restart, wall times in the store stand in, as in run_timers.h.
 *
 * A run is "delayed" from the first failure until its runbook was read or it ended. Concurrency
 * groups count delayed runs before newer runs of the same branch, see concurrency.c.
 */

#include "common/fetch_outcome.h"
#include "common/list.h"
#include "scheduler/engine/run.h"

struct json;

/** struct source_wait - the retries of a delayed run */
struct source_wait {
	struct loop_timer timer; /* armed between two tries */
	struct run *run;
	struct list_node node;	     /* of project->delayed */
	struct store_fetch_wait row; /* its texts are .error below */
	enum fetch_outcome outcome;
	uint64_t first_usec,
		since_usec; /* monotonic: first failure; first failure of the current kind */
	uint64_t next_usec;
	bool overtaken; /* a newer commit of its branch has arrived */
	char error[REASON_MAX + 1];
};

/** retry_delay_usec() - the pause after try number @tries, counted from 1 */
uint64_t retry_delay_usec(uint64_t tries);
/** retry_seconds_text() - write a time in whole seconds for people */
void retry_seconds_text(char *out, size_t size, uint64_t usec);
/**
 * source_retry() - the tree of @run could not be had: plan another try
 * @error: what went wrong, one sentence
 *
 * Return: false when another try would not help, or the time for tries is over.
 */
bool source_retry(struct run *run, enum fetch_outcome outcome, const char *error);
/** source_retry_sentence() - after source_retry() returned false: write why @run ends */
void source_retry_sentence(const struct run *run, const char *error, char *out, size_t size);
/** source_retry_end() - @run is delayed no longer. Return: whether it was. */
bool source_retry_end(struct run *run);
/** source_retry_free() - release memory only */
void source_retry_free(struct run *run);
/**
 * source_retry_load() - after a restart: read from the store if @run is delayed. Return: 0 or
 * -errno.
 */
int source_retry_load(struct run *run);
/** source_retry_waits() - whether @run is between two tries */
bool source_retry_waits(const struct run *run);
/** source_retry_arrived() - the tree of @run is here: delayed runs of the same forge try at once */
void source_retry_arrived(const struct run *run);
/** source_retry_space() - there is space on disk again: runs that wait for it try at once */
void source_retry_space(struct scheduler *scheduler);
/** source_retry_reason() - for people: why a delayed run is pending; "" for other runs */
void source_retry_reason(const struct run *run, char *out, size_t size);
/** source_retry_json() - for machines: member "fetch_retry" of a run; null for other runs */
void source_retry_json(struct json *json, const struct run *run);
/** source_retry_each() - visit delayed runs, at most @max. Return: how many there are in all. */
uint64_t source_retry_each(struct scheduler *scheduler, uint64_t max,
			   void (*each)(const struct run *run, void *userdata), void *userdata);
/**
 * source_retry_before() - how many older runs of @run's branch and event are delayed; *@ret_oldest:
 * the oldest one's number
 */
uint64_t source_retry_before(const struct run *run, uint64_t *ret_oldest);
/** source_retry_supersede() - end the delayed runs that are older than @run, as superseded by it */
void source_retry_supersede(struct run *run);

#endif
