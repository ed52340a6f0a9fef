/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNBOOK_NAME_INDEX_H
#define RUNBOOK_NAME_INDEX_H

/*
 * DOC: An index of names
 *
 * A hash table from names to numbers. Its hash function has no seed, so a hostile file can make
 * names collide; RUNBOOK_STEPS_MAX bounds the cost of that to some tens of milliseconds, and
 * texts are compared only if their full hashes are equal.
 */

#include <stddef.h>
#include <stdint.h>

/** struct name_entry - a name and its number */
struct name_entry {
	const char *name; /* not owned; NULL: a free entry */
	uint64_t hash;
	size_t value;
};

/** struct name_index - zeroed memory is an empty index; name_index_done() it */
struct name_index {
	struct name_entry *entries;
	size_t n_room; /* a power of two */
	size_t n;
};

/** name_index_get() - the entry of @name, or NULL; valid until the next name_index_put() */
struct name_entry *name_index_get(const struct name_index *index, const char *name);

/**
 * name_index_put() - add a name
 * @name: not in the index yet; must outlive the index
 *
 * Return: 0 or -ENOMEM.
 */
int name_index_put(struct name_index *index, const char *name, size_t value);

void name_index_done(struct name_index *index);

#endif
