/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEBHOOK_FORGE_H
#define WEBHOOK_FORGE_H

/*
 * DOC: Forges
 *
 * A forge is a table: which headers carry the event and the delivery id, which
 * function checks the signature, and what each event means. A new forge is one
 * file forge_NAME.c and one line in forge_table.c; forge.c has what several of
 * them share: signatures, and how pushes and pull requests are read.
 */

#include "common/error.h"
#include "webhook/delivery.h"

#include <jansson.h>

enum event_action {
	EVENT_PING,	    /* the forge tries the hook out */
	EVENT_PUSH,	    /* refs moved: extract() */
	EVENT_PULL_REQUEST, /* one was opened or got commits: pull_request() */
};

/** struct forge_event - one event name of a forge; names not listed are ignored */
struct forge_event {
	const char *name;
	enum event_action action;
};

/**
 * struct forge - one kind of sender
 * @event_headers:    the first that is present carries the event's name; ends
 *                    with HEADER_NUM. None at all: it is in the body.
 * @event_path:       dotted path in the body for that, see payload_string()
 * @delivery_headers: the first that is present wins; ends with HEADER_NUM
 * @verify:           0, or 401 with @answer filled; constant time in the secret. Sets @digest,
 *                    which is not known before, where neither id nor time is signed
 * @events:           ends with a NULL name
 * @extract:          0 or -EBADMSG; appends to @events, leaves deleted refs out
 * @pull_request:     the same for EVENT_PULL_REQUEST; -ENOMSG with @error's sentence for what
 *                    happens to pull requests but brings no new commit
 */
struct forge {
	const char *name;
	enum header event_headers[3];
	const char *event_path;
	enum header delivery_headers[3];
	int (*verify)(const struct delivery *delivery, struct body_digest *digest,
		      struct answer *answer);
	const struct forge_event *events;
	int (*extract)(const json_t *root, struct events *events, struct error *error);
	int (*pull_request)(const json_t *root, struct events *events, struct error *error);
};

/** forge_find() - by the name in the project's configuration, NULL if unknown */
const struct forge *forge_find(const char *name);
/** forge_names() - "github, gitlab, …" for messages */
const char *forge_names(void);

extern const struct forge forge_github;
extern const struct forge forge_gitlab;
extern const struct forge forge_gitea;
extern const struct forge forge_forgejo;
extern const struct forge forge_bitbucket;
extern const struct forge forge_standard;

/** header_first() - the value of the first of @wanted (ends with HEADER_NUM) that is present */
const char *header_first(const struct headers *headers, const enum header *wanted);

/** signature_refused() - 401 that names @header and what to do. Return: 401. */
int signature_refused(const struct delivery *delivery, enum header header, struct answer *answer);

/**
 * signature_check_hex() - HMAC-SHA256 of the raw body in @header
 * @prefix: what stands before the hex digits, "" for nothing
 * @digest: set when the signature is right
 */
int signature_check_hex(const struct delivery *delivery, enum header header, const char *prefix,
			struct body_digest *digest, struct answer *answer);
/** body_digest_set() - of the body of @delivery */
void body_digest_set(struct body_digest *digest, const struct delivery *delivery);

/**
 * signature_check_standard() - the three webhook-* headers of Standard Webhooks
 * @digest: stays as it is: id and time are signed
 */
int signature_check_standard(const struct delivery *delivery, struct body_digest *digest,
			     struct answer *answer);

/**
 * struct push_paths - where a forge that pushes one ref at a time keeps what
 * @title:      the first that is a text; its first line is taken; ends with NULL
 * @tag_commit: commit of an annotated tag, whose @after names the tag object
 * @actor:      the first that is a text; ends with NULL
 */
struct push_paths {
	const char *ref, *before, *after;
	const char *title[3];
	const char *tag_commit;
	const char *actor[4];
};

/** push_extract() - read one push with @paths; as struct forge's extract */
int push_extract(const json_t *root, const struct push_paths *paths, struct events *events,
		 struct error *error);

/**
 * struct pull_paths - where a forge keeps what about a pull request
 * @action:    text that says what happened; NULL: the event's name did
 * @actions:   those that bring commits; ends with NULL
 * @quiet:     action that brings commits only if there is something at @moved; NULL: none
 * @number:    its number
 * @ref:       what stands before and after the number in the ref with its commits
 * @head:      its newest commit
 * @base:      branch that it goes to: a name, or a full ref
 * @base_head: newest commit of that; NULL: not told
 * @head_repository, @base_repository: the same value in both: no fork. Ids or names.
 */
struct pull_paths {
	const char *action;
	const char *actions[6];
	const char *quiet, *moved;
	const char *number;
	const char *ref[2];
	const char *head;
	const char *base, *base_head;
	const char *head_repository, *base_repository;
	const char *title;
	const char *actor[4];
};

/** pull_extract() - read one pull request with @paths; as struct forge's pull_request */
int pull_extract(const json_t *root, const struct pull_paths *paths, struct events *events,
		 struct error *error);

/**
 * event_add() - check one ref's move and append it
 * @after: all zeros (the ref is gone): nothing is appended
 *
 * Texts that only people read (@actor, @title) are cleaned and cut; what others
 * act upon must be right. Return: 0 or -EBADMSG.
 */
int event_add(struct events *events, const char *ref, const char *before, const char *after,
	      const char *actor, const char *title, struct error *error);

/** struct pull - what is known of a pull request besides what event_add() takes */
struct pull {
	uint64_t number;
	const char *base; /* branch or full ref that it goes to */
	bool from_fork;
	const char *action; /* what happened to it, in the forge's word; NULL: not in the body */
};

/** pull_add() - as event_add(), for a pull request; @after "" is one that nobody told */
int pull_add(struct events *events, const struct pull *pull, const char *ref, const char *before,
	     const char *after, const char *actor, const char *title, struct error *error);
/** pull_number() - the number at @path, 0 if there is none that a pull request can have */
uint64_t pull_number(const json_t *root, const char *path);
/** pull_from_fork() - are the values at two paths different? One that is missing is. */
bool pull_from_fork(const json_t *root, const char *head, const char *base);

#endif
