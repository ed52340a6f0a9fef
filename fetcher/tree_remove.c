/* SPDX-License-Identifier: Apache-2.0 */
#include "fetcher/prune.h"

#include "common/cleanup.h"
#include "common/names.h"
#include "common/remove_tree.h"
#include "common/tree_layers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TREE_KEPT ".kept"
#define GONE ".tmp-gone" /* the next job removes a directory of this name */
#define DEPTH_MAX (FETCH_DEPTH_MAX + 8)

/* Bytes that removing @name frees; a file with further hard links frees none. */
static uint64_t bytes_of(int dir_fd, const char *name, unsigned depth)
{
	cleanup_closedir DIR *dir = NULL;
	const struct dirent *entry;
	struct stat st;
	uint64_t bytes;
	int fd;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (!S_ISDIR(st.st_mode))
		return st.st_nlink > 1 ? 0 : (uint64_t)st.st_blocks * 512;
	bytes = (uint64_t)st.st_blocks * 512;
	fd = depth == 0 ? -1
			: openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	while (dir && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			bytes += bytes_of(fd, entry->d_name, depth - 1);
	}
	return bytes;
}

static int erase(int project_fd, const char *name, struct fetch_result *result)
{
	uint64_t bytes;
	int r = remove_tree(project_fd, GONE);

	if (r < 0)
		return r;
	if (renameat(project_fd, name, project_fd, GONE) < 0)
		return errno == ENOENT ? 0 : -errno;
	bytes = bytes_of(project_fd, GONE, DEPTH_MAX);
	r = remove_tree(project_fd, GONE);
	if (r == 0)
		result->freed += bytes;
	return r;
}

/* ---- trees on which others lie ---- */

/** struct lowers - the names of the trees on which others of the project lie */
struct lowers {
	char (*names)[COMMIT_HEX_MAX + 1];
	size_t n, room;
};

static int lowers_add(struct lowers *lowers, int project_fd, const char *diff)
{
	char link[NAME_MAX + 16], target[COMMIT_HEX_MAX + 2];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "%s/" TREE_DIFF_LOWER, diff);
	n = readlinkat(project_fd, link, target, sizeof(target));
	if (n < 0 || (size_t)n > COMMIT_HEX_MAX)
		return 0; /* not a tree */
	target[n] = '\0';
	if (lowers->n == lowers->room) {
		size_t room = lowers->room ? lowers->room * 2 : 64;
		void *grown = reallocarray(lowers->names, room, sizeof(*lowers->names));

		if (!grown)
			return -ENOMEM;
		lowers->names = grown;
		lowers->room = room;
	}
	memcpy(lowers->names[lowers->n++], target, (size_t)n + 1);
	return 0;
}

/* Is @name that of a file which ends with @end? Set @ret_tree to what is before it. */
static bool belongs_to_tree(const char *name, const char *end, char *ret_tree)
{
	size_t length = strlen(name), n = strlen(end);

	if (length <= n || length - n > COMMIT_HEX_MAX || strcmp(name + length - n, end) != 0)
		return false;
	memcpy(ret_tree, name, length - n);
	ret_tree[length - n] = '\0';
	return commit_valid(ret_tree);
}

/* Find the tree that each difference lies on. Return: 0 or -errno. */
static int lowers_read(struct lowers *lowers, int project_fd)
{
	int copy = openat(project_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_closedir DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	char tree[COMMIT_HEX_MAX + 1];
	const struct dirent *entry;
	int r = dir ? 0 : -errno;

	while (r == 0 && dir && (errno = 0, entry = readdir(dir))) {
		if (belongs_to_tree(entry->d_name, TREE_DIFF, tree))
			r = lowers_add(lowers, project_fd, entry->d_name);
	}
	return r == 0 && errno ? -errno : r;
}

static bool lowers_has(const struct lowers *lowers, const char *tree)
{
	for (size_t i = 0; i < lowers->n; i++) {
		if (strcmp(lowers->names[i], tree) == 0)
			return true;
	}
	return false;
}

/* Remove both forms of a tree, and its files beside. */
static int tree_erase(int project_fd, const char *tree, struct fetch_result *result)
{
	static const char *const files[] = {".info", TREE_KEPT};
	char name[COMMIT_HEX_MAX + 16];
	int r = erase(project_fd, tree, result);

	(void)snprintf(name, sizeof(name), "%s" TREE_DIFF, tree);
	if (r == 0)
		r = erase(project_fd, name, result);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(files); i++) {
		(void)snprintf(name, sizeof(name), "%s%s", tree, files[i]);
		if (unlinkat(project_fd, name, 0) < 0 && errno != ENOENT)
			r = -errno;
	}
	return r;
}

static int tree_keep(int project_fd, const char *tree)
{
	char name[COMMIT_HEX_MAX + 8];
	cleanup_close int fd = -1;

	(void)snprintf(name, sizeof(name), "%s" TREE_KEPT, tree);
	fd = openat(project_fd, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
	return fd < 0 || fsync(project_fd) < 0 ? -errno : 0;
}

int tree_wanted(int project_fd, const char *tree, struct fetch_result *result)
{
	char name[COMMIT_HEX_MAX + 8];

	(void)snprintf(name, sizeof(name), "%s" TREE_KEPT, tree);
	if (unlinkat(project_fd, name, 0) < 0 && errno == ENOENT)
		return 0;
	/* once a run waits for the tree, a power cut must not bring the mark back */
	if (faccessat(project_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || fsync(project_fd) < 0)
		return fetch_fail_errno(result, errno, "cannot remove the mark of a kept tree");
	return 0;
}

/* Remove a kept tree on which none lies any more. Return: 1 if there was one, 0, -errno. */
static int kept_remove(int project_fd, struct fetch_result *result)
{
	int copy = openat(project_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_closedir DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct lowers lowers = {.n = 0};
	char tree[COMMIT_HEX_MAX + 1];
	const struct dirent *entry;
	int r = dir ? lowers_read(&lowers, project_fd) : -errno;

	while (r == 0 && dir && (entry = readdir(dir))) {
		if (!belongs_to_tree(entry->d_name, TREE_KEPT, tree) || lowers_has(&lowers, tree))
			continue;
		r = tree_erase(project_fd, tree, result);
		if (r == 0)
			r = 1;
	}
	free(lowers.names);
	return r;
}

/* Remove a tree with all its views; only mark it if another one lies on it. */
static int tree_remove_all(int project_fd, const char *tree, struct fetch_result *result)
{
	struct lowers lowers = {.n = 0};
	char name[COMMIT_HEX_MAX + 16];
	int r = lowers_read(&lowers, project_fd);

	(void)snprintf(name, sizeof(name), "%s.views", tree);
	if (r == 0)
		r = erase(project_fd, name, result);
	if (r == 0)
		r = lowers_has(&lowers, tree) ? tree_keep(project_fd, tree)
					      : tree_erase(project_fd, tree, result);
	free(lowers.names);
	/* it may have been the last one on another tree; also when a kill came between, before */
	if (r == 0) {
		do
			r = kept_remove(project_fd, result);
		while (r > 0);
	}
	return r;
}

int tree_remove(int project_fd, const char *tree, const char *view, struct fetch_result *result)
{
	char name[2 * COMMIT_HEX_MAX + 16];
	int r;

	(void)snprintf(name, sizeof(name), "%s.views/%s", tree, view);
	r = *view ? erase(project_fd, name, result) : tree_remove_all(project_fd, tree, result);
	if (r < 0)
		(void)fetch_fail_errno(result, -r, "cannot remove the tree %s", tree);
	return r;
}
