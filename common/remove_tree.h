/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_REMOVE_TREE_H
#define COMMON_REMOVE_TREE_H

/*
 * DOC: Removal of untrusted trees
 *
 * Steps, archives and uploads fill directories that root or a service removes later. Such a tree
 * may contain links to other places, and may be deeper than a path can be.
 */

/**
 * remove_tree() - remove @name (a path beneath @dir_fd) with all that it contains
 *
 * Follows no symlink beneath, and does not cross into another file system. Return: 0, also if
 * it does not exist; -errno.
 */
int remove_tree(int dir_fd, const char *name);

#endif
