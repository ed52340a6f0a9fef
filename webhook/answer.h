/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEBHOOK_ANSWER_H
#define WEBHOOK_ANSWER_H

/*
 * DOC: The answer to a delivery
 *
 * A struct answer holds the status, the headers and the JSON text of one HTTP
 * response. The checks of a request fill it in before libmicrohttpd is involved,
 * so they can be tested without it; request.c makes the library's response of it.
 * It needs no heap memory, so no refusal fails for lack of it during a flood. None
 * of these functions can fail: a text that is too long is cut.
 */

#include <stdbool.h>
#include <stdint.h>

#define ANSWER_TEXT_MAX 4096

/**
 * struct answer - the HTTP response to one request
 * @status:          HTTP status
 * @retry_after_sec: value of the Retry-After header; 0 leaves it out
 * @allow:           value of the Allow header, a static string; NULL leaves it out
 * @close:           the connection must not be used again, because it is uncertain
 *                   where the next request on it would start
 * @text:            a JSON object, newline at its end
 */
struct answer {
	unsigned status;
	unsigned retry_after_sec;
	const char *allow;
	bool close;
	char text[ANSWER_TEXT_MAX];
};

/**
 * answer_error() - @status with {"error": sentence}
 * @format: printf format of the sentence, which names the remedy. Quotes, control
 *          characters and bad UTF-8 in it are escaped here.
 */
void answer_error(struct answer *answer, unsigned status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** answer_ignored() - 200 {"ignored": reason}: valid and signed, but it starts no run */
void answer_ignored(struct answer *answer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** answer_member() - @status with a one-member object {"@name": "@value"} */
void answer_member(struct answer *answer, unsigned status, const char *name, const char *value);

/** answer_literal() - @status with @json as it is, a newline added */
void answer_literal(struct answer *answer, unsigned status, const char *json);

/** struct answer_run - a run that a delivery started, or had started before */
struct answer_run {
	uint64_t run;
	bool duplicate; /* the run existed before this delivery */
};

/**
 * answer_runs() - 202 {"run":42,"url":…}, or 200 with "duplicate":true
 * @runs: at least one. When a delivery has several refs, "run" is the first run
 *        and "runs" lists all of them.
 * @url:  of the first run
 *
 * The status is 200 only if every one of @runs is a duplicate.
 */
void answer_runs(struct answer *answer, const struct answer_run *runs, unsigned n_runs,
		 const char *url);

#endif
