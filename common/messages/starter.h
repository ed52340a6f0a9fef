/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_MESSAGES_STARTER_H
#define COMMON_MESSAGES_STARTER_H

/*
 * Processes that fetch, between the fetcher's service and its starter (fetcher/starter.h).
 * common/message_fields.h says how this is read, common/message_table.h who may say what.
 */

#include "common/limits.h"
#include "common/message_fields.h"

#include <limits.h>
#include <stdint.h>

/* The service chooses a number that none of its children has. */
#define FETCH_CHILD_START_FIELDS(X, M)                                                             \
	X(M, NUMBER, child, FETCH_PARALLEL_MAX - 1)                                                \
	/* the child's descriptor 3: its job waits there, and there it answers */                  \
	X(M, FD, job)

/* A child that has ended already is not an error: its FETCH_CHILD_ENDED is on the way. */
#define FETCH_CHILD_KILL_FIELDS(X, M) X(M, NUMBER, child, FETCH_PARALLEL_MAX - 1)

#define FETCH_CHILD_ENDED_FIELDS(X, M)                                                             \
	X(M, NUMBER, child, FETCH_PARALLEL_MAX - 1)                                                \
	/* why it was not started, as errno; 0: it was */                                          \
	X(M, NUMBER, error, INT_MAX)                                                               \
	/* as of wait(2) */                                                                        \
	X(M, NUMBER, status, UINT16_MAX)

#define MESSAGES_STARTER(X)                                                                        \
	X(FETCH_CHILD_START, fetch_child_start)                                                    \
	X(FETCH_CHILD_KILL, fetch_child_kill)                                                      \
	X(FETCH_CHILD_ENDED, fetch_child_ended)

MESSAGES_STARTER(MESSAGE_DECLARE)

#endif
