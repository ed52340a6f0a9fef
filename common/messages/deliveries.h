/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_MESSAGES_DELIVERIES_H
#define COMMON_MESSAGES_DELIVERIES_H

/*
 * Deliveries of forges, between the webhook process and the scheduler.
 * common/message_fields.h says how this is read, common/message_table.h who may say what.
 */

#include "common/limits.h"
#include "common/message_fields.h"

#define TRIGGER_FIELDS(X, M)                                                                       \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	/* for the debug log: the event says enough */                                             \
	X(M, TEXT, provider, EVENT_NAME_MAX)                                                       \
	X(M, TEXT, delivery, DELIVERY_ID_MAX)                                                      \
	/* "push" or "pull_request" */                                                             \
	X(M, TEXT, event, EVENT_NAME_MAX)                                                          \
	X(M, TEXT, ref, REF_NAME_MAX)                                                              \
	X(M, TEXT, before, COMMIT_HEX_MAX)                                                         \
	/* "" if a pull request's sender does not say */                                           \
	X(M, TEXT, after, COMMIT_HEX_MAX)                                                          \
	X(M, TEXT, actor, ACTOR_NAME_MAX)                                                          \
	X(M, TEXT, title, TITLE_MAX)                                                               \
	/* the number of the pull request, 0: none */                                              \
	X(M, NUMBER, pull_request, UINT64_MAX)                                                     \
	/* that it goes to */                                                                      \
	X(M, TEXT, base_ref, REF_NAME_MAX)                                                         \
	X(M, FLAG, from_fork)                                                                      \
	/* what happened to it in the forge's word, "" for a push */                               \
	X(M, TEXT, action, EVENT_NAME_MAX)                                                         \
	/* of what was signed; none where the delivery's id and time are signed as well */         \
	X(M, BYTES, digest, BODY_DIGEST_SIZE)

/* Sent after the commit. */
#define TRIGGER_ACCEPTED_FIELDS(X, M)                                                              \
	X(M, NUMBER, run, UINT64_MAX)                                                              \
	/* of an earlier delivery */                                                               \
	X(M, FLAG, duplicate)                                                                      \
	/* the run's page, "" if no public URL is configured */                                    \
	X(M, TEXT, url, URL_MAX)

/* status: of HTTP; 200 is for what is ignored */
#define TRIGGER_REFUSED_FIELDS(X, M)                                                               \
	X(M, NUMBER, status, 599)                                                                  \
	X(M, SENTENCE, reason, REASON_MAX)

#define MESSAGES_DELIVERIES(X)                                                                     \
	X(TRIGGER, trigger)                                                                        \
	X(TRIGGER_ACCEPTED, trigger_accepted)                                                      \
	X(TRIGGER_REFUSED, trigger_refused)

MESSAGES_DELIVERIES(MESSAGE_DECLARE)

#endif
