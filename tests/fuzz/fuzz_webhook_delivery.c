/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request as text: a line with the forge's name, a request line, header lines, an empty line, the
 * body. It passes all stages from the checks of the head to the events: once with the forge's
 * signature check, which no input passes, and once without, since a parser must not rely on it.
 */
#include "webhook/delivery.h"
#include "webhook/forge.h"
#include "webhook/payload.h"
#include "webhook/signature.h"

#include "common/names.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	payload_init();
	return signature_init();
}

static int verify_nothing(const struct delivery *delivery, struct body_digest *digest,
			  struct answer *answer)
{
	return 0;
}

/* The next line of @text, terminated in place; NULL at the end. */
static char *line_take(char **text)
{
	char *line = *text, *end = strchr(line, '\n');

	if (!end)
		return NULL;
	*end = '\0';
	*text = end + 1;
	return line;
}

/* Check the properties of events that callers rely on. */
static void events_check(const struct events *events)
{
	if (events->n_events < 1 || events->n_events > DELIVERY_EVENTS_MAX)
		abort();
	for (size_t i = 0; i < events->n_events; i++) {
		const struct event *event = &events->events[i];

		if (!ref_name_valid(event->ref) || !commit_valid(event->after) ||
		    (*event->before && !commit_valid(event->before)) ||
		    !text_printable(event->actor) || !text_printable(event->title))
			abort();
	}
}

static void answer_check(const struct answer *answer)
{
	json_t *root = json_loads(answer->text, 0, NULL);

	if (answer->status < 200 || answer->status > 599 || !json_is_object(root))
		abort();
	json_decref(root);
}

static void deliver(struct delivery *delivery, const struct forge *forge)
{
	static struct events events;
	struct answer answer = {.status = 0};
	struct hook hook = *delivery->hook;
	struct delivery used = *delivery;

	hook.forge = forge;
	used.hook = &hook;
	if (delivery_check(&used, &events, &answer) == 0)
		events_check(&events);
	else
		answer_check(&answer);
}

static bool head_read(char **text, struct headers *headers, struct request_body *body)
{
	struct request_line line = {.version = "HTTP/1.1"};
	struct answer answer = {.status = 0};
	const char *project;
	enum route route;
	char *field;

	line.method = line_take(text);
	line.path = line.method ? line_take(text) : NULL;
	if (!line.path)
		return false;
	while ((field = line_take(text)) && *field) {
		char *colon = strstr(field, ": ");

		if (!colon)
			continue;
		*colon = '\0';
		headers_add(headers, field, colon + 2, strlen(colon + 2));
	}
	if (headers_check_framing(headers, &line, body, &answer) != 0 ||
	    request_route(&line, &route, &project, &answer) != 0 ||
	    headers_check_body(headers, body, &answer) != 0)
		answer_check(&answer); /* continue: the parsers must not rely on the signature */
	return field != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct headers headers = HEADERS_INIT;
	struct hook hook = {.project = "p", .secret = (uint8_t *)"s3cret", .secret_size = 6};
	struct request_body body;
	char *copy = malloc(size + 1), *text = copy;
	const char *name;

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	copy[size] = '\0';
	name = line_take(&text);
	hook.forge = name ? forge_find(name) : NULL;
	if (hook.forge && head_read(&text, &headers, &body)) {
		struct forge open = *hook.forge;
		struct delivery delivery = {
			.hook = &hook,
			.headers = &headers,
			.body = text,
			.body_size = size - (size_t)(text - copy),
			.form = body.form,
			.now_sec = 1700000000,
		};

		deliver(&delivery, hook.forge);
		open.verify = verify_nothing;
		deliver(&delivery, &open);
	}
	free(copy);
	return 0;
}
