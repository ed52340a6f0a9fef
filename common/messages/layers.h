/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_MESSAGES_LAYERS_H
#define COMMON_MESSAGES_LAYERS_H

/*
 * Layers of images, between runbook-image and the daemon, which unpacks and removes them
 * in a sandbox. common/message_fields.h says how this is read, common/message_table.h who
 * may say what, daemon/layers.h in which order. A job is a number of runbook-image's.
 */

#include "common/error.h"
#include "common/image.h"
#include "common/message_fields.h"

#include <limits.h>

#define LAYER_UNPACK_FIELDS(X, M)                                                                  \
	/* not 0 */                                                                                \
	X(M, NUMBER, job, UINT64_MAX)                                                              \
	/* of the packed layer; "": it is not checked */                                           \
	X(M, TEXT, digest, IMAGE_ID_SIZE - 1)                                                      \
	/* its id; "": not known yet */                                                            \
	X(M, TEXT, layer, IMAGE_ID_SIZE - 1)                                                       \
	/* the packed layer, a regular file */                                                     \
	X(M, FD, blob)

#define LAYER_UNPACKING_FIELDS(X, M)                                                               \
	X(M, NUMBER, job, UINT64_MAX)                                                              \
	/* a pipe with what the unpacker reports, to its end */                                    \
	X(M, FD, report)

#define LAYER_UNPACKED_FIELDS(X, M)                                                                \
	X(M, NUMBER, job, UINT64_MAX)                                                              \
	/* errno value; 0 when it ended well: what was unpacked then waits for its LAYER_COMMIT */ \
	X(M, NUMBER, number, ERRNO_MAX)                                                            \
	X(M, SENTENCE, error, ERROR_TEXT_MAX - 1)

#define LAYER_OPAQUE_FIELDS(X, M)                                                                  \
	X(M, NUMBER, job, UINT64_MAX)                                                              \
	/* of a directory in it that hides what is below */                                        \
	X(M, TEXT, path, PATH_MAX - 1)

#define LAYER_COMMIT_FIELDS(X, M)                                                                  \
	X(M, NUMBER, job, UINT64_MAX)                                                              \
	/* "": throw it away, which is not answered */                                             \
	X(M, TEXT, layer, IMAGE_ID_SIZE - 1)

#define LAYER_COMMITTED_FIELDS(X, M)                                                               \
	X(M, NUMBER, job, UINT64_MAX)                                                              \
	/* errno value; 0 when the layer is there to stay */                                       \
	X(M, NUMBER, number, ERRNO_MAX)                                                            \
	X(M, SENTENCE, error, ERROR_TEXT_MAX - 1)

/* No image has it any more. */
#define LAYER_FORGET_FIELDS(X, M) X(M, TEXT, layer, IMAGE_ID_SIZE - 1)

#define LAYER_FORGOTTEN_FIELDS(X, M)                                                               \
	X(M, TEXT, layer, IMAGE_ID_SIZE - 1)                                                       \
	/* by a step, so that it stays */                                                          \
	X(M, FLAG, used)

#define MESSAGES_LAYERS(X)                                                                         \
	X(LAYER_UNPACK, layer_unpack)                                                              \
	X(LAYER_UNPACKING, layer_unpacking)                                                        \
	X(LAYER_UNPACKED, layer_unpacked)                                                          \
	X(LAYER_OPAQUE, layer_opaque)                                                              \
	X(LAYER_COMMIT, layer_commit)                                                              \
	X(LAYER_COMMITTED, layer_committed)                                                        \
	X(LAYER_FORGET, layer_forget)                                                              \
	X(LAYER_FORGOTTEN, layer_forgotten)

MESSAGES_LAYERS(MESSAGE_DECLARE)

#endif
