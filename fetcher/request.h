/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_REQUEST_H
#define FETCHER_REQUEST_H

/* What the scheduler asks for, checked, and the line in which that waits. */

#include "common/fetch_outcome.h"
#include "common/limits.h"
#include "common/message.h"
#include "common/message_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct request - one question
 * @type:   MESSAGE_FETCH, MESSAGE_UNPACK, MESSAGE_TREE_REMOVE or MESSAGE_MIRROR_PRUNE
 * @epoch:  of the channel it came by
 * @fd:     what came with it, owned; -1: nothing
 * @n_killed: children of it that were killed from outside
 * @commit: "" for what the reference names; id of an upload or a tree
 * @before, @base_ref: for the changed paths, "" when they are not asked for
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
	bool fresh; /* as a child reads it; from the scheduler it says nothing */
};

/**
 * request_read() - take the fields of @message, and look at each
 *
 * Return: 0, -EBADMSG, -ENOMEM.
 */
int request_read(struct message *message, struct request **ret_request);
/** request_free() - NULL is fine. Return: NULL. */
struct request *request_free(struct request *request);
/** request_job() - the same for a child. @fresh: it need not ask the remote. Return: NULL: no memory. */
struct message *request_job(const struct request *request, bool fresh);
/** request_same() - will the answer to one answer the other? */
bool request_same(const struct request *a, const struct request *b);
/** request_fetches() - does it bring a tree? */
bool request_fetches(const struct request *request);

/** struct requests - a line of them; all zeros is an empty one */
struct requests {
	struct request *first, *last;
	size_t n;
};

void requests_push(struct requests *requests, struct request *request);
void requests_push_front(struct requests *requests, struct request *request);
/** requests_take() - the one behind @before (NULL: the first) leaves the line */
struct request *requests_take(struct requests *requests, struct request *before);
void requests_drop(struct requests *requests);

#endif
