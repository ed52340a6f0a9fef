/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_REACH_H
#define FETCHER_REACH_H

/*
 * What can be reached from a commit or a tag: its history, their trees, and the
 * files. What a submodule names is in another repository.
 */

#include "fetcher/oid_set.h"

#include <git2.h>

/**
 * struct reach - a walk, over one or more roots
 * @repository: where the objects are
 * @stop:       what is in there is neither entered nor seen; NULL: nothing. It must have
 *              all that its own objects reach
 * @seen:       what was reached; the caller clears it
 */
struct reach {
	git_repository *repository;
	git_odb *stop;
	struct oid_set seen;
};

/**
 * reach_add() - add what @root reaches to @reach->seen
 *
 * Return: 0; -ENODATA when an object is missing or damaged; -E2BIG, -ENOMEM.
 */
int reach_add(struct reach *reach, const git_oid *root);

#endif
