/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_KEY_FILE_H
#define DAEMON_KEY_FILE_H

/*
 * DOC: The file with the keys of secrets
 *
 * The scheduler encrypts stored secrets with keys that it cannot read from disk itself.
 * They are in the systemd credential "runbookd.secret-key" (systemd.exec(5),
 * LoadCredential=) if there is one, otherwise in secret.key in the state directory, which
 * only root can read and which is made at the first start. runbookd reads them when it
 * configures a scheduler, sends them, and wipes them at once, so that they are not found in
 * the memory of this process. common/secret_keys.h describes the format.
 */

#include "common/error.h"
#include "common/message.h"
#include "common/paths.h"
#include "common/secret_keys.h"

#define KEY_CREDENTIAL "runbookd.secret-key"
#define KEY_FILE "secret.key"

/** struct key_source - where the keys are */
struct key_source {
	char path[PATH_MAX + 32];
	bool fixed; /* a credential: runbookd cannot change it */
};

/** key_source_find() - the credential if there is one, otherwise the file; opens nothing */
void key_source_find(const struct paths *paths, struct key_source *ret_source);

/**
 * key_file_load() - read the keys; a file that is absent is made, with one key
 *
 * A file that others than its owner may read is refused, as ssh refuses private keys.
 * Return: 0 with *@ret_keys to be wiped by the caller; -errno with @error.
 */
int key_file_load(const struct key_source *source, struct secret_keys *ret_keys,
		  struct error *error);
/**
 * key_file_add() - make a new key, the first of @keys, on disk and in memory
 *
 * Return: 0; with @error -EROFS for a credential, -E2BIG, another -errno: @keys is as
 * it was then.
 */
int key_file_add(const struct key_source *source, struct secret_keys *keys, struct error *error);
/**
 * key_file_keep() - remove all keys but the one called @id; a credential is left as it is
 *
 * Return: 0; with @error -ENOENT if there is no such key, another -errno.
 */
int key_file_keep(const struct key_source *source, const char *id, struct error *error);

/**
 * key_message() - make a SECRET_KEYS message
 * @make_new: add a key first
 *
 * Return: the message, with an error text instead of keys if they could not be read;
 * NULL without memory.
 */
struct message *key_message(const struct paths *paths, bool make_new);

#endif
