/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_CHANGES_H
#define FETCHER_CHANGES_H

/*
 * DOC: Which paths a push changed
 *
 * Names only, of what is added, changed or gone; a renamed file is both of its
 * names. What is compared with the new commit:
 *
 *   a pull request      where it left the branch that it goes to
 *   a push              what the branch named before, also after a forced push
 *   a new branch        where it left the default branch
 *
 * Whatever stands in the way (the old commit is gone, histories have nothing in
 * common, there are more names than CHANGED_PATHS_MAX) makes the answer "not
 * known", never a failed fetch. Not libgit2's diff: that one has no bound on what
 * it visits, and a tree of trees may name a billion files in a kilobyte.
 */

#include "fetcher/fetch.h"

#include <git2.h>

/** struct changes_question - what a fetch was asked for; texts are checked already */
struct changes_question {
	const char *ref;
	const char *before;	    /* "": not known; zeros: the ref is new */
	const char *base_ref;	    /* of a pull request, "" for others */
	const char *default_branch; /* full ref, "": not known */
};

/**
 * changes_find() - the paths in which @head differs from what was before it
 * @ret_fd: memfd of common/name_list.h, owned by the caller
 *
 * Return: 0, or -errno when they are not known.
 */
int changes_find(git_repository *repository, const git_oid *head,
		 const struct changes_question *question, int *ret_fd);

#endif
