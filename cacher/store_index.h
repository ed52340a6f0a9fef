/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHER_STORE_INDEX_H
#define CACHER_STORE_INDEX_H

/*
 * DOC: Index files, keys and references
 *
 * The parts of the store in a directory (store_local.c) that need no I/O: the text of an index
 * file and its name, the sorted list of a run's keys, and the count of keys for each content.
 */

#include "cacher/store.h"

#include <stdbool.h>

#define INDEX_TEXT_MAX 256

/* ---- index files ---- */

/** index_format() - text of @entry's index file, up to INDEX_TEXT_MAX bytes. Return: its length. */
size_t index_format(char *text, const struct store_entry *entry);
/** index_parse() - the reverse. Return: 0, or -EBADMSG for what index_format() never writes. */
int index_parse(const char *text, struct store_entry *ret_entry);

/**
 * index_name() - file name of @key: '/' becomes '+' and a leading '.' becomes ','
 * @name: room for ARTIFACT_KEY_MAX + 1 bytes
 *
 * No valid key contains '+' or ',', so the name is as long as the key and unique.
 */
void index_name(char *name, const char *key);
/** index_key() - the reverse. Return: false when @name does not belong to a valid key. */
bool index_key(char *key, const char *name);

/** digest_parse() - the reverse of digest_hex(). Return: 0 or -EBADMSG. */
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

/** key_list_find() - the item of @key, valid until the list changes; NULL: the list lacks it */
struct key_entry *key_list_find(const struct key_list *list, const char *key);
/** key_list_set() - add or replace. Return: 0 or -ENOMEM. */
int key_list_set(struct key_list *list, const char *key, const struct store_entry *entry);
/** key_list_remove() - remove @key; does nothing when the list lacks it */
void key_list_remove(struct key_list *list, const char *key);
/** key_list_clear() - free all items; the list is empty afterwards */
void key_list_clear(struct key_list *list);

/* ---- how many keys name each content ---- */

struct reference;

/** struct references - a hash map from digests to counts of keys; all zeros is an empty one */
struct references {
	struct reference **buckets;
	size_t n_buckets, n_references;
};

/** references_add() - count one more key. Return: 0 or -ENOMEM. */
int references_add(struct references *references, const uint8_t *digest);
/** references_drop() - count one key less. Return: was it the last? */
bool references_drop(struct references *references, const uint8_t *digest);
/**
 * references_stored() - note once that the content takes @bytes on the disk
 *
 * Return: @bytes; 0 when a size was noted before, or no key names the content.
 */
uint64_t references_stored(struct references *references, const uint8_t *digest, uint64_t bytes);
/** references_size() - the noted bytes on the disk; 0: not known */
uint64_t references_size(const struct references *references, const uint8_t *digest);
/** references_has() - does any key name the content? */
bool references_has(const struct references *references, const uint8_t *digest);
/** references_clear() - free all counts; the map is empty afterwards */
void references_clear(struct references *references);

#endif
