/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_REFS_H
#define FETCHER_REFS_H

/* References of the remote as the mirror has them, and as a work tree's packed-refs. */

#include <git2.h>
#include <stdbool.h>
#include <stddef.h>

#define REFS_MAX 100000 /* in one view */

/** struct refs - sorted by name; all zeros is an empty list, refs_clear() it */
struct refs {
	struct refs_item {
		char *name;
		git_oid id;	/* what it names: a commit, or the object of an annotated tag */
		git_oid target; /* what that leads to */
	} * items;
	size_t n, room;
	bool cut; /* there are more than REFS_MAX */
};

/** refs_read() - the branches and tags in a mirror; broken ones are left out. Return: 0 or -errno. */
int refs_read(git_repository *repository, struct refs *refs);
/**
 * refs_set() - let @name be at @commit, whatever it was
 *
 * An annotated tag of that commit stays one. What cannot be beside it (a/b beside
 * a) is removed. Return: 0 or -ENOMEM.
 */
int refs_set(struct refs *refs, const char *name, const git_oid *commit);
/** refs_filter() - keep those for which @keep says so */
void refs_filter(struct refs *refs, bool (*keep)(const struct refs_item *item, void *userdata),
		 void *userdata);
/** refs_find() - Return: NULL when it is not among them. */
const struct refs_item *refs_find(const struct refs *refs, const char *name);
/** refs_text() - the file packed-refs. Return: malloc'ed, NULL without memory. */
char *refs_text(const struct refs *refs, size_t *ret_size);
void refs_clear(struct refs *refs);

#endif
