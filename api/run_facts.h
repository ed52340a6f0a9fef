/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_RUN_FACTS_H
#define API_RUN_FACTS_H

/* What streams need to know of a run, out of the scheduler's answer to API_RUN. */

#include "api/request.h"

/** state_is_final() - nothing follows this state of a run or step */
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
	bool attempt_final; /* its log is whole */
	/* by retention, 0: they were not */
	uint64_t logs_removed_usec, artifacts_removed_usec;
};

/**
 * run_facts_parse() - read the JSON of one run
 * @slug:    NULL looks at the run only
 * @attempt: 0 takes the latest
 *
 * Return: 0, or -EPROTO when the JSON is not what the contract says.
 */
int run_facts_parse(const char *text, size_t size, const char *slug, unsigned attempt,
		    struct run_facts *ret_facts);

/**
 * run_facts_ask() - ask the scheduler
 *
 * Return: status of HTTP (facts are there when it is 200; otherwise @ret_text, if
 * not NULL, is the answer to pass on), or -errno.
 */
int run_facts_ask(struct api *api, uint64_t run, const char *slug, unsigned attempt,
		  struct run_facts *ret_facts, char **ret_text, size_t *ret_size);

/** answer_removed() - 410: @what ("the logs", …) of the request's run was removed at @usec */
void answer_removed(struct http_request *request, const char *what, uint64_t usec);

/**
 * run_project() - project of the request's run
 *
 * Return: whether it was found; otherwise the request is answered.
 */
bool run_project(struct http_request *request, char project[PROJECT_NAME_MAX + 1]);

#endif
