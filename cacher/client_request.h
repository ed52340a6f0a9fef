/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHER_CLIENT_REQUEST_H
#define CACHER_CLIENT_REQUEST_H

/* One request of the client to the service, repeated while the service is away. */

#include "cacher/protocol.h"
#include "common/error.h"

#include <stdbool.h>

/**
 * struct client_request - what to ask
 * @verb, @kind, @key, @mode: as in struct cacher_request; @key may be NULL for ls
 * @file_fd:      put of a file: opened for reading; otherwise -1
 * @directory_fd: put of a directory: the directory; otherwise -1
 * @source:       its name, for error texts
 */
struct client_request {
	enum cacher_verb verb;
	enum cacher_kind kind;
	const char *key;
	unsigned mode;
	int file_fd;
	int directory_fd;
	const char *source;
};

/**
 * struct client_answer - what the service said
 * @text: message for a person; "" when there is none
 * @fd:   what was passed with it, -1 when nothing; the caller closes it
 */
struct client_answer {
	struct cacher_answer head;
	char text[CACHER_TEXT_MAX + 1];
	int fd;
};

enum client_outcome {
	CLIENT_ANSWERED = 0,
	CLIENT_UNAVAILABLE = 1, /* no service within the patience: exit code 5 */
	CLIENT_LOCAL = 2,	/* something on this side cannot be read */
};

/**
 * client_request() - ask until there is an answer
 * @socket_path: of the service
 * @patience_sec: how long the service may be away, from the first failure on
 *
 * A service that dies in the middle is asked again from the start: every
 * request may be repeated without harm.
 */
enum client_outcome client_request(const char *socket_path, unsigned patience_sec,
				   const struct client_request *request,
				   struct client_answer *ret_answer, struct error *error);

#endif
