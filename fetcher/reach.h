/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_REACH_H
#define FETCHER_REACH_H

/*
 * DOC: Reachable objects
 *
 * A walk from commits and tags to all objects that they reach: the history, its trees and the
 * files in them. The commit of a submodule is skipped, because it is in another repository. The
 * packs of bases and views hold exactly what such a walk found, and pruning keeps it.
 */

#include "fetcher/oid_set.h"

#include <git2.h>

/**
 * struct reach - a walk, over one or more roots
 * @repository: has the objects
 * @stop:       objects of this database are neither entered nor added; it must have everything
 *              that its own objects reach. NULL: the walk enters all objects
 * @seen:       the objects that were reached; the caller clears it
 */
struct reach {
	git_repository *repository;
	git_odb *stop;
	struct oid_set seen;
};

/**
 * reach_add() - add @root and all that it reaches to @reach->seen
 *
 * Return: 0; -ENODATA when an object is missing or damaged; -E2BIG, -ENOMEM.
 */
int reach_add(struct reach *reach, const git_oid *root);

#endif
