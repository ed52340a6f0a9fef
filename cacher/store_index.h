/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHER_STORE_INDEX_H
#define CACHER_STORE_INDEX_H

/* What store_local.c keeps in memory and how an index file reads. No I/O. */

#include "cacher/store.h"

#include <stdbool.h>

#define INDEX_TEXT_MAX 256

/* ---- index files ---- */

/** index_format() - text of an index file for @entry, at most INDEX_TEXT_MAX bytes. Return: its length. */
size_t index_format(char *text, const struct store_entry *entry);
/** index_parse() - the reverse. Return: 0, or -EBADMSG for anything index_format() cannot have written. */
int index_parse(const char *text, struct store_entry *ret_entry);

/**
 * index_name() - file name of @key: '/' becomes '+' and a leading '.' becomes ','
 * @name: room for ARTIFACT_KEY_MAX + 1 bytes
 *
 * Both stand in no valid key, so the name is as long as the key and unique.
 */
void index_name(char *name, const char *key);
/** index_key() - the reverse. Return: whether @name is a name of a valid key. */
bool index_key(char *key, const char *name);

/** digest_text() - 64 hex digits and NUL */
void digest_text(char text[2 * STORE_DIGEST_BYTES + 1], const uint8_t *digest);
/** digest_parse() - the reverse. Return: 0 or -EBADMSG. */
int digest_parse(const char *text, uint8_t *ret_digest);

/* ---- keys of a run, sorted ---- */

struct key_entry {
	char *key;
	struct store_entry entry;
};

struct key_list {
	struct key_entry *items;
	size_t n_items, max_items;
};

/** key_list_find() - NULL when @key is not there; valid until the list changes */
struct key_entry *key_list_find(const struct key_list *list, const char *key);
/** key_list_set() - add or replace. Return: 0 or -ENOMEM. */
int key_list_set(struct key_list *list, const char *key, const struct store_entry *entry);
void key_list_remove(struct key_list *list, const char *key);
void key_list_clear(struct key_list *list);

/* ---- how many keys name a content ---- */

struct reference;
struct references {
	struct reference **buckets;
	size_t n_buckets, n_references;
};

/** references_add() - one more. Return: 0 or -ENOMEM. */
int references_add(struct references *references, const uint8_t *digest);
/** references_drop() - one less. Return: whether it was the last. */
bool references_drop(struct references *references, const uint8_t *digest);
/**
 * references_stored() - what the content takes on the disk, which is set once
 *
 * Return: 0 when it was set before, or is not known.
 */
uint64_t references_stored(struct references *references, const uint8_t *digest, uint64_t bytes);
/** references_size() - what was set; 0: not known */
uint64_t references_size(const struct references *references, const uint8_t *digest);
bool references_has(const struct references *references, const uint8_t *digest);
void references_clear(struct references *references);

#endif
