/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_OID_SET_H
#define FETCHER_OID_SET_H

/*
 * DOC: Sets of object ids
 *
 * A hash set of git's object ids that keeps the order of insertion, for walks over history
 * (reach.h) and for the list of objects in a new pack. Only growing it can fail.
 */

#include <git2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** struct oid_set - all zeros is an empty set; release it with oid_set_clear() */
struct oid_set {
	git_oid *ids; /* in the order of their insertion */
	size_t n, room;
	uint32_t *slots; /* index into @ids + 1, 0: free */
	size_t n_slots;	 /* a power of two */
};

/** oid_set_add() - insert @id. Return: 1, 0 when the set has it already, -ENOMEM or -E2BIG. */
int oid_set_add(struct oid_set *set, const git_oid *id);
/** oid_set_has() - is @id in the set? */
bool oid_set_has(const struct oid_set *set, const git_oid *id);
/** oid_set_clear() - release the memory; the set is empty afterwards */
void oid_set_clear(struct oid_set *set);

#endif
