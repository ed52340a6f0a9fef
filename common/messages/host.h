/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_MESSAGES_HOST_H
#define COMMON_MESSAGES_HOST_H

/*
 * What the daemon says of its host, and does for the scheduler and the api beside steps.
 * common/message_fields.h says how this is read, common/message_table.h who may say what.
 */

#include "common/error.h"
#include "common/limits.h"
#include "common/message_fields.h"
#include "common/secret_keys.h"

#include <limits.h>

/* ---- room on disk ---- */

/* Why no step may start now: too little room on disk. "": they may. */
#define HOST_SPACE_FIELDS(X, M) X(M, SENTENCE, reason, REASON_MAX)

/* Bytes that are missing to what [Retention] KeepFree= wants free; 0: enough is free. */
#define HOST_SHORT_FIELDS(X, M)                                                                    \
	X(M, NUMBER, logs, UINT64_MAX)                                                             \
	X(M, NUMBER, state, UINT64_MAX)                                                            \
	/* both are on one file system */                                                          \
	X(M, FLAG, one)

/* Remove the logs of a run, of which none is being written. */
#define LOG_REMOVE_FIELDS(X, M)                                                                    \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	X(M, NUMBER, run, UINT64_MAX)

#define LOG_REMOVED_FIELDS(X, M)                                                                   \
	X(M, NUMBER, run, UINT64_MAX)                                                              \
	/* "": they are gone, or there were none */                                                \
	X(M, SENTENCE, error, REASON_MAX)

/* ---- keys of secrets ---- */

/*
 * Also between configurations, after SECRET_KEY_NEW: then the error is that one's, and the
 * keys are the old ones.
 */
#define SECRET_KEYS_FIELDS(X, M)                                                                   \
	/* runbookd cannot change them */                                                          \
	X(M, FLAG, fixed)                                                                          \
	/* where they are, for people */                                                           \
	X(M, TEXT, source, PATH_MAX - 1)                                                           \
	X(M, SENTENCE, error, ERROR_TEXT_MAX - 1)                                                  \
	/* a sealed memfd, see common/secret_keys.h; none when they cannot be read */              \
	X(M, FD_OR_NONE, keys)

/* Put a new key in front of the others. */
#define SECRET_KEY_NEW_FIELDS(X, M)

/* Nothing is encrypted with the other keys any more. */
#define SECRET_KEY_KEEP_FIELDS(X, M) X(M, TEXT, id, SECRET_KEY_ID_MAX)

/* ---- configuration ---- */

/* Read the configuration again. Answered by RELOADED with the same serial. */
#define RELOAD_FIELDS(X, M)

/* "" when the new configuration is in force */
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
