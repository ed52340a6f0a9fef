/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEBHOOK_FORGE_H
#define WEBHOOK_FORGE_H

/*
 * DOC: Forges
 *
 * A forge is described by a table: which headers carry the event and the delivery
 * id, which function checks the signature, and what each event means. A new forge is
 * one file forge_NAME.c, one line in forge_table.c, its declaration below, its headers
 * in HEADER_TABLE (headers.h) and its name in common/providers.c. forge.c has the functions
 * that several forges share: signatures, and reading pushes and pull requests.
 *
 * delivery.c calls these functions in the order of struct forge's members. The body
 * comes from a verified sender by then, but every value is still checked, because
 * anyone who may push to the repository influences it.
 */

#include "common/error.h"
#include "webhook/delivery.h"

#include <jansson.h>

enum event_action {
	EVENT_PING,	    /* the forge tests the hook */
	EVENT_PUSH,	    /* refs moved: read by extract() */
	EVENT_PULL_REQUEST, /* one was opened or got commits: read by pull_request() */
};

/** struct forge_event - one event name of a forge; names not listed are ignored */
struct forge_event {
	const char *name;
	enum event_action action;
};

/**
 * struct forge - one kind of sender
 * @event_headers:    the first one that is present carries the event's name; ends with
 *                    HEADER_NUM. If the list is empty, the name is in the body.
 * @event_path:       dotted path of the name in the body, see payload_string()
 * @delivery_headers: the first one that is present carries the id; ends with HEADER_NUM
 * @verify:           returns 0, or 401 with @answer filled; constant time in the secret.
 *                    Sets @digest if the signature covers neither id nor time.
 * @events:           ends with a NULL name
 * @extract:          appends pushes to @events, without deleted refs. Returns 0 or
 *                    -EBADMSG.
 * @pull_request:     the same for EVENT_PULL_REQUEST; returns -ENOMSG and a sentence in
 *                    @error for an action that brings no new commit
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

/** forge_find() - the forge with this name in the configuration, NULL if unknown */
const struct forge *forge_find(const char *name);
/** forge_names() - "github, gitlab, …" for messages */
const char *forge_names(void);

extern const struct forge forge_github;
extern const struct forge forge_gitlab;
extern const struct forge forge_gitea;
extern const struct forge forge_forgejo;
extern const struct forge forge_bitbucket;
extern const struct forge forge_standard;

/** header_first() - value of the first header of @wanted that is present, or NULL */
const char *header_first(const struct headers *headers, const enum header *wanted);

/** signature_refused() - 401 with a sentence that names @header and the remedy. Return: 401. */
int signature_refused(const struct delivery *delivery, enum header header, struct answer *answer);

/**
 * signature_check_hex() - HMAC-SHA256 of the raw body in @header
 * @prefix: text before the hex digits, "" for none
 * @digest: set when the signature is right
 *
 * Return: 0 or 401.
 */
int signature_check_hex(const struct delivery *delivery, enum header header, const char *prefix,
			struct body_digest *digest, struct answer *answer);
/** body_digest_set() - set @digest to that of the body of @delivery */
void body_digest_set(struct body_digest *digest, const struct delivery *delivery);

/**
 * signature_check_standard() - the three webhook-* headers of Standard Webhooks
 * @digest: unchanged, because the signature covers id and time
 *
 * Return: 0 or 401.
 */
int signature_check_standard(const struct delivery *delivery, struct body_digest *digest,
			     struct answer *answer);

/**
 * struct push_paths - dotted paths in the payload of a push of one ref
 * @title:      the first path with a text is used, up to its first newline; ends with NULL
 * @tag_commit: commit of an annotated tag, whose @after names the tag object
 * @actor:      the first path with a text is used; ends with NULL
 */
struct push_paths {
	const char *ref, *before, *after;
	const char *title[3];
	const char *tag_commit;
	const char *actor[4];
};

/** push_extract() - read one push by its @paths. Return: as struct forge's extract. */
int push_extract(const json_t *root, const struct push_paths *paths, struct events *events,
		 struct error *error);

/**
 * struct pull_paths - dotted paths in the payload of a pull request
 * @action:    what happened to it; NULL where the event's name is the action
 * @actions:   actions that bring commits (values, not paths); ends with NULL
 * @quiet:     an action that brings commits only if @moved exists; NULL for none
 * @number:    number of the pull request
 * @ref:       text before and after the number in the name of the ref with its commits
 * @head:      its newest commit
 * @base:      the branch that it is to be merged into: a name, or a full ref
 * @base_head: newest commit of that branch; NULL where the forge does not send it
 * @head_repository, @base_repository: ids or names; the same value means no fork
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

/** pull_extract() - read one pull request by its @paths. Return: as struct forge's pull_request. */
int pull_extract(const json_t *root, const struct pull_paths *paths, struct events *events,
		 struct error *error);

/**
 * event_add() - check the move of one ref and append it to @events
 * @after: if it is all zeros, the ref was deleted and nothing is appended
 *
 * @actor and @title, which only people read, are cleaned and cut. A bad value of
 * the other arguments is an error, because programs act upon them.
 *
 * Return: 0 or -EBADMSG.
 */
int event_add(struct events *events, const char *ref, const char *before, const char *after,
	      const char *actor, const char *title, struct error *error);

/** struct pull - properties of a pull request besides the arguments of event_add() */
struct pull {
	uint64_t number;
	const char *base; /* branch or full ref that it is to be merged into */
	bool from_fork;
	const char *action; /* the forge's word for what happened; NULL: not in the body */
};

/** pull_add() - event_add() for a pull request; @after is "" where the forge does not send it */
int pull_add(struct events *events, const struct pull *pull, const char *ref, const char *before,
	     const char *after, const char *actor, const char *title, struct error *error);
/** pull_number() - the number at @path, 0 if it is missing or not positive */
uint64_t pull_number(const json_t *root, const char *path);
/** pull_from_fork() - are the values at two paths different? A missing one counts as different. */
bool pull_from_fork(const json_t *root, const char *head, const char *base);

#endif
