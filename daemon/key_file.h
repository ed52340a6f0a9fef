/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_KEY_FILE_H
#define DAEMON_KEY_FILE_H

/*
 * DOC: Where the keys of secrets are
 *
 * In the systemd credential "runbookd.secret-key" if there is one, otherwise in
 * secret.key in the state directory, root's alone, which is made at the first
 * start. Root only carries them: they are read when the scheduler must be told
 * and wiped at once, so that nothing here is worth a look at this process's
 * memory. The text is described in common/secret_keys.h.
 */

#include "common/error.h"
#include "common/message.h"
#include "common/paths.h"
#include "common/secret_keys.h"

#define KEY_CREDENTIAL "runbookd.secret-key"
#define KEY_FILE "secret.key"

struct key_source {
	char path[PATH_MAX + 32];
	bool fixed; /* a credential: it is not ours to change */
};

/** key_source_find() - credential or file */
void key_source_find(const struct paths *paths, struct key_source *ret_source);

/**
 * key_file_load() - read the keys; a file that is absent is made, with one key
 *
 * Who else may read the file than its owner makes it refused, as ssh does.
 * Return: 0 with *@ret_keys to be wiped by the caller; -errno with @error.
 */
int key_file_load(const struct key_source *source, struct secret_keys *ret_keys,
		  struct error *error);
/** key_file_add() - put a new key in front of @keys, on disk and in memory. Return: 0 or -errno. */
int key_file_add(const struct key_source *source, struct secret_keys *keys, struct error *error);
/** key_file_keep() - leave only the key called @id. Return: 0, -ENOENT if there is none, -errno. */
int key_file_keep(const struct key_source *source, const char *id, struct error *error);

/**
 * key_message() - SECRET_KEYS
 * @make_new: add a key before
 *
 * Return: NULL without memory; failures otherwise travel in it.
 */
struct message *key_message(const struct paths *paths, bool make_new);

#endif
