/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile tree and hostile paths. The input is a list of NUL-terminated items: a letter, a path,
 * and after "=" the target of a link. The tree is made by the functions under test; links may have
 * any target. For any items, the canary next to the tree stays unchanged and its only neighbour,
 * and an accepted path equals its normal form.
 */
#include "common/beneath.h"
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/remove_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ITEMS_MAX 64
#define DEPTH_MAX 40

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char top[] = "/tmp/fuzz_beneath.XXXXXX";
static int top_fd = -1;

static void finish(void)
{
	(void)remove_tree(AT_FDCWD, top);
}

static void start(void)
{
	if (!mkdtemp(top) || atexit(finish) != 0)
		abort();
	top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (top_fd < 0 || file_replace(top_fd, "canary", "alive", 5, 0600) < 0)
		abort();
}

/* Only the canary and @trees directories may be here. */
static void check(unsigned trees)
{
	struct stat st;

	if (fstat(top_fd, &st) < 0 || st.st_nlink != 2 + trees ||
	    fstatat(top_fd, "canary", &st, 0) < 0 || st.st_nlink != 1 || st.st_size != 5)
		abort();
}

static void normal_check(const char *path)
{
	char again[PATH_MAX];

	if (path[0] == '/' || strstr(path, "//") || strstr(path, "/../") ||
	    strncmp(path, "../", 3) == 0 || strcmp(path, "..") == 0)
		abort();
	if (*path &&
	    (path_normalize(path, DEPTH_MAX, again, sizeof(again)) || strcmp(path, again) != 0))
		abort();
}

static int count_down(void *userdata)
{
	unsigned *left = userdata;

	if (*left == 0)
		return -EDQUOT;
	(*left)--;
	return 0;
}

/* An opened file is not a symbolic link, and is on the file system of the tree. */
static void opened_check(int tree_fd, int fd)
{
	struct stat st, tree;

	if (fd < 0)
		return;
	if (fstat(fd, &st) < 0 || fstat(tree_fd, &tree) < 0 || S_ISLNK(st.st_mode) ||
	    st.st_dev != tree.st_dev)
		abort();
}

static void item(int tree_fd, char letter, char *path, const char *target, unsigned *left)
{
	const struct beneath_make make = {.mode = 0755, .count = count_down, .userdata = left};
	cleanup_close int fd = -1, parent_fd = -1;
	const char *name = NULL;

	if (path_normalize(path, DEPTH_MAX, path, strlen(path) + 1) || !*path) {
		fd = open_beneath(tree_fd, path, O_PATH, 0); /* the existing part of it */
		opened_check(tree_fd, fd);
		return;
	}
	normal_check(path);
	if (letter == 'd') {
		(void)mkdir_beneath(tree_fd, path, &make);
	} else if (letter == 'r') {
		parent_fd = parent_beneath(tree_fd, path, NULL, &name);
		if (parent_fd >= 0)
			(void)remove_tree(parent_fd, name);
	} else if (letter == 'l' || letter == 'f') {
		parent_fd = parent_beneath(tree_fd, path, &make, &name);
		opened_check(tree_fd, parent_fd);
		if (parent_fd >= 0 && letter == 'l')
			(void)!symlinkat(target, parent_fd, name);
		else if (parent_fd >= 0)
			fd = openat(parent_fd, name,
				    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	} else {
		fd = letter == 'o' ? open_beneath(tree_fd, path, O_PATH, 0)
				   : directory_beneath(tree_fd, path);
		opened_check(tree_fd, fd);
	}
}

static void items(int tree_fd, const uint8_t *data, size_t size)
{
	unsigned left = 100;

	for (unsigned n = 0; n < ITEMS_MAX && size > 0; n++) {
		char path[PATH_MAX], *target;
		size_t length = strnlen((const char *)data, size), used;

		used = length < sizeof(path) ? length : sizeof(path) - 1;
		memcpy(path, data, used);
		path[used] = '\0';
		target = strchr(path, '=');
		if (target)
			*target++ = '\0';
		if (used > 0 && path[0])
			item(tree_fd, path[0], path + 1, target ? target : "..", &left);
		length += length < size;
		data += length;
		size -= length;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int tree_fd;

	if (top_fd < 0)
		start();
	if (mkdirat(top_fd, "tree", 0755) < 0)
		abort();
	tree_fd = openat(top_fd, "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	items(tree_fd, data, size);
	check(1);
	(void)close(tree_fd);
	if (remove_tree(top_fd, "tree") < 0)
		abort();
	check(0);
	return 0;
}
