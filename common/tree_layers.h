/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_TREE_LAYERS_H
#define COMMON_TREE_LAYERS_H

/*
 * DOC: The layers of a tree
 *
 * A tree in lib/trees/<project>/ has one of two forms:
 *
 * <commit>/        a whole tree
 * <commit>.diff/   what differs from another tree of the project
 *   lower          a symlink whose target is the commit of that other tree
 *   top/           laid over it: files that were changed or added, a whiteout (a character device
 *                  0/0, as overlayfs has it) for each name that is gone, and .git
 *
 * The other tree may be a difference itself. A step has all of them as lower layers of its
 * workspace. The fetcher writes trees, runbookd finds their layers.
 */

#include "common/limits.h"

#include <stddef.h>

#define TREE_LAYERS_MAX 4
#define TREE_DIFF ".diff"
#define TREE_DIFF_LOWER "lower"
#define TREE_DIFF_TOP "top"

/**
 * struct tree_layers - the directories of one tree, topmost first
 * @n:       at least 1
 * @commits: whose tree the layer and those beneath it are
 * @names:   paths beneath lib/trees/<project>
 */
struct tree_layers {
	size_t n;
	char commits[TREE_LAYERS_MAX][COMMIT_HEX_MAX + 1];
	char names[TREE_LAYERS_MAX][COMMIT_HEX_MAX + 16];
};

/**
 * tree_layers_find() - find the layers of a tree
 * @project_fd: lib/trees/<project>, may be O_PATH
 * @commit:     its name, valid for commit_valid()
 *
 * Every name is checked, but neither owners of directories are nor what is in them. A whole tree
 * is preferred to a difference.
 *
 * Return: 0; -ENOENT when the tree or one that it needs is not there; -ELOOP for more than
 * TREE_LAYERS_MAX; -EINVAL for a link that names no commit; another -errno.
 */
int tree_layers_find(int project_fd, const char *commit, struct tree_layers *ret_layers);

#endif
