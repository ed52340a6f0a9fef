/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEBHOOK_FORGE_H
#define WEBHOOK_FORGE_H

/*
 * DOC: Forges
 *
 * A forge is a table: which headers carry the event and the delivery id, which
 * function checks the signature, and what each event means. A new forge is one
 * file forge_NAME.c and one line in forge.c.
 */

#include "common/error.h"
#include "webhook/delivery.h"

#include <jansson.h>

enum event_action {
	EVENT_PING, /* the forge tries the hook out */
	EVENT_PUSH, /* refs moved: extract() */
};

/** struct forge_event - one event name of a forge; names not listed are ignored */
struct forge_event {
	const char *name;
	enum event_action action;
};

/**
 * struct forge - one kind of sender
 * @event_header:     HEADER_NUM when the event's name is in the body (@event_path)
 * @event_path:       dotted path in the body, see payload_string()
 * @delivery_headers: the first that is present wins; ends with HEADER_NUM
 * @verify:           0, or 401 with @answer filled; constant time in the secret
 * @events:           ends with a NULL name
 * @extract:          0 or -EBADMSG; appends to @events, leaves deleted refs out
 */
struct forge {
	const char *name;
	enum header event_header;
	const char *event_path;
	enum header delivery_headers[4];
	int (*verify)(const struct delivery *delivery, struct answer *answer);
	const struct forge_event *events;
	int (*extract)(const json_t *root, struct events *events, struct error *error);
};

/** forge_find() - by the name in the project's configuration, NULL if unknown */
const struct forge *forge_find(const char *name);
/** forge_names() - "github, gitlab, …" for messages */
const char *forge_names(void);

extern const struct forge forge_github;

/**
 * struct push_paths - where a forge that pushes one ref at a time keeps what
 * @title:      the first line of it is taken
 * @tag_commit: commit of an annotated tag, whose @after names the tag object
 * @actor:      the first that is a text; ends with NULL
 */
struct push_paths {
	const char *ref, *before, *after;
	const char *title;
	const char *tag_commit;
	const char *actor[4];
};

/** push_extract() - read one push with @paths; as struct forge's extract */
int push_extract(const json_t *root, const struct push_paths *paths, struct events *events,
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

#endif
