/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_VIEW_H
#define FETCHER_VIEW_H

/*
 * DOC: Views
 *
 * A tree is shared by all runs of its commit; what a run sees of the repository
 * beside the files is not, because references move, and because a stranger's
 * pull request must not see all that the mirror has.
 *
 * lib/trees/<project>/<commit>.views/<id>/
 *   top/.git/packed-refs   laid over the tree: the run's own reference, at its commit, and
 *                          the remote's branches and tags as they were when it was fetched
 *   objects/pack/          with FETCH_FOREIGN only: what the commit reaches, a pack of its
 *                          own, and what the tip of its base reaches, links to the packs of
 *                          a base (base.h). The references are then its own, the base and
 *                          the tags of what is in there
 *
 * The id is a hash of all that. A view is made under a temporary name, brought to
 * the disk and renamed, and never changes again: steps have it as a lower layer.
 */

#include "fetcher/fetch.h"

#include <git2.h>

/**
 * struct view_request - which view
 * @project_fd, @project_path: lib/trees/<project>, locked
 * @ref:     the run's own reference, a full name; "": none
 * @base:    with @foreign: the full name of the branch that it goes to; "": none
 * @commit:  the run's
 * @foreign: with objects of its own
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
 * view_make() - see to it that the view is there, and name it in @result
 *
 * Return: 0; -ENODATA when the mirror lacks objects (@result is set too); another
 * -errno with @result set.
 */
int view_make(const struct view_request *request, struct fetch_result *result);
#endif
