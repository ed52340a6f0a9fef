/* SPDX-License-Identifier: Apache-2.0 */
/* Creates a tree's directory under a temporary name and renames it when complete. See tree.h. */
#include "fetcher/tree.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/remove_tree.h"
#include "common/tree_layers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* so many files and directories: more are synced with the whole file system */
#define SYNCED_ONE_BY_ONE 32

bool tree_exists(int project_fd, const char *name)
{
	struct tree_layers layers;

	return tree_layers_find(project_fd, name, &layers) == 0;
}

/* Make the directories of a tree under its temporary name. Return: 0 or -errno. */
static int directories_make(struct tree *tree)
{
	char path[COMMIT_HEX_MAX + 24];
	int r = remove_tree(tree->project_fd, tree->temporary);

	if (r < 0)
		return r;
	if (mkdirat(tree->project_fd, tree->temporary, 0755) < 0)
		return -errno;
	(void)snprintf(tree->top, sizeof(tree->top), "%s%s", tree->temporary,
		       *tree->lower ? "/" TREE_DIFF_TOP : "");
	if (*tree->lower) {
		(void)snprintf(path, sizeof(path), "%s/" TREE_DIFF_LOWER, tree->temporary);
		if (symlinkat(tree->lower, tree->project_fd, path) < 0 ||
		    mkdirat(tree->project_fd, tree->top, 0755) < 0)
			return -errno;
	}
	tree->fd = openat(tree->project_fd, tree->top,
			  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return tree->fd < 0 ? -errno : 0;
}

int tree_begin(struct tree *tree, int project_fd, const char *name, const char *lower,
	       struct fetch_result *result)
{
	int r;

	tree->project_fd = project_fd;
	(void)snprintf(tree->name, sizeof(tree->name), "%s", name);
	(void)snprintf(tree->lower, sizeof(tree->lower), "%s", lower);
	(void)snprintf(tree->temporary, sizeof(tree->temporary), ".tmp-%s", tree->name);
	r = directories_make(tree);
	if (r < 0)
		return fetch_fail_errno(result, -r, "cannot make a directory for the tree");
	return 0;
}

static int info_write(const struct tree *tree, const struct fetch_result *result)
{
	char name[COMMIT_HEX_MAX + 8];
	char text[FETCH_TITLE_MAX + FETCH_AUTHOR_MAX + 4];
	cleanup_close int fd = -1;

	(void)snprintf(name, sizeof(name), "%s.info", tree->name);
	(void)snprintf(text, sizeof(text), "%s\n%s\n", result->title, result->author);
	(void)unlinkat(tree->project_fd, name, 0);
	fd = openat(tree->project_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0640);
	if (fd < 0)
		return -errno;
	return fd_write_all(fd, text, strlen(text));
}

/*
 * Sync what @fd, which is closed, contains, one by one. Symlinks and whiteouts are on disk with
 * their directory. Return: 0; -E2BIG when it is more than @budget; -errno.
 */
static int entries_sync(int fd, unsigned *budget)
{
	cleanup_closedir DIR *dir = fdopendir(fd);
	const struct dirent *entry;
	int r = 0;

	if (!dir) {
		r = -errno;
		(void)close(fd);
		return r;
	}
	while (r == 0 && (errno = 0, entry = readdir(dir))) {
		bool folder = entry->d_type == DT_DIR;
		int inner;

		if (entry->d_type == DT_UNKNOWN)
			return -E2BIG;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    (!folder && entry->d_type != DT_REG))
			continue;
		if ((*budget)-- == 0)
			return -E2BIG;
		inner = openat(dirfd(dir), entry->d_name,
			       O_RDONLY | O_NOFOLLOW | O_CLOEXEC | (folder ? O_DIRECTORY : 0));
		if (inner < 0)
			return -errno;
		if (folder) {
			r = entries_sync(inner, budget);
			continue;
		}
		r = fsync(inner) < 0 ? -errno : 0;
		(void)close(inner);
	}
	if (r == 0 && errno)
		return -errno;
	return r == 0 && fsync(dirfd(dir)) < 0 ? -errno : r;
}

/*
 * One syncfs() instead of an fsync() for each of thousands of files, which the file system would
 * commit together anyway. The few of a small difference are synced one by one, since syncfs()
 * also waits for all that others write.
 */
static int tree_sync(const struct tree *tree)
{
	unsigned budget = SYNCED_ONE_BY_ONE;
	char info[COMMIT_HEX_MAX + 8];
	cleanup_close int info_fd = -1;
	int fd, r;

	if (!*tree->lower)
		return syncfs(tree->fd) < 0 ? -errno : 0;
	fd = openat(tree->project_fd, tree->temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)snprintf(info, sizeof(info), "%s.info", tree->name);
	r = fd < 0 ? -errno : entries_sync(fd, &budget);
	if (r == -E2BIG)
		return syncfs(tree->fd) < 0 ? -errno : 0;
	if (r < 0)
		return r;
	info_fd = openat(tree->project_fd, info, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return info_fd < 0 || fsync(info_fd) < 0 ? -errno : 0;
}

static int tree_rename(const struct tree *tree)
{
	char name[COMMIT_HEX_MAX + 8];
	int r = 0;

	(void)snprintf(name, sizeof(name), "%s%s", tree->name, *tree->lower ? TREE_DIFF : "");
	if (*tree->lower && !tree_exists(tree->project_fd, tree->name))
		r = remove_tree(tree->project_fd, name);
	if (r == 0 && renameat2(tree->project_fd, tree->temporary, tree->project_fd, name,
				RENAME_NOREPLACE) < 0)
		r = -errno;
	return r;
}

int tree_commit(struct tree *tree, struct fetch_result *result)
{
	int r = info_write(tree, result);

	if (r == 0)
		r = tree_sync(tree);
	if (r == 0)
		r = tree_rename(tree);
	if (r == 0 && fsync(tree->project_fd) < 0)
		r = -errno;
	if (r < 0)
		return fetch_fail_errno(result, -r, "cannot sync the tree to the disk");
	(void)close(tree->fd);
	tree->fd = -1;
	return 0;
}

void tree_abort(struct tree *tree)
{
	if (tree->fd < 0)
		return;
	(void)close(tree->fd);
	tree->fd = -1;
	(void)remove_tree(tree->project_fd, tree->temporary);
}

void tree_info_read(int project_fd, const char *name, struct fetch_result *result)
{
	char file[COMMIT_HEX_MAX + 8];
	cleanup_free char *text = NULL;
	cleanup_close int fd = -1;
	const char *second;
	size_t size;

	(void)snprintf(file, sizeof(file), "%s.info", name);
	fd = openat(project_fd, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 ||
	    fd_read_file(fd, sizeof(result->title) + sizeof(result->author) + 2, &text, &size) < 0)
		return;
	second = memchr(text, '\n', size);
	if (!second)
		return;
	/* made safe once more, since a file may have been changed */
	text_first_line(result->title, sizeof(result->title), text, (size_t)(second - text));
	text_first_line(result->author, sizeof(result->author), second + 1,
			size - (size_t)(second + 1 - text));
}
