/* SPDX-License-Identifier: Apache-2.0 */
#include "fetcher/oid_set.h"

#include "fetcher/fetch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN 1024

/*
 * An id is a hash already, so its first bytes choose the slot. A remote can, with much work, make
 * ids that begin alike; the limits of a fetch bound what that costs.
 */
static size_t slot_first(const struct oid_set *set, const git_oid *id)
{
	uint64_t hash;

	memcpy(&hash, id->id, sizeof(hash));
	return (size_t)hash & (set->n_slots - 1);
}

static size_t slot_find(const struct oid_set *set, const git_oid *id)
{
	size_t slot = slot_first(set, id);

	while (set->slots[slot] && !git_oid_equal(&set->ids[set->slots[slot] - 1], id))
		slot = (slot + 1) & (set->n_slots - 1);
	return slot;
}

static int slots_grow(struct oid_set *set)
{
	size_t n_slots = set->n_slots ? set->n_slots * 2 : SLOTS_MIN;
	uint32_t *slots = calloc(n_slots, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	free(set->slots);
	set->slots = slots;
	set->n_slots = n_slots;
	for (size_t i = 0; i < set->n; i++)
		set->slots[slot_find(set, &set->ids[i])] = (uint32_t)(i + 1);
	return 0;
}

static int ids_grow(struct oid_set *set)
{
	size_t room = set->room ? set->room + set->room / 2 : SLOTS_MIN;
	git_oid *ids = reallocarray(set->ids, room, sizeof(*ids));

	if (!ids)
		return -ENOMEM;
	set->ids = ids;
	set->room = room;
	return 0;
}

int oid_set_add(struct oid_set *set, const git_oid *id)
{
	size_t slot;
	int r = 0;

	if (set->n == FETCH_OBJECTS_MAX)
		return -E2BIG;
	/* at most two thirds of the slots are used */
	if (3 * (set->n + 1) > 2 * set->n_slots)
		r = slots_grow(set);
	if (r == 0 && set->n == set->room)
		r = ids_grow(set);
	if (r < 0)
		return r;
	slot = slot_find(set, id);
	if (set->slots[slot])
		return 0;
	git_oid_cpy(&set->ids[set->n], id);
	set->slots[slot] = (uint32_t)++set->n;
	return 1;
}

bool oid_set_has(const struct oid_set *set, const git_oid *id)
{
	return set->n > 0 && set->slots[slot_find(set, id)] != 0;
}

void oid_set_clear(struct oid_set *set)
{
	free(set->ids);
	free(set->slots);
	*set = (struct oid_set){.n = 0};
}
