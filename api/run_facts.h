/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_RUN_FACTS_H
#define API_RUN_FACTS_H

/*
 * DOC: Facts of a run
 *
 * Handlers and streams that do not just pass on a reply of the scheduler need a few facts
 * of a run: its project, whether it or an attempt has ended, and whether retention removed
 * its logs or artifacts. They are parsed from the JSON of the scheduler's reply to API_RUN,
 * and are as old as that reply.
 */

#include "api/request.h"

/** state_is_final() - is @state the last one of a run or step, unless it is retried? */
bool state_is_final(const char *state);

/**
 * struct run_facts - a run and one attempt of one of its steps
 * @attempt: 0 when the step has never run
 */
struct run_facts {
	char project[PROJECT_NAME_MAX + 1];
	bool run_final;
	bool step_found;
	unsigned attempt;
	bool attempt_final; /* its log is complete */
	/* when retention removed them; 0: it did not */
	uint64_t logs_removed_usec, artifacts_removed_usec;
};

/**
 * run_facts_parse() - read the JSON of one run
 * @slug:    of the step; NULL reads facts of the run only
 * @attempt: 0 selects the latest
 *
 * Return: 0, or -EPROTO when the JSON has no valid project.
 */
int run_facts_parse(const char *text, size_t size, const char *slug, unsigned attempt,
		    struct run_facts *ret_facts);

/**
 * run_facts_ask() - get the facts of @run from the scheduler
 * @ret_text, @ret_size: the scheduler's answer when the status is not 200, to be passed
 *                       on and freed by the caller; may be NULL
 *
 * Return: the HTTP status, 200 with @ret_facts filled in, or -errno.
 */
int run_facts_ask(struct api *api, uint64_t run, const char *slug, unsigned attempt,
		  struct run_facts *ret_facts, char **ret_text, size_t *ret_size);

/** answer_removed() - answer 410: retention removed @what ("the logs", …) of the run at @usec */
void answer_removed(struct http_request *request, const char *what, uint64_t usec);

/**
 * run_project() - get the project of the request's run from the scheduler
 *
 * Return: true; false after an answer with the error.
 */
bool run_project(struct http_request *request, char project[PROJECT_NAME_MAX + 1]);

#endif
