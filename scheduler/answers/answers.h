/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_ANSWERS_H
#define SCHEDULER_ANSWERS_H

/*
 * DOC: Replies to requests of the api
 *
 * Each API_REQUEST names a verb; answers.c has the table of all verbs and calls one function for
 * each. Such a function checks the request, reads or changes the objects, and replies exactly once
 * (reply.h), at once or when the work is done. The reply leaves after the commit.
 *
 *   answers.c            the table of verbs, and verbs that change runs and steps
 *   answers_list.c       status, projects, pages of runs and events, the queue
 *   answers_run.c        one run
 *   answers_secrets.c    secrets
 *   retention_answers.c  gc, pins, and the reply for a run that was removed
 *   backup.c             a copy of the store
 */

#include "scheduler/model/reply.h"

/** answers_handle() - handler of API_REQUEST */
int answers_handle(struct channel *channel, struct message *message);

/** reply_no_run() - the run does not exist (404), or retention removed it (410) */
void reply_no_run(const struct request *request);
/** answer_run_open() - json_run_open() and what is not in the store: why the run waits */
void answer_run_open(struct json *json, const char *key, const struct scheduler *scheduler,
		     const struct store_run *row);

/* ---- answers_list.c: functions of the table of verbs, as all below ---- */

/** answer_status() - version, start time, counts of runs and steps */
void answer_status(const struct request *request);
/** answer_projects(), answer_project() - all projects; one project with its settings */
void answer_projects(const struct request *request);
void answer_project(const struct request *request);
/** answer_project_pause(), answer_project_unpause() - hold a project's steps; release them */
void answer_project_pause(const struct request *request);
void answer_project_unpause(const struct request *request);
/** answer_runs(), answer_events() - a page of runs; events after a given one */
void answer_runs(const struct request *request);
void answer_events(const struct request *request);
/** answer_queue() - the waiting steps in the order in which they would start */
void answer_queue(const struct request *request);

/* ---- answers_run.c ---- */

/** answer_run(), answer_runbook() - a run with its steps and attempts; its frozen runbook */
void answer_run(const struct request *request);
void answer_runbook(const struct request *request);

/* ---- retention_answers.c ---- */

/** answer_gc() - start a pass of retention; the reply is sent when all its removals are done */
void answer_gc(const struct request *request);
/** answer_run_pin(), answer_run_unpin() - exempt a run from retention; end that */
void answer_run_pin(const struct request *request);
void answer_run_unpin(const struct request *request);

/* ---- answers_secrets.c ---- */

/** answer_secrets() - names and ages of secrets, never values */
void answer_secrets(const struct request *request);
/** answer_secret_public_key() - the key that clients seal values for */
void answer_secret_public_key(const struct request *request);
/** answer_secret_set(), answer_secret_remove() - store a sealed value; remove a secret */
void answer_secret_set(const struct request *request);
void answer_secret_remove(const struct request *request);
/** answer_secret_rekey() - request a new key; the reply is sent when all secrets use it */
void answer_secret_rekey(const struct request *request);

#endif
