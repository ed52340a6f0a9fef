/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_REQUEST_H
#define FETCHER_REQUEST_H

/*
 * DOC: Requests and their queue
 *
 * A request is a FETCH, UNPACK, TREE_REMOVE or MIRROR_PRUNE of the scheduler whose fields have
 * been checked. The service (service.h) queues requests and passes each as a job to a child,
 * which reads it with the same function and so checks it once more.
 */

#include "common/fetch_outcome.h"
#include "common/limits.h"
#include "common/message.h"
#include "common/message_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct request - a request of the scheduler
 * @type:   MESSAGE_FETCH, MESSAGE_UNPACK, MESSAGE_TREE_REMOVE or MESSAGE_MIRROR_PRUNE
 * @epoch:  number of the scheduler's channel that brought it
 * @came_usec: when it came, by now_usec()
 * @fd:     its descriptor (an upload, or the list of kept commits), owned; -1: it has none
 * @n_killed: how many of its children were killed by others than the service
 * @commit: "": the commit that @ref names; the id of an upload or a tree for other types
 * @before, @base_ref: for the changed paths, "" when they are not requested
 */
struct request {
	struct request *next;
	enum message_type type;
	uint64_t serial;
	uint64_t epoch;
	uint64_t came_usec;
	int fd;
	unsigned n_killed;
	char project[PROJECT_NAME_MAX + 1];
	char ref[REF_NAME_MAX + 1];
	char commit[COMMIT_HEX_MAX + 1];
	char before[COMMIT_HEX_MAX + 1];
	char base_ref[REF_NAME_MAX + 1];
	char view[COMMIT_HEX_MAX + 1];
	enum fetch_whose whose;
	bool fresh; /* set in a child's job only: the remote's references are recent enough */
};

/**
 * request_read() - read and check the fields of @message, and take its descriptor
 *
 * Return: 0, -EBADMSG or -ENOMEM.
 */
int request_read(struct message *message, struct request **ret_request);
/** request_free() - release it; NULL is allowed. Return: NULL. */
struct request *request_free(struct request *request);
/** request_job() - @request as a child's job, @fresh as in struct request; NULL without memory */
struct message *request_job(const struct request *request, bool fresh);
/** request_same() - does one reply serve both requests? */
bool request_same(const struct request *a, const struct request *b);
/** request_fetches() - is it a FETCH or UNPACK, which makes a tree? */
bool request_fetches(const struct request *request);

/** struct requests - a queue of requests, which it owns; all zeros is an empty queue */
struct requests {
	struct request *first, *last;
	size_t n;
};

/** requests_push() - append @request */
void requests_push(struct requests *requests, struct request *request);
/** requests_push_front() - put @request before all others */
void requests_push_front(struct requests *requests, struct request *request);
/** requests_take() - remove the request after @before (NULL: the first); the caller owns it */
struct request *requests_take(struct requests *requests, struct request *before);
/** requests_drop() - free all requests */
void requests_drop(struct requests *requests);

#endif
