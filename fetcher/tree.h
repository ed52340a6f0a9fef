/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_TREE_H
#define FETCHER_TREE_H

/*
 * DOC: Trees on disk
 *
 * lib/trees/<project>/<commit>/ is a checked-out tree. It is made as
 * ".tmp-<commit>", brought to the disk, and renamed: what has the final name is
 * whole, also after a power cut, and never changes again, because running
 * sandboxes have it as the lower layer of an overlay. "<commit>.info" beside it
 * holds what is told about the commit (title, author; a line each).
 *
 * Everything is made relative to a directory descriptor, with O_EXCL and
 * O_NOFOLLOW: a name that exists already ends the work, so no entry of a
 * hostile tree can make a later one go through a symlink.
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
	TREE_NAME_DOT_GIT, /* .git, also as file systems of others would read it */
	TREE_NAME_NUM,
};

/**
 * tree_name_check() - may one entry be called like this?
 * @name: @length bytes, any but NUL
 *
 * ".git" is refused in every disguise that some file system takes for it (case,
 * HFS+ ignorable characters, NTFS short name, trailing dots and spaces, stream
 * suffix, backslashes): a step may copy its work tree to one of those.
 */
enum tree_name tree_name_check(const char *name, size_t length);
/** tree_name_reason() - words for people: "is longer than 255 bytes" */
const char *tree_name_reason(enum tree_name name);

/**
 * struct tree - a tree that is being made
 * @project_fd: lib/trees/<project>; the caller's
 * @fd:         the temporary directory
 */
struct tree {
	int project_fd;
	int fd;
	char name[COMMIT_HEX_MAX + 1];
	char temporary[COMMIT_HEX_MAX + 8];
};
#define TREE_NULL ((struct tree){.project_fd = -1, .fd = -1})

/** tree_exists() - is @name there, whole? */
bool tree_exists(int project_fd, const char *name);
/** tree_begin() - make an empty temporary directory for @name; an old one is removed */
int tree_begin(struct tree *tree, int project_fd, const char *name, struct fetch_result *result);
/** tree_commit() - write the info file from @result, sync, rename into place */
int tree_commit(struct tree *tree, struct fetch_result *result);
/** tree_abort() - remove the temporary directory; no-op after tree_commit() */
void tree_abort(struct tree *tree);
static inline void tree_abort_fn(struct tree *tree)
{
	tree_abort(tree);
}
#define cleanup_tree __attribute__((cleanup(tree_abort_fn)))

/** tree_info_read() - fill title and author of @result from the info file, if there is one */
void tree_info_read(int project_fd, const char *name, struct fetch_result *result);

/**
 * tree_checkout() - write the files of @commit and a .git beside them
 * @path: absolute path of the temporary directory, for the index
 *
 * Return: 0; -ENODATA when the mirror lacks objects (@result is set too);
 * another -errno with @result set.
 */
int tree_checkout(struct tree *tree, git_repository *repository, const git_oid *commit,
		  const char *path, const struct fetch_limits *limits, struct fetch_result *result);

/**
 * tree_git_write() - the .git directory but for its index and its references
 *
 * HEAD detached at @commit, a configuration of [core] only, and objects that are
 * alternates to where a sandbox sees them. References come with a view (view.h).
 */
int tree_git_write(int tree_fd, const char *commit, struct fetch_result *result);

#endif
