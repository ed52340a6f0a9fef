/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEBHOOK_CONNECTION_H
#define WEBHOOK_CONNECTION_H

/*
 * DOC: Connections and their deadlines
 *
 * The HTTP library knows idle timeouts: a sender of one byte a second never
 * idles. So every connection has an absolute deadline here, and a watchdog in
 * the main thread shuts the socket down when it has passed; the library then
 * sees the end of the stream and cleans up in its own thread. A socket is shut
 * down only while it stands in the table, and it leaves the table before it is
 * closed: a recycled descriptor number is never hit.
 *
 *   SILENT   connected, no request line yet; also between two requests
 *   HEADER   from the request line to the end of the header
 *   BODY     from the end of the header to the answer
 *   ANSWER   the answer is being sent
 *   WAITING  suspended until the scheduler answers
 *
 * A header has a deadline of its own, which begins with the connection: it is a
 * few hundred bytes. Silent connections get a short time only when most of the
 * places are taken, and when all are, one gives way for each that comes (see
 * webhook/eviction.h). The HTTP library itself could take more: a connection
 * that cannot be accepted cannot be judged, and would wait behind the
 * attacker's.
 *
 * Lingering: an answer that is sent before the body was read would be lost in
 * the reset that closing a socket with unread data causes. Such a socket is
 * kept a little longer and read empty, within limits.
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

#define CONNECTION_SHED_SEC 2 /* for silent ones when places are short */
#define LINGER_MAX 64
#define LINGER_SEC 3
#define LINGER_BYTES (64 * MIB)

/* What the HTTP library may hold: those that give way need a moment to be gone. */
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
	bool dropped;
	bool served; /* a request was answered */
	enum connection_state state;
	uint64_t since_usec; /* in this state; SILENT and HEADER of the first request: connected */
	uint64_t deadline_usec;
	uint64_t body_bytes; /* that came in state BODY */
};

struct connection_table {
	struct loop *loop;
	pthread_mutex_t lock;
	struct list connections;
	size_t n_connections;
	size_t capacity;
	struct occupant *occupants;  /* CONNECTIONS_HELD_MAX, for the choice of who gives way */
	size_t n_evicted, n_refused; /* since the last line about them */
	uint64_t told_usec;
	struct list lingering; /* handed over, not yet watched */
	size_t n_lingering;
	int wake_fd;
	struct loop_file wake;
	struct loop_timer timer;
	struct list watched; /* main thread only */
};

int connection_table_init(struct connection_table *table, struct loop *loop);
/** connection_table_grow() - a listener was added (@places > 0) or is gone (< 0) */
void connection_table_grow(struct connection_table *table, long places);
void connection_table_close(struct connection_table *table);

/**
 * connection_admit() - may this address have one more connection of @owner?
 *
 * Counts IPv4 addresses and IPv6 /64 networks. Loopback and unix sockets are
 * not counted: there sits the proxy that does TLS. When all places of @owner
 * are taken another connection gives way; when none may, only addresses with
 * few connections are let in, as long as there are spare places.
 */
bool connection_admit(struct connection_table *table, const void *owner,
		      const struct sockaddr *address, socklen_t length);
/** connection_open() - note an accepted socket. NULL when out of memory. */
struct connection *connection_open(struct connection_table *table, const void *owner, int fd,
				   const struct sockaddr *address);
/** connection_close() - the socket is about to be closed. Any thread. */
void connection_close(struct connection *connection);
/** connection_set_state() - and with it the deadline */
void connection_set_state(struct connection *connection, enum connection_state state);
/** connection_progress() - @bytes of the body came */
void connection_progress(struct connection *connection, size_t bytes);
/** connection_set_linger() - read what still comes before it is closed for good */
void connection_set_linger(struct connection *connection);

/** connection_count() - how many has @owner (NULL: all)? */
size_t connection_count(struct connection_table *table, const void *owner);
/** connection_drop() - shut down those of @owner that are silent for @silent_usec */
void connection_drop(struct connection_table *table, const void *owner, uint64_t silent_usec);

#endif
