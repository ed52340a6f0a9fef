/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_PRUNE_H
#define FETCHER_PRUNE_H

/*
 * DOC: Removal
 *
 * Retention removes trees, views and objects of the mirror that no run needs any more
 * (docs/retention.md). The scheduler decides which runs are kept and sends TREE_REMOVE and
 * MIRROR_PRUNE; a child does the work under the project's lock, so no fetch writes meanwhile.
 * Steps may read the mirror at the same time: no object that they reach is ever missing.
 */

#include "common/name_list.h"
#include "fetcher/fetch.h"
#include "fetcher/mirror.h"

/**
 * tree_remove() - remove a tree with all its views, or one of its views
 * @project_fd: lib/trees/<project>, locked by the caller
 * @view:       id of a view; "": the tree with all of them
 *
 * The directory is renamed first, so it disappears at once; the next job removes what a killed
 * child left of it. No disk space is needed. A missing directory is a success. A tree on which
 * others lie is only marked, as "<tree>.kept", and removed with the last of them; then the bytes of
 * both are freed.
 * Return: 0, or -errno with @result set; @result->freed grows in both cases.
 */
int tree_remove(int project_fd, const char *tree, const char *view, struct fetch_result *result);

/**
 * tree_wanted() - a run needs this tree again, which may be kept for others only
 *
 * Return: 0, or -errno with @result set.
 */
int tree_wanted(int project_fd, const char *tree, struct fetch_result *result);

/**
 * mirror_prune() - remove the objects that neither the remote's references nor kept runs reach
 * @project_fd: lib/trees/<project>, locked by the caller; its trees and views belong to runs
 *              that are kept
 * @kept:       commits of further runs that are kept; ids that the mirror lacks are ignored
 *
 * References that are neither branches nor tags are removed first, then loose objects and packs
 * of which nothing is reached; none of this needs disk space. From a pack that is reached in
 * part, the reached objects are written to a new pack before the old one is removed. That needs
 * as much free space as those packs take; without it they stay, and @result says how much is
 * missing. Steps that read the mirror meanwhile find each object in the old or the new pack,
 * and a kill leaves both.
 *
 * Return: 0, or -errno with @result set. @result->freed and the mirror's branches are set in
 * both cases, the branches unless there are too many or no memory.
 */
int mirror_prune(struct mirror *mirror, int project_fd, const struct name_list *kept,
		 struct fetch_result *result);

#endif
