/* SPDX-License-Identifier: Apache-2.0 */
#include "cacher/store_index.h"

#include "common/cleanup.h"
#include "common/limits.h"
#include "common/names.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- index files ---- */

static const char *const kind_names[CACHER_NUM_KINDS] = {
	[CACHER_KIND_NONE] = "none",
	[CACHER_KIND_FILE] = "file",
	[CACHER_KIND_DIRECTORY] = "directory",
};

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int digest_parse(const char *text, uint8_t *ret_digest)
{
	uint8_t digest[STORE_DIGEST_BYTES];

	for (size_t i = 0; i < sizeof(digest); i++) {
		int high = hex_value(text[2 * i]);
		int low = high < 0 ? -1 : hex_value(text[2 * i + 1]);

		if (low < 0)
			return -EBADMSG;
		digest[i] = (uint8_t)(high << 4 | low);
	}
	if (text[2 * sizeof(digest)] != '\0')
		return -EBADMSG;
	memcpy(ret_digest, digest, sizeof(digest));
	return 0;
}

size_t index_format(char *text, const struct store_entry *entry)
{
	char digest[DIGEST_HEX_SIZE];

	digest_hex(digest, entry->digest);
	return (size_t)snprintf(
		text, INDEX_TEXT_MAX, "1 %s %s %" PRIu64 " %o %" PRId64 " %ld %" PRIu64 "\n",
		kind_names[entry->kind], digest, entry->size, entry->mode,
		(int64_t)entry->mtime.tv_sec, entry->mtime.tv_nsec, entry->created_usec);
}

int index_parse(const char *text, struct store_entry *ret_entry)
{
	char kind[16], digest[DIGEST_HEX_SIZE], again[INDEX_TEXT_MAX];
	struct store_entry entry = {.kind = CACHER_KIND_NONE};
	int64_t seconds;

	if (sscanf(text, "1 %15s %64s %" SCNu64 " %o %" SCNd64 " %ld %" SCNu64, kind, digest,
		   &entry.size, &entry.mode, &seconds, &entry.mtime.tv_nsec,
		   &entry.created_usec) != 7)
		return -EBADMSG;
	for (int i = CACHER_KIND_FILE; i < CACHER_NUM_KINDS; i++)
		if (strcmp(kind, kind_names[i]) == 0)
			entry.kind = (enum cacher_kind)i;
	entry.mtime.tv_sec = seconds;
	if (entry.kind == CACHER_KIND_NONE || digest_parse(digest, entry.digest) < 0)
		return -EBADMSG;
	/* each entry has exactly one text, which excludes signs, overflow, torn and longer files */
	(void)index_format(again, &entry);
	if (strcmp(text, again) != 0)
		return -EBADMSG;
	*ret_entry = entry;
	return 0;
}

void index_name(char *name, const char *key)
{
	size_t i = 0;

	for (; i < ARTIFACT_KEY_MAX && key[i]; i++)
		name[i] = key[i] == '/' ? '+' : key[i];
	name[i] = '\0';
	if (name[0] == '.')
		name[0] = ',';
}

bool index_key(char *key, const char *name)
{
	size_t i = 0;

	for (; i < ARTIFACT_KEY_MAX && name[i]; i++) {
		if (name[i] == '/' || (i == 0 && name[i] == '.'))
			return false;
		key[i] = name[i] == '+' ? '/' : name[i];
	}
	key[i] = '\0';
	if (key[0] == ',')
		key[0] = '.';
	return !name[i] && artifact_key_valid(key);
}

/* ---- keys ---- */

