/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_REMOVE_TREE_H
#define COMMON_REMOVE_TREE_H

/* Removal of directory trees that untrusted processes have written. */

/**
 * remove_tree() - remove @name (a path beneath @dir_fd) with all that it contains
 *
 * Follows no symlink beneath, and does not cross into another file system. Return: 0, also if
 * it does not exist; -errno.
 */
int remove_tree(int dir_fd, const char *name);

#endif
