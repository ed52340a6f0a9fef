/* SPDX-License-Identifier: Apache-2.0 */
#include "fetcher/prune.h"

#include "common/cleanup.h"
#include "common/names.h"
#include "common/remove_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

int tree_remove(int project_fd, const char *tree, const char *view, struct fetch_result *result)
{
	char name[2 * COMMIT_HEX_MAX + 16];
	int r;

	if (*view) {
		(void)snprintf(name, sizeof(name), "%s.views/%s", tree, view);
		r = erase(project_fd, name, result);
	} else {
		r = erase(project_fd, tree, result);
		(void)snprintf(name, sizeof(name), "%s.views", tree);
		if (r == 0)
			r = erase(project_fd, name, result);
		(void)snprintf(name, sizeof(name), "%s.info", tree);
		if (r == 0 && unlinkat(project_fd, name, 0) < 0 && errno != ENOENT)
			r = -errno;
	}
	if (r < 0)
		(void)fetch_fail_errno(result, -r, "cannot remove the tree %s", tree);
	return r;
}
