/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHER_CLIENT_REQUEST_H
#define CACHER_CLIENT_REQUEST_H

/*
 * DOC: The client's request
 *
 * Sends one request to the service (protocol.h) and receives the reply. runbookd may restart the
 * service at any time, and the step's listening socket survives that; so a request that fails for
 * want of a service is sent again from the start until one replies. Every request may be repeated
 * without harm.
 */

#include "cacher/protocol.h"
#include "common/error.h"

#include <stdbool.h>

/**
 * struct client_request - a request
 * @verb, @kind, @key, @mode: as in struct cacher_request; @key may be NULL for ls
 * @file_fd:      put of a file: the file, opened for reading; otherwise -1
 * @directory_fd: put of a directory: the directory; otherwise -1
 * @source:       name of the file or directory in error texts
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
 * struct client_answer - the service's reply
 * @text: a message for a person, or ""
 * @fd:   the descriptor that came with it, closed by the caller; -1: none
 */
struct client_answer {
	struct cacher_answer head;
	char text[CACHER_TEXT_MAX + 1];
	int fd;
};

enum client_outcome {
	CLIENT_ANSWERED = 0,
	CLIENT_UNAVAILABLE = 1, /* no service replied within the timeout: exit code 5 */
	CLIENT_LOCAL = 2,	/* the file or directory to be stored cannot be read */
};

/**
 * client_request() - send @request until the service replies
 * @socket_path:  the step's socket
 * @patience_sec: seconds that the service may be away, from the first failure on
 * @ret_answer:   valid after CLIENT_ANSWERED
 * @error:        set otherwise
 */
enum client_outcome client_request(const char *socket_path, unsigned patience_sec,
				   const struct client_request *request,
				   struct client_answer *ret_answer, struct error *error);

#endif
