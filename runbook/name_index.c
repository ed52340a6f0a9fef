/* SPDX-License-Identifier: Apache-2.0 */
#include "runbook/name_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_START 64

/* FNV-1a, 64 bits */
static uint64_t name_hash(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3ULL;
	return hash;
}

/* The entry of @name, or the free one for it */
static struct name_entry *entry_find(const struct name_index *index, const char *name,
				     uint64_t hash)
{
	size_t slot = hash & (index->n_room - 1);

	for (;; slot = (slot + 1) & (index->n_room - 1)) {
		struct name_entry *entry = &index->entries[slot];

		if (!entry->name || (entry->hash == hash && strcmp(entry->name, name) == 0))
			return entry;
	}
}

struct name_entry *name_index_get(const struct name_index *index, const char *name)
{
	struct name_entry *entry;

	if (index->n == 0)
		return NULL;
	entry = entry_find(index, name, name_hash(name));
	return entry->name ? entry : NULL;
}

static int index_grow(struct name_index *index)
{
	struct name_index bigger = {.n_room = index->n_room ? 2 * index->n_room : ROOM_START,
				    .n = index->n};

	bigger.entries = calloc(bigger.n_room, sizeof(*bigger.entries));
	if (!bigger.entries)
		return -ENOMEM;
	for (size_t i = 0; i < index->n_room; i++) {
		const struct name_entry *entry = &index->entries[i];

		if (entry->name)
			*entry_find(&bigger, entry->name, entry->hash) = *entry;
	}
	free(index->entries);
	*index = bigger;
	return 0;
}

int name_index_put(struct name_index *index, const char *name, size_t value)
{
	uint64_t hash = name_hash(name);

	if (2 * (index->n + 1) > index->n_room) {
		int r = index_grow(index);

		if (r < 0)
			return r;
	}
	*entry_find(index, name, hash) = (struct name_entry){name, hash, value};
	index->n++;
	return 0;
}

void name_index_done(struct name_index *index)
{
	free(index->entries);
	*index = (struct name_index){0};
}
