/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_REPLY_H
#define SCHEDULER_REPLY_H

/*
 * DOC: Replies to the api
 *
 * A reply is JSON in a sealed memfd, or an HTTP status and a sentence. It leaves through the
 * outbox, after the commit, so that it never reports a change that could still be lost.
 */

#include "common/messages/api.h"
#include "scheduler/model/json.h"
#include "scheduler/model/scheduler.h"

struct request {
	struct scheduler *scheduler;
	uint64_t serial;
	struct message_api_request ask; /* the message owns the descriptor in it */
};

/*
 * reply_error() - reply with @status and a sentence; each request gets exactly one reply
 * reply_store_error() - the same for the failed read or write @r (-errno) of the store
 */
void reply_error(const struct request *request, unsigned status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/** reply_json() - reply with @json, which stays the caller's; a failed writer becomes a 503 */
void reply_json(const struct request *request, unsigned status, const struct json *json);
void reply_store_error(const struct request *request, int r);

#endif
