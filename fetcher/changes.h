/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_CHANGES_H
#define FETCHER_CHANGES_H

/*
 * DOC: Which paths a push changed
 *
 * The child lists the paths that a push added, changed or removed, for the path filters of the
 * runbook; a renamed file counts with both names. The new commit is compared with
 *
 *   a pull request      the merge base with its target branch
 *   a push              the commit that the branch had before, also after a forced push
 *   a new branch        the merge base with the default branch
 *
 * When the comparison cannot be made (the old commit is gone, the histories share no commit,
 * there are more than CHANGED_PATHS_MAX names) the paths are "not known", which lets every
 * filter through; the fetch itself never fails for it. libgit2's own diff is not used, because
 * it does not bound what it visits: nested trees name a billion files in a kilobyte.
 */

#include "fetcher/fetch.h"

#include <git2.h>

/** struct changes_question - the fields of a FETCH that decide the comparison; checked already */
struct changes_question {
	const char *ref;
	const char *before;	    /* commit before the push; "": not known, zeros: a new ref */
	const char *base_ref;	    /* target branch of a pull request, "" for others */
	const char *default_branch; /* full ref, "": not known */
};

/**
 * changes_find() - list the paths in which @head differs from the commit it is compared with
 * @ret_fd: memfd in the form of common/name_list.h, owned by the caller
 *
 * Return: 0, or -errno when the paths are not known.
 */
int changes_find(git_repository *repository, const git_oid *head,
		 const struct changes_question *question, int *ret_fd);

#endif
