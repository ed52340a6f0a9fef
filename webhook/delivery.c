/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/delivery.h"

#include "common/cleanup.h"
#include "common/names.h"
#include "common/text.h"
#include "webhook/forge.h"
#include "webhook/payload.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The id becomes a key in the store and a log field: printable ASCII without blanks. */
static bool delivery_id_valid(const char *id)
{
	size_t length = strlen(id);

	if (length < 1 || length > DELIVERY_ID_MAX)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (id[i] <= ' ' || id[i] > '~')
			return false;
	}
	return true;
}

static int delivery_id_read(const struct delivery *delivery, struct events *events,
			    struct answer *answer)
{
	const enum header *wanted = delivery->hook->forge->delivery_headers;
	const char *id = header_first(delivery->headers, wanted);

	if (!id || !delivery_id_valid(id) ||
	    text_copy(events->delivery_id, sizeof(events->delivery_id), id) < 0) {
		answer_error(answer, 400, "header %s is %s; it must identify the delivery",
			     header_name(wanted[0]), id ? "not a usable id" : "missing");
		return 400;
	}
	return 0;
}

/* Parse the JSON of the body, which is a form field for some forges. */
static int payload_read(const struct delivery *delivery, json_t **ret_root, struct answer *answer)
{
	struct error error = ERROR_INIT;
	cleanup_free char *text = NULL;
	size_t size = 0;
	int r;

	if (delivery->form) {
		r = payload_from_form(delivery->body, delivery->body_size, &text, &size, &error);
		if (r == 0)
			r = payload_parse(text, size, ret_root, &error);
	} else {
		r = payload_parse(delivery->body, delivery->body_size, ret_root, &error);
	}
	if (r == 0)
		return 0;
	answer_error(answer, r == -E2BIG ? 413 : r == -ENOMEM ? 503 : 400, "%s", error.text);
	return (int)answer->status;
}

static const struct forge_event *event_find(const struct forge *forge, const char *name)
{
	for (const struct forge_event *event = forge->events; event->name; event++) {
		if (strcmp(event->name, name) == 0)
			return event;
	}
	return NULL;
}

/* The event's name is the action of a pull request whose body has none. */
static void actions_complete(struct events *events, const char *name)
{
	for (size_t i = 0; i < events->n_events; i++) {
		struct event *event = &events->events[i];

		if (!event->action[0])
			(void)snprintf(event->action, sizeof(event->action), "%s", name);
	}
}

/* Read the events of a delivery. Return: 0, or the status of @answer. */
static int events_extract(const struct forge *forge, const struct forge_event *event,
			  const json_t *root, struct events *events, struct answer *answer)
{
	bool pull = event->action == EVENT_PULL_REQUEST;
	struct error error = ERROR_INIT;
	int r;

	(void)snprintf(events->name, sizeof(events->name), "%s", pull ? "pull_request" : "push");
	r = pull ? forge->pull_request(root, events, &error) : forge->extract(root, events, &error);
	if (r == -ENOMSG) {
		answer_ignored(answer, "%s", error.text);
		return 200;
	}
	if (r < 0) {
		answer_error(answer, 400, "%s", error.text);
		return 400;
	}
	if (events->n_events == 0) {
		answer_ignored(answer, "the ref was deleted");
		return 200;
	}
	if (pull)
		actions_complete(events, event->name);
	return 0;
}

static int event_read(const struct delivery *delivery, const json_t *root,
		      struct events *ret_events, struct answer *answer)
{
	const struct forge *forge = delivery->hook->forge;
	const char *name = forge->event_path
				   ? payload_string(root, forge->event_path)
				   : header_first(delivery->headers, forge->event_headers);
	const struct forge_event *event = name ? event_find(forge, name) : NULL;

	if (!event) {
		answer_ignored(answer, "event %.*s", EVENT_NAME_MAX, name ? name : "(none)");
		return 200;
	}
	if (event->action == EVENT_PING) {
		answer_member(answer, 200, "pong", delivery->hook->project);
		return 200;
	}
	return events_extract(forge, event, root, ret_events, answer);
}

int delivery_check(const struct delivery *delivery, struct events *ret_events,
		   struct answer *answer)
{
	const struct forge *forge = delivery->hook->forge;
	json_t *root = NULL;
	int status;

	ret_events->n_events = 0;
	ret_events->digest = (struct body_digest){.known = false};
	if (!forge) {
		answer_error(answer, 501, "the provider of project %s is unknown; known are: %s",
			     delivery->hook->project, forge_names());
		return 501;
	}
	status = forge->verify(delivery, &ret_events->digest, answer);
	if (status == 0)
		status = delivery_id_read(delivery, ret_events, answer);
	if (status != 0)
		return status;
	if (!forge->event_path && !header_first(delivery->headers, forge->event_headers)) {
		answer_error(answer, 400, "header %s is missing",
			     header_name(forge->event_headers[0]));
		return 400;
	}
	status = payload_read(delivery, &root, answer);
	if (status == 0)
		status = event_read(delivery, root, ret_events, answer);
	root = payload_free(root, delivery->body_size);
	return status;
}
