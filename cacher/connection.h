/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHER_CONNECTION_H
#define CACHER_CONNECTION_H

/*
 * DOC: One request of a step
 *
 * A thread serves one connection: it reads one request, does it and replies (protocol.h). It
 * blocks while it does so, but each wait has a deadline and ends early when the step has ended.
 * Everything that a step sends is hostile input: lengths, keys, the descriptor.
 */

#include "cacher/protocol.h"
#include "cacher/store.h"
#include "common/limits.h"

#include <stdatomic.h>

#define CONNECTION_REQUEST_SEC 10 /* until request and key are complete */
#define CONNECTION_STALL_SEC 60	  /* for one chunk of an archive, or for the reply */

/** struct connection - a connection that a thread serves */
struct connection {
	int fd;			/* the socket; not owned */
	struct store_run *run;	/* the keys that this step may see */
	atomic_bool *cancelled; /* set by another thread: stop as soon as possible */
};

/** struct parsed_request - a valid request */
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
 * Return: 0, or -EINVAL with @error set to the text that the client prints.
 */
int request_parse(const struct cacher_request *head, const char *key,
		  struct parsed_request *ret_request, struct error *error);

/** connection_hello() - send CACHER_HELLO to a client that was accepted. Return: 0 or -errno. */
int connection_hello(int fd);

/** connection_serve() - read one request, do it, and reply */
void connection_serve(struct connection *connection);

#endif
