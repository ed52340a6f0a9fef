/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_REPLY_H
#define SCHEDULER_REPLY_H

/*
 * DOC: Replies to the api
 *
 * A reply is JSON in a sealed memfd, or a status and a sentence. It leaves with the outbox, so
 * that it reports nothing that could still be lost.
 */

#include "common/messages/api.h"
#include "scheduler/model/json.h"
#include "scheduler/model/scheduler.h"

struct request {
	struct scheduler *scheduler;
	uint64_t serial;
	struct message_api_request ask; /* its descriptor stays the message's */
};

/* Replies: exactly one for each request. */
void reply_error(const struct request *request, unsigned status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/** reply_json() - @json stays the caller's; one that failed becomes a 503 */
void reply_json(const struct request *request, unsigned status, const struct json *json);
void reply_store_error(const struct request *request, int r);

#endif
