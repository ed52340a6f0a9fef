/* SPDX-License-Identifier: Apache-2.0 */
/* Writes record, scope and name of an image whose layers are all unpacked. */
#include "common/cleanup.h"
#include "common/digest.h"
#include "common/step_user.h"
#include "images/job.h"
#include "images/scope.h"
#include "images/service.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/*
 * Find the image's user, and its accounts for `user:` of steps, in the topmost etc/passwd and
 * etc/group. @ret_accounts owns the texts that the record points to.
 */
static int resolve_user(struct job *job, struct image_record *record,
			struct store_layer *ret_accounts, struct error *error)
{
	const char *user = job->image.user ? job->image.user : "";
	struct store_layer accounts = {0};
	int r;

	record->bytes = 0;
	for (size_t i = 0; i < job->image.n_layers; i++) {
		struct store_layer facts;

		if (store_layer_get(job->jobs->service->store, job->image.layers[i].id, &facts) < 0)
			return error_set(error, ENOENT, "the facts about a layer are missing");
		record->bytes += facts.bytes;
		if (facts.passwd) {
			free(accounts.passwd);
			accounts.passwd = TAKE_PTR(facts.passwd);
		}
		if (facts.group) {
			free(accounts.group);
			accounts.group = TAKE_PTR(facts.group);
		}
		/* this layer hides all below it */
		if (facts.cut)
			record->n_layers = 0;
		record->layers[record->n_layers++] = job->image.layers[i].id;
		store_layer_clear(&facts);
	}
	r = step_user_resolve(user, accounts.passwd, accounts.group, &record->uid, &record->gid,
			      error);
	if (r < 0)
		(void)error_wrap(error, "the image's own user");
	record->passwd = ret_accounts->passwd =
		step_user_compact(accounts.passwd, 2, IMAGE_ACCOUNTS_MAX);
	record->group = ret_accounts->group =
		step_user_compact(accounts.group, 1, IMAGE_ACCOUNTS_MAX);
	store_layer_clear(&accounts);
	return r;
}

/* Write the record; without its accounts if it is too large: `user:` then accepts numbers only. */
static int put_image(struct store *store, struct image_record *record)
{
	int r = store_image_put(store, record);

	if (r != -E2BIG)
		return r;
	record->passwd = record->group = NULL;
	return store_image_put(store, record);
}

/* A root file system has no configuration, so its id is derived from the id of its layer. */
static void identify(struct job *job)
{
	char text[IMAGE_ID_SIZE + 32];
	int length;

	if (job->kind != JOB_ROOTFS)
		return;
	length = snprintf(text, sizeof(text), "runbook rootfs %s", job->image.layers[0].id);
	digest_hex_of(job->image.id, text, (size_t)length);
}

bool job_finish(struct job *job)
{
	struct store *store = job->jobs->service->store;
	struct store_layer accounts = {0};
	struct error error = ERROR_INIT;
	cleanup_free struct image_record *record = calloc(1, sizeof(*record));
	int r;

	if (!record) {
		job_fail(job, ENOMEM, "out of memory");
		return false;
	}
	identify(job);
	record->id = job->image.id;
	record->source = job->source;
	record->workdir = job->image.workdir ? job->image.workdir : "";
	record->created_usec = wall_usec();
	for (size_t i = 0; i < job->image.n_env; i++)
		record->env[record->n_env++] = job->image.env[i];
	if (job->kind != JOB_ROOTFS) {
		record->blobs[record->n_blobs++] = job->image.manifest;
		record->blobs[record->n_blobs++] = job->image.id;
		for (size_t i = 0; i < job->image.n_layers; i++)
			record->blobs[record->n_blobs++] = job->image.layers[i].digest;
	}
	r = resolve_user(job, record, &accounts, &error);
	if (r == 0)
		r = put_image(store, record);
	store_layer_clear(&accounts);
	if (error.number) {
		job_fail(job, error.number, error.text);
		return false;
	}
	if (r == 0)
		r = scope_note(store, job->name, job->image.id, job->auth);
	if (r == 0)
		r = store_name_put(store, job->name, job->image.id);
	if (r == -E2BIG) {
		job_fail(job, -r, "the image's environment is larger than 48 KiB");
		return false;
	}
	if (r < 0) {
		(void)snprintf(job->text, sizeof(job->text), "the record cannot be written: %s",
			       strerror(-r));
		job_fail(job, -r, job->text);
		return false;
	}
	(void)snprintf(job->text, sizeof(job->text), "%s", job->image.id);
	return true;
}
