/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEBHOOK_DELIVERY_H
#define WEBHOOK_DELIVERY_H

/*
 * DOC: From bytes to events
 *
 * A delivery is one POST whose body has arrived. delivery_check() does, in this
 * order: signature over the raw bytes, delivery id and event name, JSON, events.
 * Nothing is parsed for a sender who does not know the secret. All of it is
 * plain computation: no I/O, no lock, any thread.
 */

#include "common/limits.h"
#include "webhook/answer.h"
#include "webhook/headers.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* refs in one delivery: one, but for Bitbucket (Cloud at most 5, Data Center all) */
#define DELIVERY_EVENTS_MAX 32

struct forge;

/**
 * struct hook - one project's webhook, as configured
 * @forge:  NULL for a provider that this program does not know
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
	char before[COMMIT_HEX_MAX + 1]; /* "" when unknown; of a pull request: what it goes to */
	char after[COMMIT_HEX_MAX + 1];	 /* "" when unknown: pull requests of some forges only */
	char actor[ACTOR_NAME_MAX + 1];
	char title[TITLE_MAX + 1];
	uint64_t pull_request; /* its number, 0: none */
	char base_ref[REF_NAME_MAX + 1];
	bool from_fork; /* of a pull request: its commits are in another repository */
	char action[EVENT_NAME_MAX + 1]; /* what happened to it, in the forge's word */
};

/**
 * struct body_digest - tells one signed body from another
 * @known: false where the signature covers the delivery's id and time as well: such a
 *         delivery cannot be sent again under another id
 */
struct body_digest {
	bool known;
	uint8_t bytes[BODY_DIGEST_SIZE];
};

struct events {
	char delivery_id[DELIVERY_ID_MAX + 1];
	char name[EVENT_NAME_MAX + 1]; /* "push", "pull_request": in our words, for every forge */
	struct body_digest digest;
	size_t n_events;
	struct event events[DELIVERY_EVENTS_MAX];
};

/**
 * struct delivery - a whole request
 * @body:    raw bytes, NUL-terminated after @body_size
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
 * Return: 0 when the scheduler must be told, otherwise the HTTP status that is
 * in @answer (200 for what is ignored, 400, 401, 413, 501).
 */
int delivery_check(const struct delivery *delivery, struct events *ret_events,
		   struct answer *answer);

#endif
