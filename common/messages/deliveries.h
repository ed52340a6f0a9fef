/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_MESSAGES_DELIVERIES_H
#define COMMON_MESSAGES_DELIVERIES_H

/*
 * Deliveries of forges, between the webhook process and the scheduler. See
 * common/message_fields.h for the tables, common/message_table.h for senders and receivers.
 */

#include "common/limits.h"
#include "common/message_fields.h"

/* A delivery with a valid signature, parsed. */
#define TRIGGER_FIELDS(X, M)                                                                       \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	/* for the debug log only */                                                               \
	X(M, TEXT, provider, EVENT_NAME_MAX)                                                       \
	X(M, TEXT, delivery, DELIVERY_ID_MAX)                                                      \
	/* "push" or "pull_request" */                                                             \
	X(M, TEXT, event, EVENT_NAME_MAX)                                                          \
	X(M, TEXT, ref, REF_NAME_MAX)                                                              \
	X(M, TEXT, before, COMMIT_HEX_MAX)                                                         \
	/* "" if the forge does not give it for a pull request */                                  \
	X(M, TEXT, after, COMMIT_HEX_MAX)                                                          \
	X(M, TEXT, actor, ACTOR_NAME_MAX)                                                          \
	X(M, TEXT, title, TITLE_MAX)                                                               \
	/* the number of the pull request, 0: none */                                              \
	X(M, NUMBER, pull_request, UINT64_MAX)                                                     \
	/* the ref that the pull request is to be merged into */                                   \
	X(M, TEXT, base_ref, REF_NAME_MAX)                                                         \
	X(M, FLAG, from_fork)                                                                      \
	/* the forge's name of the pull request's change, "" for a push */                         \
	X(M, TEXT, action, EVENT_NAME_MAX)                                                         \
	/* of the signed body; empty if delivery id and time are signed as well */                 \
	X(M, BYTES, digest, BODY_DIGEST_SIZE)

/* The reply, sent after the run is committed. */
#define TRIGGER_ACCEPTED_FIELDS(X, M)                                                              \
	X(M, NUMBER, run, UINT64_MAX)                                                              \
	/* an earlier delivery has started this run */                                             \
	X(M, FLAG, duplicate)                                                                      \
	/* the run's page, "" if no public URL is configured */                                    \
	X(M, TEXT, url, URL_MAX)

/* The reply without a run. status: of HTTP; 200 for a delivery that is ignored */
#define TRIGGER_REFUSED_FIELDS(X, M)                                                               \
	X(M, NUMBER, status, 599)                                                                  \
	X(M, SENTENCE, reason, REASON_MAX)

#define MESSAGES_DELIVERIES(X)                                                                     \
	X(TRIGGER, trigger)                                                                        \
	X(TRIGGER_ACCEPTED, trigger_accepted)                                                      \
	X(TRIGGER_REFUSED, trigger_refused)

MESSAGES_DELIVERIES(MESSAGE_DECLARE)

#endif
