/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_SECRET_KEYS_H
#define COMMON_SECRET_KEYS_H

/*
 * DOC: Keys of the secret store
 *
 * A text of at most SECRET_KEYS_MAX lines, the newest key first:
 *
 *   ID KEY
 *
 * ID has 1 to 32 of a-z A-Z 0-9 . _ - and names the key, KEY is 64 hex digits. Empty lines and
 * lines that start with '#' are ignored. The text is a file of root, or a systemd credential;
 * it is sent to the scheduler in a sealed memfd, so that no buffer of a channel ever contains a
 * key.
 */

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

#define SECRET_KEY_SIZE 32U
#define SECRET_KEY_ID_MAX 32
#define SECRET_KEYS_MAX 8
#define SECRET_KEYS_TEXT_MAX 4096

/** struct secret_key - one key and its name */
struct secret_key {
	char id[SECRET_KEY_ID_MAX + 1];
	unsigned char bytes[SECRET_KEY_SIZE];
};

/** struct secret_keys - all keys, newest first */
struct secret_keys {
	struct secret_key keys[SECRET_KEYS_MAX];
	size_t n;
};

/** secret_key_id_valid() - is @id a valid name of a key? */
bool secret_key_id_valid(const char *id);
/** secret_keys_find() - the key named @id, NULL if there is none */
const struct secret_key *secret_keys_find(const struct secret_keys *keys, const char *id);

/**
 * secret_keys_parse() - read the text described above
 * @text: @size bytes, untrusted
 *
 * Return: 0 with at least one key in @ret_keys; -EINVAL with @error naming the line and the
 * fix, but never the key. The caller wipes @ret_keys.
 */
int secret_keys_parse(const char *text, size_t size, struct secret_keys *ret_keys,
		      struct error *error);

/**
 * secret_keys_format() - write @keys as text
 * @out: SECRET_KEYS_TEXT_MAX bytes, NUL-terminated; the caller wipes it
 *
 * Return: its length.
 */
size_t secret_keys_format(const struct secret_keys *keys, char *out);

#endif
