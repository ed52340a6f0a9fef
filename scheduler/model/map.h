/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_MAP_H
#define SCHEDULER_MAP_H

/*
 * DOC: A map from numbers to pointers
 *
 * An open-addressing hash map from a non-zero number (run, order, serial) to a pointer. It does
 * not own the values.
 */

#include <stddef.h>
#include <stdint.h>

struct map_slot {
	uint64_t key; /* 0: free */
	void *value;
};

struct map {
	struct map_slot *slots;
	size_t n_slots; /* power of two, 0 while empty */
	size_t n_used;
};

/** map_put() - set @key (not 0) to @value. Return: 0 or -ENOMEM. */
int map_put(struct map *map, uint64_t key, void *value);
/** map_get() - Return: the value, NULL when absent. */
void *map_get(const struct map *map, uint64_t key);
/** map_remove() - no-op when absent */
void map_remove(struct map *map, uint64_t key);
/** map_next() - walk: *@cursor starts at 0. Return: a value, NULL at the end. */
void *map_next(const struct map *map, size_t *cursor);
/** map_clear() - release the table; values are the caller's */
void map_clear(struct map *map);

#endif
