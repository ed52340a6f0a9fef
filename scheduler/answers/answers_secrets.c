/* SPDX-License-Identifier: Apache-2.0 */
/* Replies about secrets. Values arrive sealed and never leave. */
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/messages/host.h"
#include "common/names.h"
#include "scheduler/answers/answers.h"
#include "scheduler/engine/secrets.h"
#include "scheduler/model/outbox.h"
#include "scheduler/model/project.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- reading ---- */

static void write_secret(const struct store_secret *secret, void *userdata)
{
	struct json *json = userdata;

	json_open(json, NULL, '{');
	json_text(json, "project", secret->project);
	json_text(json, "env", secret->env);
	json_text(json, "name", secret->name);
	json_number(json, "changed_usec", secret->changed_usec);
	json_close(json, '}');
}

void answer_secrets(const struct request *request)
{
	const struct secrets *secrets = &request->scheduler->secrets;
	cleanup_json struct json json = {0};
	int r;

	json_open(&json, NULL, '{');
	json_open(&json, "secrets", '[');
	r = store_secrets_each(request->scheduler->store,
			       request->ask.project[0] ? request->ask.project : NULL, NULL,
			       write_secret, &json);
	json_close(&json, ']');
	json_text(&json, "key", secrets->current[0] ? secrets->current : NULL);
	json_text(&json, "problem", secrets->problem[0] ? secrets->problem : NULL);
	json_close(&json, '}');
	if (r < 0)
		reply_store_error(request, r);
	else
		reply_json(request, 200, &json);
}

void answer_secret_public_key(const struct request *request)
{
	const struct sealing_keys *keys = &request->scheduler->secrets.sealing;
	char text[sodium_base64_ENCODED_LEN(SECRET_PUBLIC_SIZE, sodium_base64_VARIANT_ORIGINAL)];
	cleanup_json struct json json = {0};

	(void)sodium_bin2base64(text, sizeof(text), keys->public_key, sizeof(keys->public_key),
				sodium_base64_VARIANT_ORIGINAL);
	json_open(&json, NULL, '{');
	json_text(&json, "public_key", text);
	json_close(&json, '}');
	reply_json(request, 200, &json);
}

/* ---- setting ---- */

/* Count a project's secrets and the bytes of its ENV, and note whether a given one exists. */
struct census {
	const char *env, *name;
	uint64_t n, bytes;
	bool exists;
};

static void count_secret(const struct store_secret *secret, void *userdata)
{
	struct census *census = userdata;
	bool same_env = strcmp(secret->env, census->env) == 0;

	if (same_env && strcmp(secret->name, census->name) == 0) {
		census->exists = true;
		return;
	}
	census->n++;
	if (same_env)
		census->bytes += strlen(secret->name) + secret->size;
}

/* Accept only a sealed memfd: reading anything else could block. Return: its size, 0 if refused. */
static size_t sealed_size(int fd)
{
	const int wanted = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
	int seals = fd < 0 ? -1 : fcntl(fd, F_GET_SEALS);
	struct stat status;

	if (seals < 0 || (seals & wanted) != wanted || fstat(fd, &status) < 0 ||
	    status.st_size < (off_t)SECRET_SEAL_OVERHEAD ||
	    status.st_size > (off_t)(SECRET_VALUE_MAX + SECRET_SEAL_OVERHEAD))
		return 0;
	return (size_t)status.st_size;
}

