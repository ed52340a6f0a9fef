/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/payload.h"

#include "common/cleanup.h"
#include "common/limits.h"
#include "common/names.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* Memory account of the parse in this thread. */
static _Thread_local struct {
	bool active;
	bool exceeded;
	size_t used;
	size_t max;
} tree;

/* Texts of this size and above are parsed one at a time, so two large trees never grow at once. */
#define PAYLOAD_SERIAL_MIN (1 * MIB)
static pthread_mutex_t serial_lock = PTHREAD_MUTEX_INITIALIZER;

static void *tree_malloc(size_t size)
{
	void *pointer;

	if (tree.active && (tree.used > tree.max || size > tree.max - tree.used)) {
		tree.exceeded = true;
		return NULL;
	}
	pointer = malloc(size);
	if (pointer && tree.active)
		tree.used += malloc_usable_size(pointer) + sizeof(size_t);
	return pointer;
}

static void tree_free(void *pointer)
{
	if (pointer && tree.active) {
		size_t size = malloc_usable_size(pointer) + sizeof(size_t);

		tree.used -= size < tree.used ? size : tree.used;
	}
	free(pointer);
}

void payload_init(void)
{
	json_set_alloc_funcs(tree_malloc, tree_free);
	json_object_seed(randombytes_random() | 1);
}

/* Return: the place where the nesting exceeds the limit, or NULL. Skips strings, checks no more. */
static const char *depth_exceeded(const char *text, size_t size)
{
	const char *end = text + size;
	bool in_string = false;
	size_t depth = 0;

	for (const char *c = text; c < end; c++) {
		if (in_string) {
			if (*c == '\\')
				c++;
			else if (*c == '"')
				in_string = false;
		} else if (*c == '"') {
			in_string = true;
		} else if (*c == '[' || *c == '{') {
			if (++depth > PAYLOAD_DEPTH_MAX)
				return c;
		} else if ((*c == ']' || *c == '}') && depth > 0) {
			depth--;
		}
	}
	return NULL;
}

static size_t tree_max(size_t size)
{
	if (size > PAYLOAD_TREE_MAX / PAYLOAD_TREE_FACTOR)
		return PAYLOAD_TREE_MAX;
	return size * PAYLOAD_TREE_FACTOR + PAYLOAD_TREE_MIN;
}

static int parse_limited(const char *text, size_t size, json_t **ret_root, struct error *error)
{
	json_error_t where = {.text = ""};

	tree.active = true;
	tree.exceeded = false;
	tree.used = 0;
	tree.max = tree_max(size);
	*ret_root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);
	tree.active = false;
	if (*ret_root)
		return 0;
	if (tree.exceeded)
		return error_set(error, E2BIG,
				 "the JSON text has too many values for its size of %zu bytes",
				 size);
	return error_set(error, EBADMSG, "malformed JSON at line %d, column %d: %s", where.line,
			 where.column, where.text);
}

int payload_parse(const char *text, size_t size, json_t **ret_root, struct error *error)
{
	const char *deep = depth_exceeded(text, size);
	int r;

	*ret_root = NULL;
	if (deep)
		return error_set(error, EBADMSG,
				 "malformed JSON at byte %zu: nested more than %d deep",
				 (size_t)(deep - text), PAYLOAD_DEPTH_MAX);
	if (size < PAYLOAD_SERIAL_MIN)
		return parse_limited(text, size, ret_root, error);
	pthread_mutex_lock(&serial_lock);
	r = parse_limited(text, size, ret_root, error);
	pthread_mutex_unlock(&serial_lock);
	return r;
}

json_t *payload_free(json_t *root, size_t size)
{
	json_decref(root);
	/* otherwise the allocator keeps the memory of a million small pieces */
	if (size >= PAYLOAD_SERIAL_MIN)
		(void)malloc_trim(0);
	return NULL;
}

/* Decode %XX and "+". Return: bytes written, or -EBADMSG. */
static ssize_t form_decode(const char *in, size_t size, char *out)
{
	size_t used = 0;

	for (size_t i = 0; i < size; i++) {
		if (in[i] != '%') {
			out[used++] = (char)(in[i] == '+' ? ' ' : in[i]);
			continue;
		}
		if (size - i < 3 || hex_digit(in[i + 1]) < 0 || hex_digit(in[i + 2]) < 0)
			return -EBADMSG;
		out[used++] = (char)(hex_digit(in[i + 1]) * 16 + hex_digit(in[i + 2]));
		i += 2;
	}
	return (ssize_t)used;
}

#define FORM_FIELD "payload="

int payload_from_form(const char *body, size_t size, char **ret_text, size_t *ret_size,
		      struct error *error)
{
	const char *found = NULL, *end = body + size;
	cleanup_free char *text = NULL;
	size_t found_size = 0;
	ssize_t used;

	for (const char *field = body; field < end;) {
		const char *stop = memchr(field, '&', (size_t)(end - field));
		size_t length = (size_t)((stop ? stop : end) - field);

		if (length >= strlen(FORM_FIELD) &&
		    memcmp(field, FORM_FIELD, strlen(FORM_FIELD)) == 0) {
			if (found)
				return error_set(error, EBADMSG, "the form has two \"payload\"s");
			found = field + strlen(FORM_FIELD);
			found_size = length - strlen(FORM_FIELD);
		}
		field += length + 1;
	}
	if (!found)
		return error_set(error, EBADMSG,
				 "the form has no field \"payload\" with the JSON text in it");
	text = malloc(found_size + 1);
	if (!text)
		return error_set(error, ENOMEM, "out of memory");
	used = form_decode(found, found_size, text);
	if (used < 0)
		return error_set(error, EBADMSG, "bad percent coding in the form's \"payload\"");
	text[used] = '\0';
	*ret_text = TAKE_PTR(text);
	*ret_size = (size_t)used;
	return 0;
}

const json_t *payload_get(const json_t *root, const char *path)
{
	while (root && *path) {
		char key[64];
		size_t length = strcspn(path, ".");

		if (length >= sizeof(key))
			return NULL;
		memcpy(key, path, length);
		key[length] = '\0';
		if (json_is_array(root) && strcmp(key, "-1") == 0)
			root = json_array_get(root, json_array_size(root) - 1);
		else if (json_is_array(root))
			root = json_array_get(root, strtoul(key, NULL, 10));
		else
			root = json_object_get(root, key);
		path += length + (path[length] == '.');
	}
	return root;
}

const char *payload_string(const json_t *root, const char *path)
{
	return json_string_value(payload_get(root, path));
}
