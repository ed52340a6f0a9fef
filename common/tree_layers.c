/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tree_layers.h"

#include "common/names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int is_directory(int dir_fd, const char *name)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

/* Add the next layer, and set @commit to the tree beneath it. Return: 1 if it is the last one. */
static int layer_add(int project_fd, char *commit, struct tree_layers *layers)
{
	char *name = layers->names[layers->n];
	const size_t size = sizeof(layers->names[0]);
	char link[COMMIT_HEX_MAX + 16];
	char target[COMMIT_HEX_MAX + 2];
	ssize_t n;
	int r;

	(void)snprintf(layers->commits[layers->n], sizeof(layers->commits[0]), "%s", commit);
	(void)snprintf(name, size, "%s", commit);
	r = is_directory(project_fd, name);
	if (r == 0) {
		layers->n++;
		return 1;
	}
	if (r != -ENOENT)
		return r;
	(void)snprintf(name, size, "%s" TREE_DIFF "/" TREE_DIFF_TOP, commit);
	r = is_directory(project_fd, name);
	if (r < 0)
		return r;
	(void)snprintf(link, sizeof(link), "%s" TREE_DIFF "/" TREE_DIFF_LOWER, commit);
	n = readlinkat(project_fd, link, target, sizeof(target));
	if (n < 0)
		return -errno;
	if ((size_t)n > COMMIT_HEX_MAX)
		return -EINVAL;
	target[n] = '\0';
	if (!commit_valid(target))
		return -EINVAL;
	layers->n++;
	memcpy(commit, target, (size_t)n + 1);
	return 0;
}

int tree_layers_find(int project_fd, const char *commit, struct tree_layers *ret_layers)
{
	struct tree_layers layers = {.n = 0};
	char next[COMMIT_HEX_MAX + 1];
	int r = 0;

	(void)snprintf(next, sizeof(next), "%s", commit);
	while (r == 0)
		r = layers.n == TREE_LAYERS_MAX ? -ELOOP : layer_add(project_fd, next, &layers);
	if (r < 0)
		return r;
	*ret_layers = layers;
	return 0;
}