static bool set_allowed(const struct request *request, struct census *census)
{
	const struct project *project = project_find(request->scheduler, request->ask.project);
	const char *problem = secret_name_problem(request->ask.secret.name);
	int r;

	if (!project || !project->configured) {
		reply_error(request, 404,
			    "no project of this name: `runbookctl project ls` lists them");
		return false;
	}
	if (!secret_env_valid(request->ask.secret.env)) {
		reply_error(request, 400,
			    "ENV: give the value of the variable ENV that steps get the secret "
			    "for, 1 to %d printable bytes",
			    SECRET_ENV_MAX);
		return false;
	}
	if (problem) {
		reply_error(request, 400, "%s", problem);
		return false;
	}
	r = store_secrets_each(request->scheduler->store, request->ask.project, NULL, count_secret,
			       census);
	if (r < 0) {
		reply_store_error(request, r);
		return false;
	}
	if (!census->exists && census->n >= SECRETS_PER_PROJECT) {
		reply_error(request, 409,
			    "the project has %d secrets already: remove some with `runbookctl "
			    "secret rm`",
			    SECRETS_PER_PROJECT);
		return false;
	}
	return true;
}

/* Open the sealed value. Return: malloc'ed, with *@ret_size bytes; NULL after an error reply. */
static unsigned char *value_take(const struct request *request, const struct census *census,
				 size_t *ret_size)
{
	size_t size = sealed_size(request->ask.content), n_value = size - SECRET_SEAL_OVERHEAD;
	cleanup_free unsigned char *sealed = size ? malloc(size) : NULL;
	unsigned char *value = size ? malloc(n_value + 1) : NULL;
	const char *wrong = NULL;
	unsigned status = 400;

	if (!size) {
		wrong = "the value is missing, or longer than 64 KiB";
	} else if (!sealed || !value ||
		   pread(request->ask.content, sealed, size, 0) != (ssize_t)size) {
		status = 503;
		wrong = "the value cannot be read: try again";
	} else if (sealing_keys_open(&request->scheduler->secrets.sealing, sealed, size, value) <
		   0) {
		status = 412;
		wrong = "the value is sealed for another key: ask for the public key again";
	} else if (n_value == 0) {
		wrong = "the value is empty: give it on standard input";
	} else if (memchr(value, '\0', n_value)) {
		wrong = "the value has a NUL byte, which no variable can have: encode it, "
			"for example with base64";
	} else if (census->bytes + strlen(request->ask.secret.name) + n_value >
		   SECRETS_BYTES_PER_ENV) {
		status = 409;
		wrong = "the secrets of this ENV would be more than 1 MiB: remove some";
	}
	if (!wrong) {
		*ret_size = n_value;
		return value;
	}
	if (value)
		sodium_memzero(value, n_value);
	free(value);
	reply_error(request, status, "%s", wrong);
	return NULL;
}

static void reply_changed(const struct request *request, const char *change)
{
	cleanup_json struct json json = {0};

	log_notice("secret %s of project %s, ENV %s: %s", request->ask.secret.name,
		   request->ask.project, request->ask.secret.env, change);
	json_open(&json, NULL, '{');
	json_text(&json, "project", request->ask.project);
	json_text(&json, "env", request->ask.secret.env);
	json_text(&json, "name", request->ask.secret.name);
	json_text(&json, "change", change);
	json_close(&json, '}');
	reply_json(request, 200, &json);
}

void answer_secret_set(const struct request *request)
{
	struct scheduler *scheduler = request->scheduler;
	const struct secret_key *key = secrets_key(scheduler);
	struct secret_place place = {request->ask.project, request->ask.secret.env,
				     request->ask.secret.name};
	struct census census = {.env = request->ask.secret.env, .name = request->ask.secret.name};
	struct store_secret row = {
		.project = request->ask.project,
		.env = request->ask.secret.env,
		.name = request->ask.secret.name,
		.changed_usec = wall_usec(),
	};
	cleanup_free unsigned char *box = NULL;
	unsigned char *value;
	size_t size = 0;

	if (!set_allowed(request, &census))
		return;
	if (!key) {
		reply_error(request, 409, "secrets cannot be set: %s", scheduler->secrets.problem);
		return;
	}
	value = value_take(request, &census, &size);
	if (!value)
		return;
	box = malloc(size + SECRET_BOX_OVERHEAD);
	if (box) {
		secret_box_make(key, &place, value, size, box);
		row.key = key->id;
		row.box = box;
		row.size = size + SECRET_BOX_OVERHEAD;
		store_secret_set(scheduler->store, &row);
		turn_schedule(scheduler);
	}
	sodium_memzero(value, size);
	free(value);
	if (box)
		reply_changed(request, census.exists ? "replaced" : "set");
	else
		reply_error(request, 503, "not enough memory: try again");
}

