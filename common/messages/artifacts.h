/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_MESSAGES_ARTIFACTS_H
#define COMMON_MESSAGES_ARTIFACTS_H

/*
 * Artifacts: requests of the daemon, the api and the scheduler to the cacher, and replies. See
 * common/message_fields.h for the tables, common/message_table.h for senders and receivers.
 */

#include "common/limits.h"
#include "common/message_fields.h"

/** enum artifact_form - how an artifact leaves the cacher */
enum artifact_form {
	ARTIFACT_FORM_FILE = 0, /* the descriptor is the file itself */
	ARTIFACT_FORM_ZSTD = 1, /* the descriptor is a file of zstd frames */
	ARTIFACT_FORM_PIPE = 2, /* the descriptor is a pipe that delivers it */
	ARTIFACT_FORMS_NUM,
};

#define ARTIFACT_KIND_MAX 15 /* "file", or "directory" for a pax tar */

/* Serve the socket of a step, for artifacts of its run. */
#define CACHER_LISTEN_FIELDS(X, M)                                                                 \
	X(M, NUMBER, order, UINT64_MAX)                                                            \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	X(M, NUMBER, run, UINT64_MAX)                                                              \
	X(M, TEXT, slug, STEP_SLUG_MAX)                                                            \
	/* a listening socket, AF_UNIX and SOCK_STREAM */                                          \
	X(M, FD, socket)

/* The step has ended: stop serving its socket. */
#define CACHER_CLOSE_FIELDS(X, M) X(M, NUMBER, order, UINT64_MAX)

/* List the artifacts of a run. */
#define ARTIFACT_LIST_FIELDS(X, M)                                                                 \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	X(M, NUMBER, run, UINT64_MAX)

#define ARTIFACT_LISTED_FIELDS(X, M)                                                               \
	/* HTTP status */                                                                          \
	X(M, NUMBER, status, UINT64_MAX)                                                           \
	/* with 200: a memfd with JSON {"artifacts":[{key,kind,size,digest,created}]} */           \
	X(M, FD_OR_NONE, list)

/* Open an artifact for download. */
#define ARTIFACT_OPEN_FIELDS(X, M)                                                                 \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	X(M, NUMBER, run, UINT64_MAX)                                                              \
	X(M, TEXT, key, ARTIFACT_KEY_MAX)                                                          \
	/* the receiver accepts ARTIFACT_FORM_ZSTD */                                              \
	X(M, FLAG, zstd)

#define ARTIFACT_OPENED_FIELDS(X, M)                                                               \
	/* HTTP status */                                                                          \
	X(M, NUMBER, status, UINT64_MAX)                                                           \
	X(M, TEXT, kind, ARTIFACT_KIND_MAX)                                                        \
	/* unpacked, in bytes */                                                                   \
	X(M, NUMBER, size, UINT64_MAX)                                                             \
	X(M, ENUM, form, artifact_form, ARTIFACT_FORMS_NUM)                                        \
	/* with 200 */                                                                             \
	X(M, FD_OR_NONE, content)

/* Store an uploaded artifact. */
#define ARTIFACT_PUT_FIELDS(X, M)                                                                  \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	X(M, NUMBER, run, UINT64_MAX)                                                              \
	X(M, TEXT, key, ARTIFACT_KEY_MAX)                                                          \
	X(M, NUMBER, mode, UINT64_MAX)                                                             \
	X(M, NUMBER, modified_sec, UINT64_MAX)                                                     \
	/* a regular file */                                                                       \
	X(M, FD, content)

/* The reply to ARTIFACT_PUT. */
#define ARTIFACT_KEPT_FIELDS(X, M)                                                                 \
	/* HTTP status */                                                                          \
	X(M, NUMBER, status, UINT64_MAX)                                                           \
	/* "" if it is stored */                                                                   \
	X(M, SENTENCE, error, ERROR_TEXT_MAX)

/* Measure the artifacts of a run; ARTIFACTS_MEASURED has the same serial. */
#define ARTIFACTS_MEASURE_FIELDS(X, M)                                                             \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	X(M, NUMBER, run, UINT64_MAX)

/* With serial 0 after an upload by the api: the run may have ended long ago, or be removed. */
#define ARTIFACTS_MEASURED_FIELDS(X, M)                                                            \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	X(M, NUMBER, run, UINT64_MAX)                                                              \
	/* of all its artifacts; UINT64_MAX: unreadable */                                         \
	X(M, NUMBER, bytes, UINT64_MAX)

/* Remove the artifacts of a run, and their contents unless another run uses them. */
#define ARTIFACTS_REMOVE_FIELDS(X, M)                                                              \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	X(M, NUMBER, run, UINT64_MAX)

#define ARTIFACTS_REMOVED_FIELDS(X, M)                                                             \
	X(M, NUMBER, run, UINT64_MAX)                                                              \
	/* "": they are removed, or there were none */                                             \
	X(M, SENTENCE, error, REASON_MAX)

#define MESSAGES_ARTIFACTS(X)                                                                      \
	X(CACHER_LISTEN, cacher_listen)                                                            \
	X(CACHER_CLOSE, cacher_close)                                                              \
	X(ARTIFACT_LIST, artifact_list)                                                            \
	X(ARTIFACT_LISTED, artifact_listed)                                                        \
	X(ARTIFACT_OPEN, artifact_open)                                                            \
	X(ARTIFACT_OPENED, artifact_opened)                                                        \
	X(ARTIFACT_PUT, artifact_put)                                                              \
	X(ARTIFACT_KEPT, artifact_kept)                                                            \
	X(ARTIFACTS_MEASURE, artifacts_measure)                                                    \
	X(ARTIFACTS_MEASURED, artifacts_measured)                                                  \
	X(ARTIFACTS_REMOVE, artifacts_remove)                                                      \
	X(ARTIFACTS_REMOVED, artifacts_removed)

MESSAGES_ARTIFACTS(MESSAGE_DECLARE)

#endif
