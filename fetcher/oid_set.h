/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_OID_SET_H
#define FETCHER_OID_SET_H

/* A set of object ids that remembers the order in which they came. */

#include <git2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** struct oid_set - all zeros is an empty set; oid_set_clear() it */
struct oid_set {
	git_oid *ids; /* in the order of their insertion */
	size_t n, room;
	uint32_t *slots; /* index into @ids + 1, 0: free */
	size_t n_slots;	 /* a power of two */
};

/** oid_set_add() - Return: 1 when it is new, 0 when it was there, -ENOMEM, -E2BIG. */
int oid_set_add(struct oid_set *set, const git_oid *id);
/** oid_set_has() - is it in there? */
bool oid_set_has(const struct oid_set *set, const git_oid *id);
/** oid_set_clear() - release its memory; it is empty then */
void oid_set_clear(struct oid_set *set);

#endif
