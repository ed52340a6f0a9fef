/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_MESSAGES_LAYERS_H
#define COMMON_MESSAGES_LAYERS_H

/*
 * Layers of images, between runbook-image and the daemon, which unpacks and removes them in a
 * sandbox. daemon/layers.h describes the order of messages. A job is a number chosen by
 * runbook-image. See common/message_fields.h for the tables, common/message_table.h for senders
 * and receivers.
 */

#include "common/error.h"
#include "common/image.h"
#include "common/message_fields.h"

#include <limits.h>

/* Unpack a layer in a sandbox. */
#define LAYER_UNPACK_FIELDS(X, M)                                                                  \
	/* not 0 */                                                                                \
	X(M, NUMBER, job, UINT64_MAX)                                                              \
	/* of the packed layer; "": do not check it */                                             \
	X(M, TEXT, digest, IMAGE_ID_SIZE - 1)                                                      \
	/* its id; "": unknown yet */                                                              \
	X(M, TEXT, layer, IMAGE_ID_SIZE - 1)                                                       \
	/* the packed layer, a regular file */                                                     \
	X(M, FD, blob)

/* The sandbox runs. */
#define LAYER_UNPACKING_FIELDS(X, M)                                                               \
	X(M, NUMBER, job, UINT64_MAX)                                                              \
	/* a pipe from which to read the unpacker's report until end of file */                    \
	X(M, FD, report)

/* The sandbox has ended. */
#define LAYER_UNPACKED_FIELDS(X, M)                                                                \
	X(M, NUMBER, job, UINT64_MAX)                                                              \
	/* errno value; 0 on success: then the unpacked files wait for LAYER_COMMIT */             \
	X(M, NUMBER, number, ERRNO_MAX)                                                            \
	X(M, SENTENCE, error, ERROR_TEXT_MAX - 1)

/* An opaque directory, to be marked before LAYER_COMMIT. */
#define LAYER_OPAQUE_FIELDS(X, M)                                                                  \
	X(M, NUMBER, job, UINT64_MAX)                                                              \
	/* of a directory in the layer that hides the layers below */                              \
	X(M, TEXT, path, PATH_MAX - 1)

/* Move the unpacked layer into the store. */
#define LAYER_COMMIT_FIELDS(X, M)                                                                  \
	X(M, NUMBER, job, UINT64_MAX)                                                              \
	/* its id; "": discard it, without a reply */                                              \
	X(M, TEXT, layer, IMAGE_ID_SIZE - 1)

/* The reply to LAYER_COMMIT. */
#define LAYER_COMMITTED_FIELDS(X, M)                                                               \
	X(M, NUMBER, job, UINT64_MAX)                                                              \
	/* errno value; 0 if the layer is in the store */                                          \
	X(M, NUMBER, number, ERRNO_MAX)                                                            \
	X(M, SENTENCE, error, ERROR_TEXT_MAX - 1)

/* Remove a layer that no image uses any more. */
#define LAYER_FORGET_FIELDS(X, M) X(M, TEXT, layer, IMAGE_ID_SIZE - 1)

/* The reply to LAYER_FORGET. */
#define LAYER_FORGOTTEN_FIELDS(X, M)                                                               \
	X(M, TEXT, layer, IMAGE_ID_SIZE - 1)                                                       \
	/* a step uses the layer, so it stays */                                                   \
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
