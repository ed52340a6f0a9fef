/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_MESSAGES_ARTIFACTS_H
#define COMMON_MESSAGES_ARTIFACTS_H

/*
 * Artifacts: what the daemon, the api and the scheduler say to the cacher, and what it
 * answers. common/message_fields.h says how this is read, common/message_table.h who may
 * say what.
 */

#include "common/limits.h"
#include "common/message_fields.h"

/** enum artifact_form - how an artifact leaves the cacher */
enum artifact_form {
	ARTIFACT_FORM_FILE = 0, /* the descriptor is a file with it */
	ARTIFACT_FORM_ZSTD = 1, /* it is a file with frames of zstd that unpack to it */
	ARTIFACT_FORM_PIPE = 2, /* it comes out of a pipe */
	ARTIFACT_FORMS_NUM,
};

#define ARTIFACT_KIND_MAX 15 /* "file", or "directory" for a pax tar */

/* The socket of a step: what is put and got there are artifacts of its run. */
#define CACHER_LISTEN_FIELDS(X, M)                                                                 \
	X(M, NUMBER, order, UINT64_MAX)                                                            \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	X(M, NUMBER, run, UINT64_MAX)                                                              \
	X(M, TEXT, slug, STEP_SLUG_MAX)                                                            \
	/* listens, AF_UNIX and SOCK_STREAM */                                                     \
	X(M, FD, socket)

#define CACHER_CLOSE_FIELDS(X, M) X(M, NUMBER, order, UINT64_MAX)

#define ARTIFACT_LIST_FIELDS(X, M)                                                                 \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	X(M, NUMBER, run, UINT64_MAX)

#define ARTIFACT_LISTED_FIELDS(X, M)                                                               \
	/* of HTTP */                                                                              \
	X(M, NUMBER, status, UINT64_MAX)                                                           \
	/* with 200: a memfd with JSON {"artifacts":[{key,kind,size,digest,created}]} */           \
	X(M, FD_OR_NONE, list)

#define ARTIFACT_OPEN_FIELDS(X, M)                                                                 \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	X(M, NUMBER, run, UINT64_MAX)                                                              \
	X(M, TEXT, key, ARTIFACT_KEY_MAX)                                                          \
	/* ARTIFACT_FORM_ZSTD is welcome */                                                        \
	X(M, FLAG, zstd)

#define ARTIFACT_OPENED_FIELDS(X, M)                                                               \
	/* of HTTP */                                                                              \
	X(M, NUMBER, status, UINT64_MAX)                                                           \
	X(M, TEXT, kind, ARTIFACT_KIND_MAX)                                                        \
	/* unpacked, in bytes */                                                                   \
	X(M, NUMBER, size, UINT64_MAX)                                                             \
	X(M, ENUM, form, artifact_form, ARTIFACT_FORMS_NUM)                                        \
	/* with 200 */                                                                             \
	X(M, FD_OR_NONE, content)

#define ARTIFACT_PUT_FIELDS(X, M)                                                                  \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	X(M, NUMBER, run, UINT64_MAX)                                                              \
	X(M, TEXT, key, ARTIFACT_KEY_MAX)                                                          \
	X(M, NUMBER, mode, UINT64_MAX)                                                             \
	X(M, NUMBER, modified_sec, UINT64_MAX)                                                     \
	/* a file */                                                                               \
	X(M, FD, content)

#define ARTIFACT_KEPT_FIELDS(X, M)                                                                 \
	/* of HTTP */                                                                              \
	X(M, NUMBER, status, UINT64_MAX)                                                           \
	/* "" when it is kept */                                                                   \
	X(M, SENTENCE, error, ERROR_TEXT_MAX)

/* Answered with the same serial. */
#define ARTIFACTS_MEASURE_FIELDS(X, M)                                                             \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	X(M, NUMBER, run, UINT64_MAX)

/* With serial 0 when the api put one: the run may have ended long ago, or be gone. */
#define ARTIFACTS_MEASURED_FIELDS(X, M)                                                            \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	X(M, NUMBER, run, UINT64_MAX)                                                              \
	/* of all its keys; UINT64_MAX: they cannot be read */                                     \
	X(M, NUMBER, bytes, UINT64_MAX)

/* Remove what the keys of the run name, unless another run names the same. */
#define ARTIFACTS_REMOVE_FIELDS(X, M)                                                              \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	X(M, NUMBER, run, UINT64_MAX)

#define ARTIFACTS_REMOVED_FIELDS(X, M)                                                             \
	X(M, NUMBER, run, UINT64_MAX)                                                              \
	/* "": they are gone, or there were none */                                                \
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
