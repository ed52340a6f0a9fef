/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/forge.h"

#include "common/cleanup.h"
#include "common/names.h"
#include "common/text.h"
#include "webhook/payload.h"
#include "webhook/signature.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

const char *header_first(const struct headers *headers, const enum header *wanted)
{
	for (size_t i = 0; wanted[i] != HEADER_NUM; i++) {
		if (headers->values[wanted[i]])
			return headers->values[wanted[i]];
	}
	return NULL;
}

/* ---- signatures ---- */

int signature_refused(const struct delivery *delivery, enum header header, struct answer *answer)
{
	const char *project = delivery->hook->project;

	if (!delivery->headers->values[header])
		answer_error(answer, 401,
			     "header %s is missing; set the secret of project %s in the webhook's "
			     "settings",
			     header_name(header), project);
	else
		answer_error(answer, 401,
			     "%s does not match; the webhook's secret and that of project %s must "
			     "be the same",
			     header_name(header), project);
	return 401;
}

void body_digest_set(struct body_digest *digest, const struct delivery *delivery)
{
	(void)crypto_generichash(digest->bytes, sizeof(digest->bytes),
				 (const uint8_t *)delivery->body, delivery->body_size, NULL, 0);
	digest->known = true;
}

int signature_check_hex(const struct delivery *delivery, enum header header, const char *prefix,
			struct body_digest *digest, struct answer *answer)
{
	const char *signature = delivery->headers->values[header];
	struct signature_key key = {delivery->hook->secret, delivery->hook->secret_size};

	if (!signature || strncmp(signature, prefix, strlen(prefix)) != 0 ||
	    !signature_hex_valid(key, delivery->body, delivery->body_size,
				 signature + strlen(prefix)))
		return signature_refused(delivery, header, answer);
	body_digest_set(digest, delivery);
	return 0;
}

int signature_check_standard(const struct delivery *delivery, struct body_digest *digest,
			     struct answer *answer)
{
	static const enum header needed[] = {HEADER_WEBHOOK_ID, HEADER_WEBHOOK_TIMESTAMP,
					     HEADER_WEBHOOK_SIGNATURE};
	struct signature_key key = {delivery->hook->secret, delivery->hook->secret_size};
	const char *const *values = delivery->headers->values;

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		if (!values[needed[i]])
			return signature_refused(delivery, needed[i], answer);
	}
	if (!signature_standard_valid(key, values[HEADER_WEBHOOK_ID],
				      values[HEADER_WEBHOOK_TIMESTAMP], delivery->body,
				      delivery->body_size, values[HEADER_WEBHOOK_SIGNATURE]))
		return signature_refused(delivery, HEADER_WEBHOOK_SIGNATURE, answer);
	if (signature_time_valid(values[HEADER_WEBHOOK_TIMESTAMP], delivery->now_sec))
		return 0;
	answer_error(answer, 401,
		     "webhook-timestamp is more than %d seconds off; set the clocks, or send the "
		     "delivery again instead of replaying it",
		     SIGNATURE_TOLERANCE_SEC);
	return 401;
}

/* ---- events ---- */

