/* SPDX-License-Identifier: Apache-2.0 */
#include "common/secret_keys.h"

#include "common/names.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ID_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

bool secret_key_id_valid(const char *id)
{
	size_t length = strlen(id);

	return length >= 1 && length <= SECRET_KEY_ID_MAX && strspn(id, ID_LETTERS) == length;
}

const struct secret_key *secret_keys_find(const struct secret_keys *keys, const char *id)
{
	for (size_t i = 0; i < keys->n; i++) {
		if (strcmp(keys->keys[i].id, id) == 0)
			return &keys->keys[i];
	}
	return NULL;
}

static bool parse_hex(const char *hex, size_t length, unsigned char *out)
{
	if (length != (size_t)2 * SECRET_KEY_SIZE)
		return false;
	for (size_t i = 0; i < SECRET_KEY_SIZE; i++) {
		int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

static size_t blanks(const char *text, size_t length)
{
	size_t n = 0;

	while (n < length && (text[n] == ' ' || text[n] == '\t'))
		n++;
	return n;
}

/* Parses one line, without its newline and surrounding blanks. */
static int parse_line(const char *line, size_t length, unsigned number, struct secret_keys *keys,
		      struct error *error)
{
	struct secret_key *key = &keys->keys[keys->n];
	size_t n_id = 0, gap;

	if (keys->n == SECRET_KEYS_MAX)
		return error_set(error, EINVAL, "line %u: more than %d keys: remove the oldest",
				 number, SECRET_KEYS_MAX);
	while (n_id < length && line[n_id] != ' ' && line[n_id] != '\t')
		n_id++;
	gap = blanks(line + n_id, length - n_id);
	if (n_id > SECRET_KEY_ID_MAX || memchr(line, '\0', n_id))
		n_id = 0;
	memcpy(key->id, line, n_id);
	key->id[n_id] = '\0';
	if (gap == 0 || !secret_key_id_valid(key->id) ||
	    !parse_hex(line + n_id + gap, length - n_id - gap, key->bytes))
		return error_set(
			error, EINVAL,
			"line %u is not a key: write a name of up to %d letters and digits, "
			"a space and 64 hex digits, as `openssl rand -hex 32` prints them",
			number, SECRET_KEY_ID_MAX);
	if (secret_keys_find(keys, key->id))
		return error_set(error, EINVAL,
				 "line %u: a second key is called %s: rename or remove it", number,
				 key->id);
	keys->n++;
	return 0;
}

int secret_keys_parse(const char *text, size_t size, struct secret_keys *ret_keys,
		      struct error *error)
{
	unsigned number = 0;

	memset(ret_keys, 0, sizeof(*ret_keys));
	while (size > 0) {
		const char *end = memchr(text, '\n', size);
		size_t length = end ? (size_t)(end - text) : size;
		size_t whole = end ? length + 1 : length;
		size_t skip = blanks(text, length);
		const char *line = text + skip;
		int r;

		number++;
		length -= skip;
		while (length > 0 && (line[length - 1] == ' ' || line[length - 1] == '\t' ||
				      line[length - 1] == '\r'))
			length--;
		if (length > 0 && line[0] != '#') {
			r = parse_line(line, length, number, ret_keys, error);
			if (r < 0)
				return r;
		}
		text += whole;
		size -= whole;
	}
	if (ret_keys->n == 0)
		return error_set(error, EINVAL, "there is no key in it");
	return 0;
}

size_t secret_keys_format(const struct secret_keys *keys, char *out)
{
	static const char digits[] = "0123456789abcdef";
	char *p = out;

	for (size_t i = 0; i < keys->n; i++) {
		p = stpcpy(p, keys->keys[i].id);
		*p++ = ' ';
		for (size_t j = 0; j < SECRET_KEY_SIZE; j++) {
			*p++ = digits[keys->keys[i].bytes[j] >> 4];
			*p++ = digits[keys->keys[i].bytes[j] & 0xf];
		}
		*p++ = '\n';
	}
	*p = '\0';
	return (size_t)(p - out);
}

_Static_assert(SECRET_KEYS_MAX *(SECRET_KEY_ID_MAX + 2 * SECRET_KEY_SIZE + 2) <
		       SECRET_KEYS_TEXT_MAX,
	       "all keys fit into the text");
