/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/engine/secrets.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/messages/config.h"
#include "common/messages/host.h"
#include "common/names.h"
#include "common/text.h"
#include "scheduler/model/outbox.h"
#include "scheduler/model/reply.h"
#include "scheduler/model/run_row.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int secrets_init(struct secrets *secrets)
{
	(void)snprintf(secrets->problem, sizeof(secrets->problem),
		       "runbookd has not handed over the keys yet: try again");
	return sealing_keys_make(&secrets->sealing);
}

void secrets_clear(struct secrets *secrets)
{
	sealing_keys_clear(&secrets->sealing);
	sodium_free(secrets->keys);
	secrets->keys = NULL;
}

/* ---- the key in use ---- */

static void problem_set(struct secrets *secrets, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void problem_set(struct secrets *secrets, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(secrets->problem, sizeof(secrets->problem), format, arguments);
	va_end(arguments);
	secrets->current[0] = '\0';
	log_error("secrets: %s", secrets->problem);
}

static void note_any(const struct store_secret *secret, void *userdata)
{
	*(bool *)userdata = true;
}

static void key_adopt(struct scheduler *scheduler, const struct secret_key *key)
{
	unsigned char proof[SECRET_PROOF_SIZE];
	struct store_secret_key row = {
		.id = key->id,
		.proof = proof,
		.size = sizeof(proof),
		.since_usec = wall_usec(),
	};

	secret_proof_make(key, proof);
	store_secret_key_set(scheduler->store, &row);
	(void)snprintf(scheduler->secrets.current, sizeof(scheduler->secrets.current), "%s",
		       key->id);
	turn_schedule(scheduler);
}

struct key_search {
	const struct secret_keys *keys;
	char id[SECRET_KEY_ID_MAX + 1];
	bool proven;
};

static void note_key(const struct store_secret_key *row, void *userdata)
{
	struct key_search *search = userdata;
	const struct secret_key *key = secret_keys_find(search->keys, row->id);

	(void)snprintf(search->id, sizeof(search->id), "%s", row->id);
	search->proven = key && secret_proof_check(key, row->proof, row->size) == 0;
}

static void keys_forget_others(struct scheduler *scheduler)
{
	struct secrets *secrets = &scheduler->secrets;

	outbox_put(&executor_home(scheduler)->peer,
		   MESSAGE_NEW(secret_key_keep, 0, .id = secrets->current));
	secrets->keys->keys[0] = *secret_keys_find(secrets->keys, secrets->current);
	sodium_memzero(&secrets->keys->keys[1],
		       sizeof(secrets->keys->keys[1]) * (SECRET_KEYS_MAX - 1));
	secrets->keys->n = 1;
}

void secrets_check(struct scheduler *scheduler)
{
	struct secrets *secrets = &scheduler->secrets;
	struct key_search search = {.keys = secrets->keys};
	bool any = false;
	int r, s;

	if (!secrets->keys)
		return; /* secrets.problem already has the reason */
	r = store_secret_key_get(scheduler->store, note_key, &search);
	s = store_secret_next(scheduler->store, "", "", "", note_any, &any);
	if (r < 0 || s < 0) {
		problem_set(secrets, "the store cannot be read: see the log of runbook-scheduler");
		return;
	}
	secrets->problem[0] = '\0';
	if (r > 0 && search.proven) {
		(void)snprintf(secrets->current, sizeof(secrets->current), "%s", search.id);
	} else if (!any) {
		key_adopt(scheduler, &secrets->keys->keys[0]);
	} else if (r == 0) {
		problem_set(secrets, "the store does not say with which key they are encrypted: "
				     "restore a backup, or remove them with `runbookctl secret rm` "
				     "and set them again");
		return;
	} else {
		problem_set(secrets,
			    "they are encrypted with the key %s, which is not %s %s: put it back "
			    "and run `systemctl reload runbookd`, or remove them with `runbookctl "
			    "secret rm` and set them again",
			    search.id,
			    secret_keys_find(secrets->keys, search.id) ? "the one of that name in"
								       : "in",
			    secrets->source);
		return;
	}
	if (secrets->keys->n > 1 && !secrets->fixed && !secrets->rekeying)
		keys_forget_others(scheduler);
}

const struct secret_key *secrets_key(const struct scheduler *scheduler)
{
	const struct secrets *secrets = &scheduler->secrets;

	if (secrets->problem[0] || !secrets->keys || !secrets->current[0])
		return NULL;
	return secret_keys_find(secrets->keys, secrets->current);
}

/* ---- rotation ---- */

/* A copy of a row, valid while the store is written. */
struct row {
	char project[PROJECT_NAME_MAX + 1];
	char env[SECRET_ENV_MAX + 1];
	char name[ENV_NAME_MAX + 1];
	unsigned char *box;
	size_t size;
	bool failed;
};

static void row_keep(const struct store_secret *secret, void *userdata)
{
	struct row *row = userdata;
	unsigned char *grown = realloc(row->box, secret->size + 1);

	row->failed = !grown ||
		      text_copy(row->project, sizeof(row->project), secret->project) < 0 ||
		      text_copy(row->env, sizeof(row->env), secret->env) < 0 ||
		      text_copy(row->name, sizeof(row->name), secret->name) < 0;
	if (grown)
		row->box = grown;
	if (row->failed)
		return;
	if (secret->size)
		memcpy(row->box, secret->box, secret->size);
	row->size = secret->size;
}

static void row_rebox(struct scheduler *scheduler, const struct secret_key *key,
		      const struct row *row, const unsigned char *value, size_t size,
		      unsigned char *box)
{
	struct secret_place place = {row->project, row->env, row->name};
	struct store_secret secret = {
		.project = row->project,
		.env = row->env,
		.name = row->name,
		.key = key->id,
		.box = box,
		.size = size + SECRET_BOX_OVERHEAD,
	};

	secret_box_make(key, &place, value, size, box);
	store_secret_rebox(scheduler->store, &secret);
}

/*
 * Visit every row in order: decrypt it with @from and, with @to, encrypt it with that. Without @to
 * nothing is written: a first visit finds damaged rows before anything is changed.
 */
static int rows_walk(struct scheduler *scheduler, const struct secret_key *from,
		     const struct secret_key *to, size_t *ret_n, struct error *error)
{
	cleanup_free struct row *row = calloc(1, sizeof(*row));
	const size_t room = SECRET_VALUE_MAX + SECRET_BOX_OVERHEAD;
	unsigned char *value = sodium_malloc(room);
	cleanup_free unsigned char *box = malloc(room);
	size_t size = 0;
	int r = row && value && box ? 0 : -ENOMEM;

	*ret_n = 0;
	while (r == 0 && (r = store_secret_next(scheduler->store, row->project, row->env, row->name,
						row_keep, row)) > 0) {
		struct secret_place place = {row->project, row->env, row->name};

		r = 0;
		if (row->failed)
			r = error_set(error, ENOMEM, "the secrets cannot be read: out of memory");
		else if (row->size > room ||
			 secret_box_open(from, &place, row->box, row->size, value, &size) < 0)
			r = error_set(error, EBADMSG,
				      "secret %s of ENV \"%s\" of project %s is damaged: set it "
				      "again or remove it; nothing was changed",
				      row->name, row->env, row->project);
		else if (to)
			row_rebox(scheduler, to, row, value, size, box);
		*ret_n += r == 0;
	}
	sodium_free(value);
	if (row)
		free(row->box);
	if (r < 0 && error->number == 0)
		(void)error_errno(error, -r, "the secrets cannot be read");
	return r;
}

/* Change the key of all rows in the open transaction, or of none. */
static int keys_change(struct scheduler *scheduler, const struct secret_key *from,
		       const struct secret_key *to, size_t *ret_n, struct error *error)
{
	char old[SECRET_KEY_ID_MAX + 1];
	int r;

	r = rows_walk(scheduler, from, NULL, ret_n, error);
	if (r < 0)
		return r;
	(void)snprintf(old, sizeof(old), "%s", from->id);
	r = rows_walk(scheduler, from, to, ret_n, error);
	if (r < 0) {
		/* the open transaction has half of the change and must not be committed */
		log_error("%s: ending, to go on from the last commit", error->text);
		outbox_clear(scheduler);
		_exit(1);
	}
	key_adopt(scheduler, to);
	log_notice("secrets: %zu are encrypted with the key %s now, with %s before", *ret_n, to->id,
		   old);
	return 0;
}

int secrets_rekey(struct scheduler *scheduler, size_t *ret_n, struct error *error)
{
	const struct secret_key *from = secrets_key(scheduler);

	if (!from)
		return error_set(error, ENOKEY, "%s", scheduler->secrets.problem);
	return keys_change(scheduler, from, &scheduler->secrets.keys->keys[0], ret_n, error);
}

/*
 * The file was removed (then root made another key) or its contents were replaced. While the
 * previous key is in memory nothing is lost: encrypt all secrets with the new one.
 */
static int keys_follow(struct scheduler *scheduler, const struct secret_keys *keys,
		       struct error *error)
{
	const struct secret_key *from = secrets_key(scheduler);
	const struct secret_key *same = from ? secret_keys_find(keys, from->id) : NULL;
	size_t n = 0;

	if (!from || (same && sodium_memcmp(same->bytes, from->bytes, SECRET_KEY_SIZE) == 0))
		return 0;
	return keys_change(scheduler, from, &keys->keys[0], &n, error);
}

/* ---- the daemon's messages ---- */

/* Read into locked memory, leaving no copy in a buffer. Return: 0 or -errno with @error. */
static int keys_read(int fd, struct secret_keys **ret_keys, struct error *error)
{
	struct secret_keys *keys = sodium_malloc(sizeof(*keys));
	char *text = sodium_malloc(SECRET_KEYS_TEXT_MAX);
	ssize_t size = -ENOMEM;
	int r;

	if (keys && text)
		size = fd_read_all(fd, text, SECRET_KEYS_TEXT_MAX);
	if (size < 0)
		r = error_errno(error, (int)-size, "cannot read the keys");
	else
		r = secret_keys_parse(text, (size_t)size, keys, error);
	sodium_free(text);
	if (r < 0)
		sodium_free(keys);
	else
		*ret_keys = keys;
	return r;
}

static void rekey_finish(struct scheduler *scheduler, const char *failure)
{
	struct secrets *secrets = &scheduler->secrets;
	struct request request = {.scheduler = scheduler, .serial = secrets->rekey_serial};
	struct error error = ERROR_INIT;
	cleanup_json struct json json = {0};
	bool asked = scheduler->api.generation == secrets->rekey_generation;
	size_t n = 0;

	if (!failure[0] && strcmp(secrets->keys->keys[0].id, secrets->current) == 0)
		failure = "runbookd made no new key: see its log";
	if (!failure[0] && secrets_rekey(scheduler, &n, &error) < 0)
		failure = error.text;
	secrets->rekeying = false;
	/* keep the old one after a success, the new one otherwise */
	if (!secrets->problem[0] && secrets->keys->n > 1)
		keys_forget_others(scheduler);
	if (!asked) {
		log_warning("the client that requested the new key of secrets has hung up");
		return;
	}
	if (failure[0]) {
		reply_error(&request, 409, "%s", failure);
		return;
	}
	json_open(&json, NULL, '{');
	json_text(&json, "key", secrets->current);
	json_number(&json, "secrets", n);
	json_close(&json, '}');
	reply_json(&request, 200, &json);
}

int secrets_handle_keys(struct channel *channel, struct message *message)
{
	struct scheduler *scheduler = ((struct peer *)channel->userdata)->scheduler;
	struct secrets *secrets = &scheduler->secrets;
	struct message_secret_keys received;
	struct secret_keys *keys = NULL;
	struct error error = ERROR_INIT;
	const char *failure;
	int r = MESSAGE_GET(message, secret_keys, &received);

	if (r < 0)
		return r;
	failure = received.error;
	secrets->fixed = received.fixed;
	(void)snprintf(secrets->source, sizeof(secrets->source), "%s", received.source);
	if (received.keys >= 0 && keys_read(received.keys, &keys, &error) < 0)
		failure = error.text;
	if (keys && keys_follow(scheduler, keys, &error) < 0) {
		failure = error.text;
		sodium_free(keys);
		keys = NULL;
	}
	if (keys) {
		sodium_free(secrets->keys);
		secrets->keys = keys;
		secrets_check(scheduler);
	} else if (!secrets->keys) {
		problem_set(secrets, "the keys in %s cannot be used: %.*s", received.source,
			    REASON_MAX, failure);
	} else {
		/* the keys in memory still open everything */
		log_error("secrets: the keys in %s cannot be used, the ones read before stay: %s",
			  received.source, failure);
	}
	if (secrets->rekeying)
		rekey_finish(scheduler, failure[0] ? failure : secrets->problem);
	return 0;
}

int secrets_handle_config(struct channel *channel, struct message *message)
{
	struct scheduler *scheduler = ((struct peer *)channel->userdata)->scheduler;
	struct staged_project *staged = scheduler->staged;
	struct message_config_fork_secrets config;
	int r = MESSAGE_GET(message, config_fork_secrets, &config);

	if (r < 0)
		return r;
	while (staged && strcmp(staged->name, config.project) != 0)
		staged = staged->next;
	if (!scheduler->staging || !staged)
		return -EPROTO;
	staged->fork_secrets = true;
	return 0;
}

/* ---- secrets of a step ---- */

void secret_set_clear(struct secret_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		sodium_memzero(set->items[i].string, set->items[i].length);
		free(set->items[i].string);
	}
	free(set->items);
	*set = (struct secret_set){0};
}

