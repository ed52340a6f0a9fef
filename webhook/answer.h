/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEBHOOK_ANSWER_H
#define WEBHOOK_ANSWER_H

/*
 * One HTTP answer, made before any HTTP library is involved. It holds no heap
 * memory: under a flood an answer must never be what fails.
 */

#include <stdbool.h>
#include <stdint.h>

#define ANSWER_TEXT_MAX 4096

/**
 * struct answer - what the sender gets
 * @status:          HTTP status
 * @retry_after_sec: value of Retry-After, 0 leaves it out
 * @allow:           value of Allow, NULL leaves it out; static string
 * @close:           the connection must not be used again: its framing is in doubt
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
 * answer_error() - {"error": sentence}
 * @format: printf format of the sentence; says what to do about it. Quotes,
 *          control characters and bad UTF-8 in it are escaped here.
 */
void answer_error(struct answer *answer, unsigned status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** answer_ignored() - 200 {"ignored": reason}: right and signed, but nothing to do */
void answer_ignored(struct answer *answer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** answer_member() - @status with a one-member object {"@name": "@value"} */
void answer_member(struct answer *answer, unsigned status, const char *name, const char *value);

/** answer_literal() - @status with @json as it is, a newline added */
void answer_literal(struct answer *answer, unsigned status, const char *json);

/** struct answer_run - one run that a delivery led to */
struct answer_run {
	uint64_t run;
	bool duplicate; /* the run was there before this delivery */
};

/**
 * answer_runs() - 202 {"run":42,"url":…}, or 200 with "duplicate":true
 * @runs: at least one. With several refs in one delivery the first is the
 *        answer's "run", and all of them stand in "runs".
 * @url:  of the first run
 *
 * 200 only if every one of @runs is a duplicate.
 */
void answer_runs(struct answer *answer, const struct answer_run *runs, unsigned n_runs,
		 const char *url);

#endif
