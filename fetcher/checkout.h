/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_CHECKOUT_H
#define FETCHER_CHECKOUT_H

/*
 * DOC: Checkouts
 *
 * A commit's tree is written whole, or as its difference to a tree that is there already. Then a
 * commit costs what it changes, and the files that it shares with others are on the disk once.
 * checkout.c writes git's entries as files, checkout_diff.c the difference between two trees of
 * git, checkout_make.c decides and nearest.c finds a tree to lie on.
 *
 * A first, dry pass checks everything and writes nothing. Nested trees of a few kilobytes may
 * name ten billion files. The dry pass finds that by reading trees only; removing a million
 * written files again would take far longer.
 *
 * The time of a file is that at which its content was written, for all trees that share it: a
 * commit's changes are newer than what it did not change, as after git checkout.
 */

#include "fetcher/tree.h"

#include <git2.h>
#include <time.h>

/**
 * struct checkout_request - the tree that is needed
 * @project_fd, @project_path: lib/trees/<project>, locked by the caller
 * @repository: the mirror
 * @foreign:    the commit is a stranger's: its tree lies on trees of its own history only
 */
struct checkout_request {
	int project_fd;
	const char *project_path;
	git_repository *repository;
	git_oid commit;
	bool foreign;
	const struct fetch_limits *limits;
};

/**
 * checkout_make() - write the tree of a commit and a .git directory with it, and sync them
 *
 * Sets title and author in @result, too.
 *
 * Return: 0; -ENODATA when the mirror lacks objects (@result is set too);
 * another -errno with @result set.
 */
int checkout_make(const struct checkout_request *request, struct fetch_result *result);

/**
 * struct checkout - one pass over a commit's tree, or parts of it
 * @dry:       everything is checked, nothing is written
 * @n_entries: visited, for the limit
 * @n_written: files, directories, symlinks and whiteouts that were written, or would be
 * @bytes:     of the files in these
 * @path:      of the current entry, from the top
 */
struct checkout {
	git_repository *repository;
	git_odb *odb;
	git_index *index; /* NULL in a dry pass */
	const struct fetch_limits *limits;
	struct fetch_result *result;
	struct timespec mtime;
	bool dry;
	uint64_t n_entries, n_written;
	uint64_t bytes;
	char path[FETCH_PATH_MAX + 1];
};

/** checkout_object_missing() - the result for it, from libgit2's last error. Return: -ENODATA. */
int checkout_object_missing(struct checkout *checkout);
/** checkout_disk_failed() - the result for the current entry and -errno. Return: -errno. */
int checkout_disk_failed(struct checkout *checkout, int failure);
/** checkout_too_large() - refuse the commit for the size of its tree. Return: -errno. */
int checkout_too_large(struct checkout *checkout);
/**
 * checkout_enter() - check @name, append it to the path, count the entry
 * @length: of the path without it; the caller cuts the path there afterwards
 */
int checkout_enter(struct checkout *checkout, const char *name, size_t length);
/** checkout_entry() - write an entry by its kind, with what it contains */
int checkout_entry(struct checkout *checkout, int dir_fd, const git_tree_entry *entry,
		   unsigned depth);
/** checkout_tree() - write all entries of a tree; @depth: 0 at the top */
int checkout_tree(struct checkout *checkout, const git_oid *id, int dir_fd, unsigned depth);
/** checkout_root() - title and author of a commit into the result, and the id of its tree */
int checkout_root(struct checkout *checkout, const git_oid *commit, git_oid *ret_tree);

/**
 * checkout_diff() - write, or in a dry pass measure, what @new_root changes of @old_root
 * @dir_fd: of the difference, -1 in a dry pass
 *
 * The index is the old tree's, and is changed along. Return: 0 or as checkout_entry(); 1 when there
 * is no such difference: entries are not in git's order, or whiteouts cannot be made here.
 */
int checkout_diff(struct checkout *checkout, const git_oid *new_root, const git_oid *old_root,
		  int dir_fd);

#endif