/* Copy the first line of @text without control characters, cut between characters. */
static void text_clean(char *out, size_t size, const char *text)
{
	size_t length = text ? strcspn(text, "\r\n") : 0;

	if (length >= size) {
		length = size - 1;
		while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
			length--;
	}
	for (size_t i = 0; i < length; i++)
		out[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? ' ' : text[i];
	out[length] = '\0';
	/* control characters from U+0080 on have two bytes: drop a text that has one */
	if (!text_line_valid(out))
		out[0] = '\0';
}

static bool commit_zero(const char *commit)
{
	return commit[strspn(commit, "0")] == '\0';
}

/* Return: 1 and the event, 0 for a deleted ref, or -EBADMSG. */
static int event_new(struct events *events, const char *ref, const char *before, const char *after,
		     const char *actor, const char *title, struct event **ret_event,
		     struct error *error)
{
	struct event *event;

	if (!ref || strlen(ref) > REF_NAME_MAX || strncmp(ref, "refs/", 5) != 0 ||
	    !ref_name_valid(ref))
		return error_set(error, EBADMSG, "the payload has no valid \"ref\"");
	if (!after || (*after && !commit_valid(after)))
		return error_set(error, EBADMSG,
				 "the payload does not name the new commit of \"%s\"", ref);
	if (*after && commit_zero(after))
		return 0;
	if (events->n_events == DELIVERY_EVENTS_MAX)
		return error_set(error, EBADMSG, "the payload changes more than %d refs",
				 DELIVERY_EVENTS_MAX);
	event = &events->events[events->n_events];
	*event = (struct event){.ref = ""};
	if (text_copy(event->ref, sizeof(event->ref), ref) < 0 ||
	    text_copy(event->after, sizeof(event->after), after) < 0 ||
	    text_copy(event->before, sizeof(event->before),
		      before && commit_valid(before) ? before : "") < 0)
		return error_set(error, EBADMSG, "a name in the payload is too long");
	events->n_events++;
	text_clean(event->actor, sizeof(event->actor), actor);
	text_clean(event->title, sizeof(event->title), title);
	*ret_event = event;
	return 1;
}

int event_add(struct events *events, const char *ref, const char *before, const char *after,
	      const char *actor, const char *title, struct error *error)
{
	struct event *event;
	int r = event_new(events, ref, before, after && *after ? after : NULL, actor, title, &event,
			  error);

	return r < 0 ? r : 0;
}

/* ---- pull requests ---- */

int pull_add(struct events *events, const struct pull *pull, const char *ref, const char *before,
	     const char *after, const char *actor, const char *title, struct error *error)
{
	char base[REF_NAME_MAX + 1];
	struct event *event;
	int r;

	if (pull->number == 0)
		return error_set(error, EBADMSG, "the payload has no number of the pull request");
	r = snprintf(base, sizeof(base), "%s%s",
		     pull->base && strncmp(pull->base, "refs/", 5) == 0 ? "" : "refs/heads/",
		     pull->base ? pull->base : "");
	if (!pull->base || r < 0 || (size_t)r >= sizeof(base) || !ref_name_valid(base))
		return error_set(error, EBADMSG,
				 "the payload does not name the target branch of the pull request");
	r = event_new(events, ref, before, after, actor, title, &event, error);
	if (r <= 0)
		return r;
	event->pull_request = pull->number;
	(void)text_copy(event->base_ref, sizeof(event->base_ref), base); /* as large as @base */
	event->from_fork = pull->from_fork;
	text_clean(event->action, sizeof(event->action), pull->action);
	return 0;
}

uint64_t pull_number(const json_t *root, const char *path)
{
	json_int_t number = json_integer_value(payload_get(root, path));

	return number > 0 ? (uint64_t)number : 0;
}

bool pull_from_fork(const json_t *root, const char *head, const char *base)
{
	const json_t *a = payload_get(root, head), *b = payload_get(root, base);

	/* the repository of a deleted fork is null */
	return !a || !b || json_is_null(a) || json_is_null(b) || !json_equal(a, b);
}

/* Does @action bring commits? */
static bool pull_wanted(const json_t *root, const struct pull_paths *paths, const char *action)
{
	for (size_t i = 0; paths->actions[i]; i++) {
		if (strcmp(paths->actions[i], action) == 0)
			return true;
	}
	return paths->quiet && strcmp(paths->quiet, action) == 0 &&
	       payload_string(root, paths->moved);
}

int pull_extract(const json_t *root, const struct pull_paths *paths, struct events *events,
		 struct error *error)
{
	const char *action = paths->action ? payload_string(root, paths->action) : NULL;
	const struct pull pull = {
		.number = pull_number(root, paths->number),
		.base = payload_string(root, paths->base),
		.from_fork = pull_from_fork(root, paths->head_repository, paths->base_repository),
		.action = action,
	};
	const char *after = payload_string(root, paths->head), *actor = NULL;
	char ref[64];

	if (paths->action && !action)
		return error_set(error, EBADMSG, "the payload has no action of the pull request");
	if (action && !pull_wanted(root, paths, action))
		return error_set(error, ENOMSG, "pull request %.*s", EVENT_NAME_MAX, action);
	for (size_t i = 0; !actor && paths->actor[i]; i++)
		actor = payload_string(root, paths->actor[i]);
	(void)snprintf(ref, sizeof(ref), "%s%" PRIu64 "%s", paths->ref[0], pull.number,
		       paths->ref[1]);
	return pull_add(events, &pull, ref,
			paths->base_head ? payload_string(root, paths->base_head) : NULL,
			after && *after ? after : NULL, actor, payload_string(root, paths->title),
			error);
}

int push_extract(const json_t *root, const struct push_paths *paths, struct events *events,
		 struct error *error)
{
	const char *ref = payload_string(root, paths->ref);
	const char *after = payload_string(root, paths->after);
	const char *tag_commit = paths->tag_commit ? payload_string(root, paths->tag_commit) : NULL;
	const char *actor = NULL, *title = NULL;

	for (size_t i = 0; !actor && paths->actor[i]; i++)
		actor = payload_string(root, paths->actor[i]);
	for (size_t i = 0; !title && paths->title[i]; i++)
		title = payload_string(root, paths->title[i]);
	if (ref && strncmp(ref, "refs/tags/", 10) == 0 && after && commit_valid(after) &&
	    !commit_zero(after) && tag_commit && commit_valid(tag_commit))
		after = tag_commit;
	return event_add(events, ref, payload_string(root, paths->before), after, actor, title,
			 error);
}