/* Index of the first key that does not sort before @key. */
static size_t key_list_position(const struct key_list *list, const char *key)
{
	size_t low = 0;
	size_t high = list->n_items;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(list->items[middle].key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct key_entry *key_list_find(const struct key_list *list, const char *key)
{
	size_t i = key_list_position(list, key);

	return i < list->n_items && strcmp(list->items[i].key, key) == 0 ? &list->items[i] : NULL;
}

int key_list_set(struct key_list *list, const char *key, const struct store_entry *entry)
{
	struct key_entry *found = key_list_find(list, key);
	size_t i;
	char *copy;

	if (found) {
		found->entry = *entry;
		return 0;
	}
	if (list->n_items == list->max_items) {
		size_t max = list->max_items ? 2 * list->max_items : 16;
		struct key_entry *items = reallocarray(list->items, max, sizeof(*items));

		if (!items)
			return -ENOMEM;
		list->items = items;
		list->max_items = max;
	}
	copy = strdup(key);
	if (!copy)
		return -ENOMEM;
	i = key_list_position(list, key);
	memmove(&list->items[i + 1], &list->items[i], (list->n_items - i) * sizeof(*list->items));
	list->items[i] = (struct key_entry){.key = copy, .entry = *entry};
	list->n_items++;
	return 0;
}

void key_list_remove(struct key_list *list, const char *key)
{
	struct key_entry *found = key_list_find(list, key);
	size_t i;

	if (!found)
		return;
	i = (size_t)(found - list->items);
	free(found->key);
	list->n_items--;
	memmove(found, found + 1, (list->n_items - i) * sizeof(*list->items));
}

void key_list_clear(struct key_list *list)
{
	for (size_t i = 0; i < list->n_items; i++)
		free(list->items[i].key);
	free(list->items);
	*list = (struct key_list){0};
}

/* ---- references ---- */

struct reference {
	uint8_t digest[STORE_DIGEST_BYTES];
	uint64_t count;
	uint64_t stored;
	struct reference *next;
};

/* No hash function is needed: digests are distributed evenly. */
static size_t bucket_of(size_t n_buckets, const uint8_t *digest)
{
	uint64_t value;

	memcpy(&value, digest, sizeof(value));
	return (size_t)(value % n_buckets);
}

static struct reference **reference_find(const struct references *references, const uint8_t *digest)
{
	struct reference **place;

	if (!references->n_buckets)
		return NULL;
	place = &references->buckets[bucket_of(references->n_buckets, digest)];
	while (*place && memcmp((*place)->digest, digest, STORE_DIGEST_BYTES) != 0)
		place = &(*place)->next;
	return place;
}

static int references_grow(struct references *references)
{
	size_t n = references->n_buckets ? 4 * references->n_buckets : 64;
	struct reference **buckets = calloc(n, sizeof(struct reference *));

	if (!buckets)
		return -ENOMEM;
	for (size_t i = 0; i < references->n_buckets; i++)
		while (references->buckets[i]) {
			struct reference *moved = references->buckets[i];
			size_t to = bucket_of(n, moved->digest);

			references->buckets[i] = moved->next;
			moved->next = buckets[to];
			buckets[to] = moved;
		}
	free(references->buckets);
	references->buckets = buckets;
	references->n_buckets = n;
	return 0;
}

int references_add(struct references *references, const uint8_t *digest)
{
	struct reference **place;

	if (references->n_references >= references->n_buckets && references_grow(references) < 0)
		return -ENOMEM;
	place = reference_find(references, digest);
	if (!*place) {
		*place = calloc(1, sizeof(**place));
		if (!*place)
			return -ENOMEM;
		memcpy((*place)->digest, digest, STORE_DIGEST_BYTES);
		references->n_references++;
	}
	(*place)->count++;
	return 0;
}

uint64_t references_stored(struct references *references, const uint8_t *digest, uint64_t bytes)
{
	struct reference **place = reference_find(references, digest);

	if (!place || !*place || (*place)->stored > 0)
		return 0;
	(*place)->stored = bytes;
	return bytes;
}

uint64_t references_size(const struct references *references, const uint8_t *digest)
{
	struct reference **place = reference_find(references, digest);

	return place && *place ? (*place)->stored : 0;
}

bool references_drop(struct references *references, const uint8_t *digest)
{
	struct reference **place = reference_find(references, digest);
	struct reference *reference = place ? *place : NULL;

	if (!reference || --reference->count > 0)
		return false;
	*place = reference->next;
	free(reference);
	references->n_references--;
	return true;
}

bool references_has(const struct references *references, const uint8_t *digest)
{
	struct reference **place = reference_find(references, digest);

	return place && *place;
}

void references_clear(struct references *references)
{
	for (size_t i = 0; i < references->n_buckets; i++)
		while (references->buckets[i]) {
			struct reference *gone = references->buckets[i];

			references->buckets[i] = gone->next;
			free(gone);
		}
	free(references->buckets);
	*references = (struct references){0};
}
