/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_MESSAGES_IMAGES_H
#define COMMON_MESSAGES_IMAGES_H

/*
 * Images: what runbook-image says to the scheduler and answers the api.
 * common/message_fields.h says how this is read, common/message_table.h who may say what.
 */

#include "common/error.h"
#include "common/image.h"
#include "common/image_verb.h"
#include "common/limits.h"
#include "common/message_fields.h"

/* What follows to IMAGES_END is all there is. */
#define IMAGES_BEGIN_FIELDS(X, M)

/* record: see common/image.h */
#define IMAGE_KNOWN_FIELDS(X, M) X(M, BYTES, record, IMAGE_RECORD_MAX)

#define IMAGE_NAMED_FIELDS(X, M)                                                                   \
	X(M, TEXT, name, IMAGE_NAME_MAX)                                                           \
	/* of the image that it means */                                                           \
	X(M, TEXT, id, IMAGE_ID_SIZE - 1)                                                          \
	/* runs of forks may use it */                                                             \
	X(M, FLAG, forks)                                                                          \
	/* so may the other runs of every project */                                               \
	X(M, FLAG, everyone)                                                                       \
	/* or those of these projects, separated by blanks */                                      \
	X(M, TEXT, projects, IMAGE_SCOPE_MAX)

#define IMAGES_END_FIELDS(X, M)

/* Steps wait for it. */
#define IMAGE_WANTED_FIELDS(X, M)                                                                  \
	/* as the runbook says it */                                                               \
	X(M, TEXT, name, IMAGE_NAME_MAX)                                                           \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	/* they are of a fork */                                                                   \
	X(M, FLAG, fork)

/* It cannot be had. */
#define IMAGE_MISSING_FIELDS(X, M)                                                                 \
	X(M, TEXT, name, IMAGE_NAME_MAX)                                                           \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	/* for forks of the project */                                                             \
	X(M, FLAG, fork)                                                                           \
	X(M, SENTENCE, error, ERROR_TEXT_MAX - 1)                                                  \
	/* it might be had in a while */                                                           \
	X(M, FLAG, again)

/* A verb reads the fields that enum image_verb names, and no others. */
#define IMAGE_REQUEST_FIELDS(X, M)                                                                 \
	X(M, ENUM, verb, image_verb, IMAGE_NUM_VERBS)                                              \
	X(M, TEXT, name, IMAGE_NAME_MAX)                                                           \
	X(M, TEXT, source, IMAGE_NAME_MAX)                                                         \
	X(M, NUMBER, job, UINT64_MAX)                                                              \
	/* what is imported */                                                                     \
	X(M, FD_OR_NONE, content)

#define IMAGE_ANSWER_FIELDS(X, M)                                                                  \
	/* of HTTP */                                                                              \
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
