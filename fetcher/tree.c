/* SPDX-License-Identifier: Apache-2.0 */
/* Creates a tree's directory under a temporary name and renames it when complete. See tree.h. */
#include "fetcher/tree.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/remove_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool tree_exists(int project_fd, const char *name)
{
	struct stat st;

	return fstatat(project_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

int tree_begin(struct tree *tree, int project_fd, const char *name, struct fetch_result *result)
{
	int r;

	tree->project_fd = project_fd;
	(void)snprintf(tree->name, sizeof(tree->name), "%s", name);
	(void)snprintf(tree->temporary, sizeof(tree->temporary), ".tmp-%s", tree->name);
	r = remove_tree(project_fd, tree->temporary);
	if (r == 0 && mkdirat(project_fd, tree->temporary, 0755) < 0)
		r = -errno;
	if (r == 0) {
		tree->fd = openat(project_fd, tree->temporary,
				  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = tree->fd < 0 ? -errno : 0;
	}
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

int tree_commit(struct tree *tree, struct fetch_result *result)
{
	int r = info_write(tree, result);

	/*
	 * One syncfs() instead of an fsync() for each of thousands of files, which the file
	 * system would commit together anyway.
	 */
	if (r == 0 && syncfs(tree->fd) < 0)
		r = -errno;
	if (r == 0 && renameat2(tree->project_fd, tree->temporary, tree->project_fd, tree->name,
				RENAME_NOREPLACE) < 0)
		r = -errno;
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
