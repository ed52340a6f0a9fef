/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets, on the unix socket only. Clients can read names but never values. They send
 * values sealed for the scheduler (libsodium's crypto_box_seal), which this process
 * cannot open, so it has no memory to wipe.
 */
#include "api/handlers.h"

#include "api/answer.h"
#include "api/ask.h"
#include "api/body.h"
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/names.h"

#include <sodium.h>
#include <string.h>
#include <unistd.h>

/* a sealed value is crypto_box_SEALBYTES longer than the value */
#define SEALED_MAX (SECRET_VALUE_MAX + crypto_box_SEALBYTES)

static bool local_only(struct http_request *request)
{
	if (!request->local)
		http_answer_error(request, 403,
				  "secrets are served on the unix socket api.sock only: use "
				  "runbookctl on this host");
	return request->local;
}

void handle_secrets(struct http_request *request)
{
	struct message_api_request question = {.verb = request->route->verb};

	if (!local_only(request))
		return;
	question.project = request->match.project;
	http_answer_scheduler(request, &question);
}

/* Decode Base64 into a memfd with file seals. Return: fd, or -1 after an answer. */
static int sealed_fd(struct http_request *request, const char *text)
{
	cleanup_free unsigned char *bytes = malloc(SEALED_MAX);
	size_t size = 0;
	int fd = -1;

	if (!bytes) {
		http_answer_error(request, 503, "not enough memory: try again");
		return -1;
	}
	if (!text || sodium_base642bin(bytes, SEALED_MAX, text, strlen(text), NULL, &size, NULL,
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

/* Answers and returns false when @env or @name cannot be those of a secret. */
static bool target_check(struct http_request *request, const char *env, const char *name)
{
	if (!env || (!name && request->route->verb == API_SECRET_SET))
		http_answer_error(request, 400, "the body lacks \"env\" or \"name\"");
	else if (!secret_env_valid(env))
		http_answer_error(request, 400,
				  "\"env\" takes a value of the variable ENV, 1 to %d printable "
				  "bytes",
				  SECRET_ENV_MAX);
	else if (name && !env_name_valid(name))
		http_answer_error(request, 400, "\"name\" takes the name of a variable");
	else
		return true;
	return false;
}

void handle_secret_change(struct http_request *request)
{
	struct message_api_request question = {
		.verb = request->route->verb,
		.project = request->match.project,
	};
	const char *sealed = NULL;
	const struct body_field fields[] = {
		{"env", SECRET_ENV_MAX, &question.secret.env, NULL},
		{"name", ENV_NAME_MAX, &question.secret.name, NULL},
		{"sealed", SECRET_BODY_MAX, &sealed, NULL}, /* the last, as removing has none */
	};
	bool set = question.verb == API_SECRET_SET;
	json_t *body;

	if (!local_only(request) || !body_read(request, fields, ARRAY_SIZE(fields) - !set, &body))
		return;
	if (target_check(request, question.secret.env, question.secret.name)) {
		if (set)
			question.content = sealed_fd(request, sealed);
		if (!set || question.content >= 0)
			http_answer_scheduler(request, &question);
		if (set && question.content >= 0)
			(void)close(question.content);
	}
	json_decref(body);
}
