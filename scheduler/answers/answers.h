/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_ANSWERS_H
#define SCHEDULER_ANSWERS_H

/*
 * DOC: Answers to the api
 *
 * answers.c has the table of verbs, the replies and what changes something;
 * answers_list.c has projects, pages and the queue; answers_run.c one run;
 * answers_secrets.c secrets; retention_answers.c what is kept, and where a run went.
 */

#include "scheduler/model/reply.h"

/** answers_handle() - API_REQUEST: the table of verbs */
int answers_handle(struct channel *channel, struct message *message);

/** reply_no_run() - it does not exist, or was removed by retention: 404 or 410 */
void reply_no_run(const struct request *request);
/** answer_run_open() - json_run_open() with what the store does not know: why it waits */
void answer_run_open(struct json *json, const char *key, const struct scheduler *scheduler,
		     const struct store_run *row);

/* answers_list.c */
void answer_status(const struct request *request);
void answer_projects(const struct request *request);
void answer_project(const struct request *request);
void answer_project_pause(const struct request *request);
void answer_project_unpause(const struct request *request);
void answer_runs(const struct request *request);
void answer_events(const struct request *request);
void answer_queue(const struct request *request);

/* answers_run.c */
void answer_run(const struct request *request);
void answer_runbook(const struct request *request);

/* retention_answers.c */
/** answer_gc() - a pass of retention now; answered when all that it found is gone */
void answer_gc(const struct request *request);
void answer_run_pin(const struct request *request);
void answer_run_unpin(const struct request *request);

/* answers_secrets.c */
void answer_secrets(const struct request *request);
void answer_secret_public_key(const struct request *request);
void answer_secret_set(const struct request *request);
void answer_secret_remove(const struct request *request);
void answer_secret_rekey(const struct request *request);

#endif
