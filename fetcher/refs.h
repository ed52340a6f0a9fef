/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_REFS_H
#define FETCHER_REFS_H

/*
 * DOC: References of a view
 *
 * A view (view.h) shows a step the remote's branches and tags as one file, packed-refs. This is
 * the list in between: read from the mirror, filtered and changed for the run, then printed.
 */

#include <git2.h>
#include <stdbool.h>
#include <stddef.h>

#define REFS_MAX 100000 /* in one view */

/** struct refs - sorted by name; all zeros is an empty list, release it with refs_clear() */
struct refs {
	struct refs_item {
		char *name;
		git_oid id;	/* a commit, or the object of an annotated tag */
		git_oid target; /* the object behind all tags; @id if it is not a tag */
	} * items;
	size_t n, room;
	bool cut; /* the mirror has more than REFS_MAX; the others are left out */
};

/** refs_read() - read a mirror's branches and tags, except broken ones. Return: 0 or -errno. */
int refs_read(git_repository *repository, struct refs *refs);
/**
 * refs_set() - add @name with @commit, or move it there
 *
 * An annotated tag of that commit is left as it is. References whose names exclude @name ("a/b"
 * excludes "a") are removed. Return: 0 or -ENOMEM.
 */
int refs_set(struct refs *refs, const char *name, const git_oid *commit);
/** refs_filter() - remove the references for which @keep returns false */
void refs_filter(struct refs *refs, bool (*keep)(const struct refs_item *item, void *userdata),
		 void *userdata);
/** refs_find() - the reference @name, owned by @refs; NULL: the list does not have it */
const struct refs_item *refs_find(const struct refs *refs, const char *name);
/** refs_text() - the list as the text of packed-refs. Return: malloc'ed; NULL without memory. */
char *refs_text(const struct refs *refs, size_t *ret_size);
/** refs_clear() - release the memory; the list is empty afterwards */
void refs_clear(struct refs *refs);

#endif
