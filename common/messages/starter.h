/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_MESSAGES_STARTER_H
#define COMMON_MESSAGES_STARTER_H

/*
 * Child processes that fetch, between the fetcher's service and its starter
 * (fetcher/starter.h). See common/message_fields.h for the tables, common/message_table.h for
 * senders and receivers.
 */

#include "common/limits.h"
#include "common/message_fields.h"

#include <limits.h>
#include <stdint.h>

/*
 * Start a child. The service chooses a number that no other child has. The starter passes the same
 * message on to the child, which waits for it on its descriptor 3.
 */
#define FETCH_CHILD_START_FIELDS(X, M)                                                             \
	X(M, NUMBER, child, FETCH_PARALLEL_MAX - 1)                                                \
	/* its job waits in that socket, and its reply comes there */                              \
	X(M, FD, job)

/* Kill a child. It may have ended already, with its FETCH_CHILD_ENDED on the way. */
#define FETCH_CHILD_KILL_FIELDS(X, M) X(M, NUMBER, child, FETCH_PARALLEL_MAX - 1)

#define FETCH_CHILD_ENDED_FIELDS(X, M)                                                             \
	X(M, NUMBER, child, FETCH_PARALLEL_MAX - 1)                                                \
	/* errno value if it could not be started, else 0 */                                       \
	X(M, NUMBER, error, INT_MAX)                                                               \
	/* wait status, as of waitpid(2) */                                                        \
	X(M, NUMBER, status, UINT16_MAX)

#define MESSAGES_STARTER(X)                                                                        \
	X(FETCH_CHILD_START, fetch_child_start)                                                    \
	X(FETCH_CHILD_KILL, fetch_child_kill)                                                      \
	X(FETCH_CHILD_ENDED, fetch_child_ended)

MESSAGES_STARTER(MESSAGE_DECLARE)

#endif
