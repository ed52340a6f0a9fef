/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEBHOOK_LISTENER_H
#define WEBHOOK_LISTENER_H

/*
 * DOC: The HTTP side
 *
 * One libmicrohttpd daemon for each listening socket, two threads each, in poll
 * mode (in epoll mode 0.9.75 stalls with exactly 128·n busy connections). This
 * file and request.c are all that knows the library.
 */

#include "common/error.h"
#include "webhook/body.h"
#include "webhook/connection.h"
#include "webhook/hooks.h"
#include "webhook/trigger.h"

#include <stdatomic.h>
#include <stdbool.h>

#define LISTENER_THREADS 2

struct MHD_Daemon;

/** struct server - what all listeners share */
struct server {
	struct hook_store hooks;
	struct trigger_queue triggers;
	struct connection_table connections;
	struct body_budget bodies;
};

struct listener {
	struct listener *next;
	struct server *server;
	struct MHD_Daemon *http;
	int fd; /* owned */
	atomic_bool draining;
	uint64_t drained_usec; /* since when */
	char address[256];     /* as configured, for messages */
};

/**
 * listener_start() - serve @fd
 * @fd: listening socket, taken over on success
 */
int listener_start(struct server *server, const char *address, int fd,
		   struct listener **ret_listener, struct error *error);
/** listener_serves() - is @fd the same socket? (not the same descriptor: the same socket) */
bool listener_serves(const struct listener *listener, int fd);
/** listener_drain() - accept no more, drop idle connections, let requests finish */
void listener_drain(struct listener *listener);
/**
 * listener_stop() - end it, if all of its connections are gone
 *
 * Return: false while there are some; call again later. A connection that waits
 * for the scheduler must not be stopped under it.
 */
bool listener_stop(struct listener *listener);

#endif
