/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_REMOVE_TREE_H
#define COMMON_REMOVE_TREE_H

/* Removing trees that others filled. */

/**
 * remove_tree() - rm -rf of @name (a path) in @dir_fd, never following a symlink beneath and
 * never crossing into another file system. Return: 0 (also if absent) or -errno.
 */
int remove_tree(int dir_fd, const char *name);

#endif
