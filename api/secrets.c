/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets: names go out, values only come in, and those are sealed for the
 * scheduler (libsodium's crypto_box_seal): nothing in this process can open
 * them, so nothing here has to be wiped. On the unix socket only.
 */
#include "api/handlers.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/names.h"

#include <jansson.h>
#include <sodium.h>
#include <string.h>

/* crypto_box_SEALBYTES more than the value */
#define SEALED_MAX (SECRET_VALUE_MAX + crypto_box_SEALBYTES)

static bool local_only(struct http_request *request)
{
	if (!request->local)
		http_answer_error(request, 403,
				  "secrets are served on the unix socket api.sock only: use "
				  "runbookctl on this host");
	return request->local;
}

static void ask_and_answer(struct http_request *request, const struct question *question)
{
	char *text;
	size_t size;
	int status = api_ask(request->api, question, &text, &size);

	if (status < 0)
		http_answer_lost(request, ROLE_SCHEDULER, status);
	else
		http_answer_json(request, (unsigned)status, text, size);
}

void handle_secrets(struct http_request *request)
{
	struct question question = {.verb = request->route->verb, .fd = -1};

	if (!local_only(request))
		return;
	question.project = request->match.project;
	ask_and_answer(request, &question);
}

/* Fields of the body; texts are valid as long as the body's JSON is. */
struct secret_body {
	const char *env, *name, *sealed;
};

/* Answers and returns false when the body is malformed. */
static bool body_read(struct http_request *request, json_t *body, struct secret_body *fields)
{
	const struct {
		const char *name;
		const char **text;
	} known[] = {{"env", &fields->env}, {"name", &fields->name}, {"sealed", &fields->sealed}};
	const char *key;
	json_t *value;

	if (!json_is_object(body)) {
		http_answer_error(request, 400, "the body is no JSON object");
		return false;
	}
	json_object_foreach (body, key, value) {
		size_t i = 0;

		while (i < ARRAY_SIZE(known) && strcmp(key, known[i].name) != 0)
			i++;
		if (i == ARRAY_SIZE(known) || !json_is_string(value)) {
			http_answer_error(request, 400,
					  "the body takes \"env\", \"name\" and \"sealed\", which "
					  "are texts");
			return false;
		}
		*known[i].text = json_string_value(value);
	}
	if (fields->env && !secret_env_valid(fields->env)) {
		http_answer_error(request, 400,
				  "\"env\" takes a value of the variable ENV, 1 to %d printable "
				  "bytes",
				  SECRET_ENV_MAX);
		return false;
	}
	if (fields->name && !env_name_valid(fields->name)) {
		http_answer_error(request, 400, "\"name\" takes the name of a variable");
		return false;
	}
	return true;
}

/* Base64 into a sealed memfd. Return: fd, or -1 after an answer. */
static int sealed_fd(struct http_request *request, const char *text)
{
	cleanup_free unsigned char *bytes = malloc(SEALED_MAX);
	size_t size = 0;
	int fd = -1;

	if (!text || !bytes ||
	    sodium_base642bin(bytes, SEALED_MAX, text, strlen(text), NULL, &size, NULL,
			      sodium_base64_VARIANT_ORIGINAL) != 0) {
		http_answer_error(request, 400,
				  "\"sealed\" takes the value, of at most 64 KiB, sealed for the "
				  "public key of /api/v1/secrets/key and in base64");
		return -1;
	}
	fd = memfd_sealed("sealed-secret", bytes, size);
	if (fd < 0)
		http_answer_error(request, 503, "not enough memory: try again");
	return fd;
}

void handle_secret_change(struct http_request *request)
{
	struct question question = {.verb = request->route->verb, .fd = -1};
	struct secret_body fields = {NULL};
	json_t *body;

	if (!local_only(request))
		return;
	body = json_loadb(request->body ? request->body : "", request->body_size,
			  JSON_REJECT_DUPLICATES, NULL);
	if (!body_read(request, body, &fields))
		goto out;
	if (!fields.env || (!fields.name && question.verb == API_SECRET_SET)) {
		http_answer_error(request, 400, "the body lacks \"env\" or \"name\"");
		goto out;
	}
	if (question.verb == API_SECRET_SET)
		question.fd = sealed_fd(request, fields.sealed);
	if (question.verb != API_SECRET_SET || question.fd >= 0) {
		question.project = request->match.project;
		question.step = fields.env;
		question.ref = fields.name;
		ask_and_answer(request, &question);
	}
	if (question.fd >= 0)
		(void)close(question.fd);
out:
	json_decref(body);
}