static const char *env_find(const struct runbook_env *env, size_t n_env)
{
	for (size_t i = 0; i < n_env; i++) {
		if (strcmp(env[i].name, "ENV") == 0)
			return env[i].value;
	}
	return NULL;
}

/* Only the runbook chooses an environment: ENV of an image, or one that we set, does not count. */
const char *step_secrets_env(const struct step *step)
{
	const struct runbook *runbook = step->run->runbook;
	const struct runbook_step *text = &runbook->steps[step->index];
	const char *value = env_find(text->env, text->n_env);

	if (!value)
		value = env_find(runbook->env, runbook->n_env);
	return value && *value ? value : NULL;
}

const char *step_secrets_withheld(const struct step *step)
{
	const struct run *run = step->run;

	if (!step_secrets_env(step))
		return NULL;
	if (run->row.source == RUN_SOURCE_UPLOAD)
		return "secrets withheld: this is an uploaded working copy";
	if (run->project->fork_secrets)
		return NULL;
	if (run->row.from_fork)
		return "secrets withheld: this is a pull request from a fork";
	if (run->row.view_objects && ref_is_ours(run->row.ref))
		return "secrets withheld: no branch or tag of the repository has the commit";
	if (run_of_fork(run))
		return "secrets withheld: the ref is neither a branch nor a tag of the repository";
	return NULL;
}