/* ---- removing ---- */

struct removal {
	struct scheduler *scheduler;
	const struct request *request;
	char **names;
	size_t n;
	bool failed;
};

static void note_removal(const struct store_secret *secret, void *userdata)
{
	struct removal *removal = userdata;
	char **grown;

	if (removal->request->ask.secret.name[0] &&
	    strcmp(removal->request->ask.secret.name, secret->name) != 0)
		return;
	grown = reallocarray(removal->names, removal->n + 1, sizeof(*grown));
	if (grown)
		removal->names = grown;
	if (!grown || !(grown[removal->n] = strdup(secret->name)))
		removal->failed = true;
	else
		removal->n++;
}

void answer_secret_remove(const struct request *request)
{
	struct scheduler *scheduler = request->scheduler;
	struct removal removal = {.scheduler = scheduler, .request = request};
	cleanup_json struct json json = {0};
	int r;

	r = store_secrets_each(scheduler->store, request->ask.project, request->ask.secret.env,
			       note_removal, &removal);
	for (size_t i = 0; i < removal.n; i++) {
		if (r == 0 && !removal.failed) {
			store_secret_remove(scheduler->store, request->ask.project,
					    request->ask.secret.env, removal.names[i]);
			log_notice("secret %s of project %s, ENV %s: removed", removal.names[i],
				   request->ask.project, request->ask.secret.env);
		}
		free(removal.names[i]);
	}
	free(removal.names);
	turn_schedule(scheduler);
	if (r < 0) {
		reply_store_error(request, r);
	} else if (removal.failed) {
		reply_error(request, 503, "not enough memory: try again");
	} else if (removal.n == 0) {
		reply_error(request, 404,
			    "the project has no such secret: `runbookctl secret ls %s` lists them",
			    request->ask.project);
	} else {
		/* removing the last secret of a lost key may solve the problem */
		if (scheduler->secrets.problem[0])
			secrets_check(scheduler);
		json_open(&json, NULL, '{');
		json_number(&json, "removed", removal.n);
		json_close(&json, '}');
		reply_json(request, 200, &json);
	}
}

/* ---- rotation ---- */

void answer_secret_rekey(const struct request *request)
{
	struct scheduler *scheduler = request->scheduler;
	struct secrets *secrets = &scheduler->secrets;
	cleanup_json struct json json = {0};
	struct error error = ERROR_INIT;
	size_t n = 0;

	if (!secrets_key(scheduler)) {
		reply_error(request, 409, "a new key cannot be made: %s", secrets->problem);
	} else if (secrets->rekeying) {
		reply_error(request, 409, "another request for a new key waits already: try again");
	} else if (!secrets->fixed) {
		secrets->rekeying = true;
		secrets->rekey_serial = request->serial;
		secrets->rekey_generation = scheduler->api.generation;
		outbox_put(&executor_home(scheduler)->peer, MESSAGE_NEW(secret_key_new, 0));
	} else if (strcmp(secrets->keys->keys[0].id, secrets->current) == 0) {
		reply_error(request, 409,
			    "the keys are the credential %s, which runbookd cannot change: put a "
			    "new key in front of the old one, restart runbookd and repeat this",
			    secrets->source);
	} else if (secrets_rekey(scheduler, &n, &error) < 0) {
		reply_error(request, 409, "%s", error.text);
	} else {
		json_open(&json, NULL, '{');
		json_text(&json, "key", secrets->current);
		json_number(&json, "secrets", n);
		json_close(&json, '}');
		reply_json(request, 200, &json);
	}
}
