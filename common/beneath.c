/* SPDX-License-Identifier: Apache-2.0 */
#include "common/beneath.h"

#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* openat2(2) fails with EAGAIN when a rename races with ".."; a hostile process can repeat that. */
#define TRIES_MAX 64

enum path_problem path_normalize(const char *path, unsigned depth_max, char *out, size_t size)
{
	size_t used = 0;
	unsigned depth = 0;

	if (!path || !*path)
		return PATH_PROBLEM_EMPTY;
	if (path[0] == '/')
		return PATH_PROBLEM_ABSOLUTE;
	while (*path) {
		size_t n = strcspn(path, "/");
		const char *next = path + n + (path[n] == '/');

		if (n == 2 && memcmp(path, "..", 2) == 0)
			return PATH_PROBLEM_ABOVE;
		if (n > NAME_MAX)
			return PATH_PROBLEM_LONG;
		if (n > 0 && !(n == 1 && path[0] == '.')) {
			if (++depth > depth_max)
				return PATH_PROBLEM_DEEP;
			if (used + (used > 0) + n + 1 > size)
				return PATH_PROBLEM_LONG;
			if (used > 0)
				out[used++] = '/';
			memmove(out + used, path, n);
			used += n;
		}
		path = next;
	}
	out[used] = '\0';
	return PATH_PROBLEM_NONE;
}

int open_beneath(int top_fd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.mode = (flags & (O_CREAT | __O_TMPFILE)) ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd = -1;

	for (unsigned i = 0; i < TRIES_MAX; i++) {
		fd = syscall(SYS_openat2, top_fd, path, &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd < 0 ? -errno : (int)fd;
}

/* Copies the first component of *@path and moves *@path behind it. Return: 0 or -ENAMETOOLONG. */
static int part_take(const char **path, char name[NAME_MAX + 1])
{
	size_t n = strcspn(*path, "/");

	if (n > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, *path, n);
	name[n] = '\0';
	*path += n + ((*path)[n] == '/');
	return 0;
}

/* Opens one component, which must not be a symlink or lead up. */
static int part_open(int dir_fd, const char *name)
{
	int fd;

	if (strcmp(name, "..") == 0)
		return -EXDEV;
	fd = openat(dir_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Makes one directory. If the name exists already, part_open() will check its type. */
static int part_make(int dir_fd, const char *name, const struct beneath_make *make)
{
	int r = make->count ? make->count(make->userdata) : 0;

	if (r < 0)
		return r;
	if (mkdirat(dir_fd, name, make->mode) < 0)
		return errno == EEXIST ? 0 : -errno;
	if (make->owner &&
	    fchownat(dir_fd, name, make->owner, make->owner, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 0;
}

/* Opens the directory @path, one component after the other. */
static int directory_walk(int top_fd, const char *path, const struct beneath_make *make)
{
	cleanup_close int fd = openat(top_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char name[NAME_MAX + 1];

	if (fd < 0)
		return -errno;
	while (*path) {
		int r = part_take(&path, name);
		int next = r < 0 ? r : part_open(fd, name);

		if (next == -ENOENT && make) {
			r = part_make(fd, name, make);
			next = r < 0 ? r : part_open(fd, name);
		}
		if (next < 0)
			return next;
		(void)close(fd);
		fd = next;
	}
	return TAKE_FD(fd);
}

static int directory_open(int top_fd, const char *path, const struct beneath_make *make)
{
	int fd = open_beneath(top_fd, *path ? path : ".", O_PATH | O_DIRECTORY, 0);

	if (fd == -ENOSYS || fd == -EPERM || (fd == -ENOENT && make))
		return directory_walk(top_fd, path, make);
	return fd;
}

int directory_beneath(int top_fd, const char *path)
{
	return directory_open(top_fd, path, NULL);
}

int parent_beneath(int top_fd, const char *path, const struct beneath_make *make,
		   const char **ret_name)
{
	char parent[PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;
	int fd;

	if (n >= sizeof(parent))
		return -ENAMETOOLONG;
	memcpy(parent, path, n);
	parent[n] = '\0';
	fd = directory_open(top_fd, parent, make);
	if (fd >= 0)
		*ret_name = slash ? slash + 1 : path;
	return fd;
}

int mkdir_beneath(int top_fd, const char *path, const struct beneath_make *make)
{
	const char *name;
	cleanup_close int fd = parent_beneath(top_fd, path, make, &name);

	return fd < 0 ? fd : part_make(fd, name, make);
}