struct collecting {
	const struct scheduler *scheduler;
	struct secret_set *set;
	struct error *error;
	int failed;
};

static int value_take(const struct collecting *collecting, const struct store_secret *secret)
{
	const struct secret_key *key = secrets_key(collecting->scheduler);
	struct secret_place place = {secret->project, secret->env, secret->name};
	struct secret_set *set = collecting->set;
	struct secret_value *grown, *value;
	size_t size = 0;

	if (!key)
		return error_set(collecting->error, ENOKEY,
				 "the secrets of ENV \"%s\" cannot be decrypted: %s", secret->env,
				 collecting->scheduler->secrets.problem);
	if (set->n == set->room) {
		grown = reallocarray(set->items, set->room * 2 + 8, sizeof(*set->items));
		if (!grown)
			return error_errno(collecting->error, ENOMEM, "secrets");
		set->items = grown;
		set->room = set->room * 2 + 8;
	}
	value = &set->items[set->n];
	value->n_name = strlen(secret->name);
	/* the box is longer than its plaintext */
	value->length = value->n_name + 1 + secret->size;
	value->string = malloc(value->length + 1);
	if (!value->string)
		return error_errno(collecting->error, ENOMEM, "secrets");
	set->n++;
	memcpy(value->string, secret->name, value->n_name);
	value->string[value->n_name] = '=';
	if (secret_box_open(key, &place, secret->box, secret->size,
			    (unsigned char *)value->string + value->n_name + 1, &size) < 0) {
		value->length = value->n_name;
		return error_set(collecting->error, EBADMSG,
				 "secret %s of ENV \"%s\" is damaged: set it again", secret->name,
				 secret->env);
	}
	value->length = value->n_name + 1 + size;
	value->string[value->length] = '\0';
	return 0;
}

static void value_collect(const struct store_secret *secret, void *userdata)
{
	struct collecting *collecting = userdata;

	if (collecting->failed == 0)
		collecting->failed = value_take(collecting, secret);
}

int step_secrets_get(const struct step *step, struct secret_set *ret_set, struct error *error)
{
	const struct scheduler *scheduler = step->run->scheduler;
	struct collecting collecting = {.scheduler = scheduler, .set = ret_set, .error = error};
	const char *env = step_secrets_env(step);
	int r;

	if (!env || step_secrets_withheld(step))
		return 0;
	r = store_secrets_each(scheduler->store, step->run->row.project, env, value_collect,
			       &collecting);
	if (r < 0)
		return error_errno(error, -r, "the secrets cannot be read");
	return collecting.failed;
}
