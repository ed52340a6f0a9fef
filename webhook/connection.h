/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEBHOOK_CONNECTION_H
#define WEBHOOK_CONNECTION_H

/*
 * DOC: Connections and their deadlines
 *
 * libmicrohttpd has idle timeouts only, and a client that sends one byte a second
 * is never idle. So every connection has an absolute deadline in this table. A
 * watchdog in the main thread shuts the socket down when its deadline has passed;
 * the library then reads the end of the stream and cleans up in its own thread. A
 * socket is shut down only while it is in the table, and it leaves the table before
 * it is closed, so the watchdog never hits a recycled descriptor number.
 *
 *   SILENT   connected, no request line yet; also between two requests
 *   HEADER   from the request line to the end of the header
 *   BODY     from the end of the header to the answer
 *   ANSWER   the answer is being sent
 *   WAITING  suspended until the scheduler answers
 *
 * A header has a deadline of its own, which begins with the connection: a header is
 * a few hundred bytes. Silent connections are closed early when most of the places
 * are taken. When all places are taken, each new connection evicts an old one (see
 * webhook/eviction.h). The library's own limit is higher than the number of places:
 * this table can judge only connections that were accepted, and the others would
 * wait in the backlog behind the attacker's.
 *
 * Lingering: closing a socket with unread data resets the connection, and the reset
 * would destroy an answer that was sent before the body was read. Such a socket
 * stays open a little longer and is read until it is empty, within limits.
 *
 * The HTTP threads open, change and close connections; the main thread runs the
 * watchdog and the lingering sockets. The table's lock covers all of it.
 */

#include "common/limits.h"
#include "common/list.h"
#include "common/loop.h"
#include "webhook/eviction.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define CONNECTION_SHED_SEC 2 /* for silent connections when most places are taken */
#define LINGER_MAX 64
#define LINGER_SEC 3
#define LINGER_BYTES (64 * MIB)

/* Limit of the HTTP library: an evicted connection counts until its thread has closed it. */
#define CONNECTIONS_HELD_MAX (2 * (WEBHOOK_CONNECTIONS_MAX + WEBHOOK_CONNECTIONS_SPARE))

enum connection_state {
	CONNECTION_SILENT,
	CONNECTION_HEADER,
	CONNECTION_BODY,
	CONNECTION_ANSWER,
	CONNECTION_WAITING,
};

struct connection {
	struct list_node node;
	struct connection_table *table;
	const void *owner;
	int fd; /* not owned */
	struct address_key key;
	bool linger;
	bool dropped; /* it was shut down; its thread has not closed it yet */
	bool served;  /* a request was answered */
	enum connection_state state;
	uint64_t since_usec; /* begin of the state; of the connection until the first body */
	uint64_t deadline_usec;
	uint64_t body_bytes; /* received in state BODY */
};

struct connection_table {
	struct loop *loop;
	pthread_mutex_t lock;
	struct list connections;
	size_t n_connections;
	size_t capacity;	     /* places of all listeners */
	struct occupant *occupants;  /* CONNECTIONS_HELD_MAX, workspace of the eviction */
	size_t n_evicted, n_refused; /* since they were last logged */
	uint64_t logged_usec;
	struct list lingering; /* handed over, not yet watched */
	size_t n_lingering;
	int wake_fd;
	struct loop_file wake;
	struct loop_timer timer;
	struct list watched; /* main thread only */
};

/** connection_table_init() - an empty table, watched in @loop. Return: 0 or -errno. */
int connection_table_init(struct connection_table *table, struct loop *loop);
/** connection_table_grow() - a listener adds its @places, or takes them away (< 0) */
void connection_table_grow(struct connection_table *table, long places);
/** connection_table_close() - main thread, when no HTTP thread is left */
void connection_table_close(struct connection_table *table);

/**
 * connection_admit() - may @address have one more connection to the listener @owner?
 *
 * Connections are counted for each IPv4 address or IPv6 /64 network. Loopback and
 * unix sockets have no such limit, because the reverse proxy that does TLS connects
 * from there. When all places of @owner are taken, another connection is evicted.
 * If none may be, only addresses with few connections are admitted, as long as
 * there are spare places.
 */
bool connection_admit(struct connection_table *table, const void *owner,
		      const struct sockaddr *address, socklen_t length);
/** connection_open() - enter an accepted socket into the table. NULL when out of memory. */
struct connection *connection_open(struct connection_table *table, const void *owner, int fd,
				   const struct sockaddr *address);
/** connection_close() - the socket is about to be closed. Any thread. */
void connection_close(struct connection *connection);
/** connection_set_state() - change the state and set the deadline that belongs to it */
void connection_set_state(struct connection *connection, enum connection_state state);
/** connection_progress() - @bytes of the body arrived */
void connection_progress(struct connection *connection, size_t bytes);
/** connection_set_linger() - let connection_close() read the rest of the body first */
void connection_set_linger(struct connection *connection);

/** connection_count() - number of connections of @owner, or of all when it is NULL */
size_t connection_count(struct connection_table *table, const void *owner);
/** connection_drop() - shut down the connections of @owner that were silent for @silent_usec */
void connection_drop(struct connection_table *table, const void *owner, uint64_t silent_usec);

#endif
