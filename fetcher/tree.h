/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_TREE_H
#define FETCHER_TREE_H

/*
 * DOC: Trees on disk
 *
 * lib/trees/<project>/<commit>/ is a checked-out tree, and <commit>.diff/ one that has only what
 * differs from another tree (common/tree_layers.h). Either is written as ".tmp-<commit>", synced
 * and renamed, so a tree with its final name is complete, also after a power cut. It never
 * changes again, because running sandboxes have it as the lower layer of an overlay.
 * "<commit>.info" beside it holds the commit's title and author, a line each. "<commit>.kept"
 * marks a tree that no run needs any more, but another tree lies on it (prune.h).
 *
 * Why layers and not hard links: a link changes the file's change time and link count, also for
 * steps that run. tar(1) compares the change time, and fails when it is another one after it has
 * read the file.
 *
 * All files are created relative to a directory descriptor, with O_EXCL and O_NOFOLLOW, and an
 * existing name ends the work: no entry of a hostile tree can lead a later one through a symlink.
 */

#include "fetcher/fetch.h"

#include <git2.h>
#include <stdbool.h>
#include <stddef.h>

/** enum tree_name - why a name of a tree is not written */
enum tree_name {
	TREE_NAME_OK = 0,
	TREE_NAME_EMPTY,
	TREE_NAME_LONG,
	TREE_NAME_DOTS,	   /* "." and ".." */
	TREE_NAME_SLASH,   /* '/' inside */
	TREE_NAME_DOT_GIT, /* .git, or a name that another file system takes for it */
	TREE_NAME_NUM,
};

/**
 * tree_name_check() - may an entry of a tree have this name?
 * @name: @length bytes, any but NUL
 *
 * Refused are also names that some file system takes for ".git" (case, HFS+ ignorable
 * characters, NTFS short name, trailing dots and spaces, stream suffix, backslashes), because a
 * step may copy its work tree to such a file system.
 */
enum tree_name tree_name_check(const char *name, size_t length);
/** tree_name_reason() - end of a sentence for people: "is longer than 255 bytes" */
const char *tree_name_reason(enum tree_name name);

/**
 * struct tree - a tree that is being written
 * @project_fd: lib/trees/<project>, owned by the caller
 * @fd:         the directory of its files, owned; -1: none
 * @lower:      the tree on which a difference lies; "": the tree is whole
 * @top:        path of @fd beneath lib/trees/<project>
 */
struct tree {
	int project_fd;
	int fd;
	char name[COMMIT_HEX_MAX + 1];
	char lower[COMMIT_HEX_MAX + 1];
	char temporary[COMMIT_HEX_MAX + 8];
	char top[COMMIT_HEX_MAX + 16];
};
#define TREE_NULL ((struct tree){.project_fd = -1, .fd = -1})

/** tree_exists() - does the project have the tree @name, and those that it lies on? */
bool tree_exists(int project_fd, const char *name);
/**
 * tree_begin() - create an empty temporary directory for @name, after removing an old one
 * @lower: "", or the name of the tree on which @name is laid as a difference
 *
 * Return: 0, or -errno with @result set.
 */
int tree_begin(struct tree *tree, int project_fd, const char *name, const char *lower,
	       struct fetch_result *result);
/**
 * tree_commit() - write the info file from @result, sync, and rename the tree into place
 *
 * A difference takes the place of one that lies on a tree which is gone.
 *
 * Return: 0, or -errno with @result set.
 */
int tree_commit(struct tree *tree, struct fetch_result *result);
/** tree_abort() - remove the temporary directory; does nothing after tree_commit() */
void tree_abort(struct tree *tree);
static inline void tree_abort_fn(struct tree *tree)
{
	tree_abort(tree);
}
#define cleanup_tree __attribute__((cleanup(tree_abort_fn)))

/** tree_info_read() - read title and author into @result; they stay as they are without the file */
void tree_info_read(int project_fd, const char *name, struct fetch_result *result);

/**
 * tree_git_write() - write the .git directory, except its index and references
 *
 * HEAD is detached at @commit, the configuration has [core] only, and the alternates name the
 * path at which a sandbox sees the mirror's objects. References come with a view (view.h).
 *
 * Return: 0, or -errno with @result set.
 */
int tree_git_write(int tree_fd, const char *commit, struct fetch_result *result);
/** tree_git_write_diff() - the same for a difference: what the trees beneath it have is left out */
int tree_git_write_diff(int tree_fd, const char *commit, struct fetch_result *result);

#endif
