/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEBHOOK_LISTENER_H
#define WEBHOOK_LISTENER_H

/*
 * DOC: Listening sockets
 *
 * Each listening socket has a libmicrohttpd daemon of its own with two threads, in
 * poll mode (in epoll mode 0.9.75 stalls with exactly 128·n busy connections). Only
 * listener.c and request.c use the library. The main thread starts and stops
 * listeners; everything else here runs in their threads.
 *
 * A listener ends in two phases. listener_drain() stops accepting and lets requests
 * finish; the owner then calls listener_stop() until the last connection is closed.
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

/** struct server - the state that all listeners share */
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
	uint64_t drained_usec; /* when listener_drain() was called */
	char address[256];     /* as configured, for messages */
};

/**
 * listener_start() - serve the listening socket @fd
 * @address: as configured, copied
 * @fd:      taken over on success
 *
 * Return: 0, or -errno with a sentence in @error.
 */
int listener_start(struct server *server, const char *address, int fd,
		   struct listener **ret_listener, struct error *error);
/** listener_serves() - does @fd, another descriptor, refer to the listener's socket? */
bool listener_serves(const struct listener *listener, int fd);
/** listener_drain() - stop accepting; answers close their connection from now on */
void listener_drain(struct listener *listener);
/**
 * listener_stop() - drop idle connections, and free @listener when none is left
 *
 * Return: false while there are connections; call again later. A connection that
 * is suspended until the scheduler answers must not be stopped.
 */
bool listener_stop(struct listener *listener);

#endif
