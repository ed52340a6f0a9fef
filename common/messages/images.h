/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_MESSAGES_IMAGES_H
#define COMMON_MESSAGES_IMAGES_H

/*
 * Images: reports of runbook-image to the scheduler, and its replies to the api. See
 * common/message_fields.h for the tables, common/message_table.h for senders and receivers.
 */

#include "common/error.h"
#include "common/image.h"
#include "common/image_verb.h"
#include "common/limits.h"
#include "common/message_fields.h"

/* Begins the list of all images; IMAGES_END ends it. */
#define IMAGES_BEGIN_FIELDS(X, M)

/* An image in the store. record: see common/image.h */
#define IMAGE_KNOWN_FIELDS(X, M) X(M, BYTES, record, IMAGE_RECORD_MAX)

/* A name of an image, and the runs that may use it. */
#define IMAGE_NAMED_FIELDS(X, M)                                                                   \
	X(M, TEXT, name, IMAGE_NAME_MAX)                                                           \
	/* of the image */                                                                         \
	X(M, TEXT, id, IMAGE_ID_SIZE - 1)                                                          \
	/* runs of forks may use it */                                                             \
	X(M, FLAG, forks)                                                                          \
	/* all other runs of all projects may use it */                                            \
	X(M, FLAG, everyone)                                                                       \
	/* all other runs of these projects may use it, separated by blanks */                     \
	X(M, TEXT, projects, IMAGE_SCOPE_MAX)

#define IMAGES_END_FIELDS(X, M)

/* Steps wait for this image. */
#define IMAGE_WANTED_FIELDS(X, M)                                                                  \
	/* as in the runbook */                                                                    \
	X(M, TEXT, name, IMAGE_NAME_MAX)                                                           \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	/* the steps belong to a pull request of a fork */                                         \
	X(M, FLAG, fork)

/* The image of an IMAGE_WANTED is not available. */
#define IMAGE_MISSING_FIELDS(X, M)                                                                 \
	X(M, TEXT, name, IMAGE_NAME_MAX)                                                           \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	/* for runs of forks */                                                                    \
	X(M, FLAG, fork)                                                                           \
	X(M, SENTENCE, error, ERROR_TEXT_MAX - 1)                                                  \
	/* a later attempt may succeed */                                                          \
	X(M, FLAG, again)

/* A request. Fields that enum image_verb does not list for the verb are ignored. */
#define IMAGE_REQUEST_FIELDS(X, M)                                                                 \
	X(M, ENUM, verb, image_verb, IMAGE_NUM_VERBS)                                              \
	X(M, TEXT, name, IMAGE_NAME_MAX)                                                           \
	X(M, TEXT, source, IMAGE_NAME_MAX)                                                         \
	X(M, NUMBER, job, UINT64_MAX)                                                              \
	/* the file to import */                                                                   \
	X(M, FD_OR_NONE, content)

#define IMAGE_ANSWER_FIELDS(X, M)                                                                  \
	/* HTTP status */                                                                          \
	X(M, NUMBER, status, UINT64_MAX)                                                           \
	/* a memfd of JSON; none with an error */                                                  \
	X(M, FD_OR_NONE, content)                                                                  \
	X(M, SENTENCE, error, ERROR_TEXT_MAX - 1)

#define MESSAGES_IMAGES(X)                                                                         \
	X(IMAGES_BEGIN, images_begin)                                                              \
	X(IMAGE_KNOWN, image_known)                                                                \
	X(IMAGE_NAMED, image_named)                                                                \
	X(IMAGES_END, images_end)                                                                  \
	X(IMAGE_WANTED, image_wanted)                                                              \
	X(IMAGE_MISSING, image_missing)                                                            \
	X(IMAGE_REQUEST, image_request)                                                            \
	X(IMAGE_ANSWER, image_answer)

MESSAGES_IMAGES(MESSAGE_DECLARE)

#endif
