/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_VIEW_H
#define FETCHER_VIEW_H

/*
 * DOC: Views
 *
 * All runs of a commit share its tree. What a run sees of the repository besides the files is
 * not shared, because references move, and because a stranger's pull request must not see every
 * object of the mirror. So each run gets a view, shared by runs that see the same references.
 *
 * lib/trees/<project>/<commit>.views/<id>/
 *   top/.git/packed-refs   laid over the tree: the run's own reference at its commit, and
 *                          the remote's branches and tags as of the fetch
 *   objects/pack/          foreign commits only: one pack with what the commit reaches beyond
 *                          its base, and hard links to the packs of the base (base.h). The
 *                          references are then the run's own, the base, and the tags of
 *                          commits in these packs
 *
 * The id is a hash of the references, and of whether the commit is foreign. A view is written
 * under a temporary name, synced and renamed, and never changes again, because steps have it as
 * a lower layer.
 */

#include "fetcher/fetch.h"

#include <git2.h>

/**
 * struct view_request - the view that a run needs
 * @project_fd, @project_path: lib/trees/<project>, locked by the caller
 * @repository: the mirror
 * @ref:     full name of the run's own reference; "": it has none
 * @base:    with @foreign: full name of the target branch; "": it has none
 * @commit:  the run's commit
 * @foreign: the commit is a stranger's: the view gets objects of its own
 */
struct view_request {
	int project_fd;
	const char *project_path;
	git_repository *repository;
	const char *ref, *base;
	git_oid commit;
	bool foreign;
};

/**
 * view_make() - create the view unless it exists, and set its id in @result
 *
 * Return: 0; -ENODATA when the mirror lacks objects (@result is set too); another
 * -errno with @result set.
 */
int view_make(const struct view_request *request, struct fetch_result *result);
#endif
