/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_MESSAGES_HOST_H
#define COMMON_MESSAGES_HOST_H

/*
 * Reports of the daemon about its host, and requests of the scheduler and the api to it that do
 * not concern steps. See common/message_fields.h for the tables, common/message_table.h for
 * senders and receivers.
 */

#include "common/error.h"
#include "common/limits.h"
#include "common/message_fields.h"
#include "common/secret_keys.h"

#include <limits.h>

/* ---- room on disk ---- */

/* reason: the disk is too full to start steps. "": steps may start */
#define HOST_SPACE_FIELDS(X, M) X(M, SENTENCE, reason, REASON_MAX)

/* Bytes to free until [Retention] KeepFree= is satisfied; 0: enough is free. */
#define HOST_SHORT_FIELDS(X, M)                                                                    \
	X(M, NUMBER, logs, UINT64_MAX)                                                             \
	X(M, NUMBER, state, UINT64_MAX)                                                            \
	/* logs and state are on one file system */                                                \
	X(M, FLAG, one)

/* Remove the logs of a run. None of its steps may be running. */
#define LOG_REMOVE_FIELDS(X, M)                                                                    \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	X(M, NUMBER, run, UINT64_MAX)

#define LOG_REMOVED_FIELDS(X, M)                                                                   \
	X(M, NUMBER, run, UINT64_MAX)                                                              \
	/* "": they are removed, or there were none */                                             \
	X(M, SENTENCE, error, REASON_MAX)

/* ---- keys of secrets ---- */

/*
 * The keys of the secret store. Part of each configuration, and the reply to SECRET_KEY_NEW:
 * then an error belongs to that request, and the keys are the old ones.
 */
#define SECRET_KEYS_FIELDS(X, M)                                                                   \
	/* the source is read-only */                                                              \
	X(M, FLAG, fixed)                                                                          \
	/* their location, for people */                                                           \
	X(M, TEXT, source, PATH_MAX - 1)                                                           \
	X(M, SENTENCE, error, ERROR_TEXT_MAX - 1)                                                  \
	/* a sealed memfd, see common/secret_keys.h; none if they cannot be read */                \
	X(M, FD_OR_NONE, keys)

/* Make a new key and put it before the others. */
#define SECRET_KEY_NEW_FIELDS(X, M)

/* Remove all keys except this one: no secret is encrypted with the others any more. */
#define SECRET_KEY_KEEP_FIELDS(X, M) X(M, TEXT, id, SECRET_KEY_ID_MAX)

/* ---- configuration ---- */

/* Read the configuration again. RELOADED has the same serial. */
#define RELOAD_FIELDS(X, M)

/* error: "" if the new configuration is in force */
#define RELOADED_FIELDS(X, M) X(M, SENTENCE, error, ERROR_TEXT_MAX - 1)

#define MESSAGES_HOST(X)                                                                           \
	X(HOST_SPACE, host_space)                                                                  \
	X(HOST_SHORT, host_short)                                                                  \
	X(LOG_REMOVE, log_remove)                                                                  \
	X(LOG_REMOVED, log_removed)                                                                \
	X(SECRET_KEYS, secret_keys)                                                                \
	X(SECRET_KEY_NEW, secret_key_new)                                                          \
	X(SECRET_KEY_KEEP, secret_key_keep)                                                        \
	X(RELOAD, reload)                                                                          \
	X(RELOADED, reloaded)

MESSAGES_HOST(MESSAGE_DECLARE)

#endif
