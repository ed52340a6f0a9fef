/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_PRUNE_H
#define FETCHER_PRUNE_H

/* What no run needs any more is removed: trees, views, objects of the mirror. */

#include "common/name_list.h"
#include "fetcher/fetch.h"
#include "fetcher/mirror.h"

/**
 * tree_remove() - a tree with all its views, or one of its views
 * @project_fd: lib/trees/<project>, locked
 * @view:       "": the tree with all of them
 *
 * It is out of the way at one rename; what a kill leaves of it goes with the next
 * job. Needs no room on the disk. What is not there is no failure.
 * Return: 0, or -errno with @result set; bytes are added to @result->freed in any case.
 */
int tree_remove(int project_fd, const char *tree, const char *view, struct fetch_result *result);

/**
 * mirror_prune() - drop what neither the remote's references nor kept runs reach
 * @project_fd: lib/trees/<project>, locked: the trees and views in there are kept runs'
 * @kept:       commits of runs that are kept beside these; those that are not there are ignored
 *
 * References that are neither branches nor tags go, then packs and loose objects of
 * which nothing is reached, without any new space. Of a pack with both, what is
 * reached is written to a new pack first, and the old one goes after that: for this,
 * as much room as those packs take must be free, or they stay and @result says what
 * is missing. Steps that read the mirror meanwhile find each object in one pack or
 * the other; a kill leaves both.
 *
 * Return: 0, or -errno with @result set; @result->freed and the names of the branches that
 * the mirror has in any case, unless there are too many of them or no memory.
 */
int mirror_prune(struct mirror *mirror, int project_fd, const struct name_list *kept,
		 struct fetch_result *result);

#endif
