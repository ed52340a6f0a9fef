/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/model/map.h"

#include <errno.h>
#include <stdlib.h>

#define MAP_SLOTS_MIN 64

/* Keys are our own counters, which no attacker chooses, so a plain mixer is enough. */
static size_t map_hash(const struct map *map, uint64_t key)
{
	key ^= key >> 32;
	key *= 0x9e3779b97f4a7c15ULL;
	key ^= key >> 29;
	return (size_t)key & (map->n_slots - 1);
}

static struct map_slot *map_find(const struct map *map, uint64_t key)
{
	size_t i;

	if (map->n_slots == 0)
		return NULL;
	for (i = map_hash(map, key); map->slots[i].key; i = (i + 1) & (map->n_slots - 1)) {
		if (map->slots[i].key == key)
			return &map->slots[i];
	}
	return NULL;
}

static void map_place(struct map *map, uint64_t key, void *value)
{
	size_t i = map_hash(map, key);

	while (map->slots[i].key)
		i = (i + 1) & (map->n_slots - 1);
	map->slots[i] = (struct map_slot){.key = key, .value = value};
	map->n_used++;
}

static int map_grow(struct map *map)
{
	struct map larger = {.n_slots = map->n_slots ? map->n_slots * 2 : MAP_SLOTS_MIN};
	size_t i;

	larger.slots = calloc(larger.n_slots, sizeof(*larger.slots));
	if (!larger.slots)
		return -ENOMEM;
	for (i = 0; i < map->n_slots; i++) {
		if (map->slots[i].key)
			map_place(&larger, map->slots[i].key, map->slots[i].value);
	}
	free(map->slots);
	*map = larger;
	return 0;
}

int map_put(struct map *map, uint64_t key, void *value)
{
	struct map_slot *slot = map_find(map, key);
	int r;

	if (slot) {
		slot->value = value;
		return 0;
	}
	if ((map->n_used + 1) * 2 > map->n_slots) {
		r = map_grow(map);
		if (r < 0)
			return r;
	}
	map_place(map, key, value);
	return 0;
}

void *map_get(const struct map *map, uint64_t key)
{
	const struct map_slot *slot = map_find(map, key);

	return slot ? slot->value : NULL;
}

void map_remove(struct map *map, uint64_t key)
{
	struct map_slot *slot = map_find(map, key);
	size_t i;

	if (!slot)
		return;
	slot->key = 0;
	map->n_used--;
	/* the rest of the cluster may have been pushed past this slot: insert it again */
	i = (size_t)(slot - map->slots);
	for (i = (i + 1) & (map->n_slots - 1); map->slots[i].key;
	     i = (i + 1) & (map->n_slots - 1)) {
		struct map_slot moved = map->slots[i];

		map->slots[i].key = 0;
		map->n_used--;
		map_place(map, moved.key, moved.value);
	}
}

void *map_next(const struct map *map, size_t *cursor)
{
	while (*cursor < map->n_slots) {
		const struct map_slot *slot = &map->slots[(*cursor)++];

		if (slot->key)
			return slot->value;
	}
	return NULL;
}

void map_clear(struct map *map)
{
	free(map->slots);
	*map = (struct map){0};
}
