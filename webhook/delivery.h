/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEBHOOK_DELIVERY_H
#define WEBHOOK_DELIVERY_H

/*
 * DOC: From bytes to events
 *
 * A delivery is one POST whose body has arrived. delivery_check() checks or reads,
 * in this order: the signature over the raw bytes, the delivery's id and the name
 * of its event, the JSON, the events. So no JSON is parsed before the sender has
 * proved that it knows the secret. request.c calls it in an HTTP thread. All of it
 * is plain computation without I/O; payload_parse() alone takes a lock, for large texts.
 */

#include "common/limits.h"
#include "webhook/answer.h"
#include "webhook/headers.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* refs in one delivery: one, except for Bitbucket (Cloud at most 5, Data Center all) */
#define DELIVERY_EVENTS_MAX 32

struct forge;

/**
 * struct hook - one project's webhook, as configured
 * @forge:  NULL when the configured provider is unknown
 * @secret: owned
 */
struct hook {
	char project[PROJECT_NAME_MAX + 1];
	const struct forge *forge;
	uint8_t *secret;
	size_t secret_size;
};

/** struct event - one pushed ref or pull request; strings are checked and cut to their limits */
struct event {
	char ref[REF_NAME_MAX + 1];
	char before[COMMIT_HEX_MAX + 1]; /* of a pull request: head of its base; "" when unknown */
	char after[COMMIT_HEX_MAX + 1];	 /* "" when unknown: pull requests of some forges only */
	char actor[ACTOR_NAME_MAX + 1];
	char title[TITLE_MAX + 1];
	uint64_t pull_request; /* its number; 0 for a push */
	char base_ref[REF_NAME_MAX + 1];
	bool from_fork; /* the commits of the pull request are in another repository */
	char action[EVENT_NAME_MAX + 1]; /* the forge's word for what happened to it */
};

/**
 * struct body_digest - digest of a signed body, by which replays under a new id are found
 * @known: false where the signature covers the delivery's id and time as well, because
 *         such a delivery cannot be replayed under another id
 */
struct body_digest {
	bool known;
	uint8_t bytes[BODY_DIGEST_SIZE];
};

struct events {
	char delivery_id[DELIVERY_ID_MAX + 1];
	char name[EVENT_NAME_MAX + 1]; /* "push" or "pull_request", whatever the forge calls it */
	struct body_digest digest;
	size_t n_events;
	struct event events[DELIVERY_EVENTS_MAX];
};

/**
 * struct delivery - one complete request
 * @body:    raw bytes, NUL-terminated after @body_size
 * @form:    the body is a form with the JSON in its field "payload"
 * @now_sec: wall clock, for signatures that carry a time
 */
struct delivery {
	const struct hook *hook;
	const struct headers *headers;
	const char *body;
	size_t body_size;
	bool form;
	int64_t now_sec;
};

/**
 * delivery_check() - verify and read a delivery
 * @ret_events: filled when the result is 0; at least one event
 *
 * Return: 0 when @ret_events must go to the scheduler, otherwise the HTTP status in
 * @answer (200 for an event that is ignored, 400, 401, 413 or 501).
 */
int delivery_check(const struct delivery *delivery, struct events *ret_events,
		   struct answer *answer);

#endif
