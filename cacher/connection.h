/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHER_CONNECTION_H
#define CACHER_CONNECTION_H

/*
 * DOC: One request of a step
 *
 * Served by a thread of its own, with blocking steps that all have deadlines.
 * Everything that a step sends is hostile: lengths, keys, the descriptor.
 */

#include "cacher/protocol.h"
#include "cacher/store.h"
#include "common/limits.h"

#include <stdatomic.h>

#define CONNECTION_REQUEST_SEC 10 /* request and key, from the start of serving on */
#define CONNECTION_STALL_SEC 60	  /* one chunk of an archive; taking the answer */

/** struct connection - what serving needs */
struct connection {
	int fd;			/* not owned */
	struct store_run *run;	/* the keys that this step may see */
	atomic_bool *cancelled; /* set: stop as soon as possible */
};

/** struct parsed_request - a request that makes sense */
struct parsed_request {
	enum cacher_verb verb;
	enum cacher_kind kind;
	unsigned mode;
	char key[ARTIFACT_KEY_MAX + 1]; /* "" for ls */
};

/**
 * request_parse() - check a request
 * @key: @head->key_length bytes, not terminated
 *
 * Return: 0, or -EINVAL with @error set to what the client shows.
 */
int request_parse(const struct cacher_request *head, const char *key,
		  struct parsed_request *ret_request, struct error *error);

/** connection_hello() - tell a new client that it will be served. Return: 0 or -errno. */
int connection_hello(int fd);

/** connection_serve() - read one request, do it, answer it */
void connection_serve(struct connection *connection);

#endif
