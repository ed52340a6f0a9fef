/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_NEAREST_H
#define FETCHER_NEAREST_H

/*
 * DOC: The nearest tree
 *
 * A new tree is laid on one that the project has already: that of the youngest commit in its
 * history which has one. Otherwise, for a commit of the repository itself, on the tree that was
 * made last and was never a stranger's. A stranger's tree has no layer that is not of its own
 * history, so neither times nor defects of what hides it show anything of other branches.
 */

#include "common/tree_layers.h"

#include <git2.h>
#include <stdbool.h>

/**
 * nearest_find() - find a tree to lie on
 * @project_fd: lib/trees/<project>, locked by the caller
 * @foreign:    only trees of the commit's history are wanted
 *
 * The mirror has the commits of all layers. Return: 0 or -ENOENT.
 */
int nearest_find(int project_fd, git_repository *repository, const git_oid *commit, bool foreign,
		 struct tree_layers *ret_layers);

#endif
