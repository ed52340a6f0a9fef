/* SPDX-License-Identifier: Apache-2.0 */
#include "common/remove_tree.h"

#include "common/cleanup.h"
#include "common/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Depth-first with a stack of names instead of recursion: a hostile tree may have more levels
 * than PATH_MAX or our descriptors allow. Only one directory is open at a time; ".." leads
 * back, and its inode is checked.
 */
struct removal_level {
	dev_t dev;
	ino_t ino;
	char *name; /* of the directory that was entered */
};

struct removal {
	struct removal_level *levels;
	size_t n_levels, room;
	int fd; /* the directory being emptied */
};

/* Pushes the current directory, with its inode, and the name of the one to enter. */
static int removal_push(struct removal *removal, const char *name)
{
	struct stat st;

	if (removal->n_levels == removal->room) {
		size_t room = removal->room ? removal->room * 2 : 32;
		void *grown = realloc(removal->levels, room * sizeof(*removal->levels));

		if (!grown)
			return -ENOMEM;
		removal->levels = grown;
		removal->room = room;
	}
	if (fstat(removal->fd, &st) < 0)
		return -errno;
	removal->levels[removal->n_levels] = (struct removal_level){
		.dev = st.st_dev,
		.ino = st.st_ino,
		.name = strdup(name),
	};
	if (!removal->levels[removal->n_levels].name)
		return -ENOMEM;
	removal->n_levels++;
	return 0;
}

/* Enters the directory @name. Return: 0; -EXDEV for a mount point; -errno. */
static int removal_enter(struct removal *removal, const char *name)
{
	struct stat here, there;
	cleanup_close int fd = -1;
	int r;

	fd = openat(removal->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == EACCES) { /* a directory of mode 0, without CAP_DAC_OVERRIDE */
		if (fchmodat(removal->fd, name, 0700, 0) < 0)
			return -errno;
		fd = openat(removal->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd < 0)
		return -errno;
	if (fstat(removal->fd, &here) < 0 || fstat(fd, &there) < 0)
		return -errno;
	if (here.st_dev != there.st_dev)
		return -EXDEV;
	r = removal_push(removal, name);
	if (r < 0)
		return r;
	(void)fchmod(fd, 0700);
	(void)close(removal->fd);
	removal->fd = TAKE_FD(fd);
	return 0;
}

static int removal_leave(struct removal *removal)
{
	struct removal_level *level = &removal->levels[removal->n_levels - 1];
	cleanup_close int fd = -1;
	struct stat st;

	fd = openat(removal->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_dev != level->dev || st.st_ino != level->ino)
		return -EXDEV; /* another process has moved the directory */
	if (unlinkat(fd, level->name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return -errno;
	free(level->name);
	removal->n_levels--;
	(void)close(removal->fd);
	removal->fd = TAKE_FD(fd);
	return 0;
}

/* Unlinks files and enters the first directory. Return: 1 if it entered one, 0 or -errno. */
static int removal_sweep(struct removal *removal)
{
	cleanup_closedir DIR *dir = NULL;
	struct dirent *entry;
	int copy = fcntl(removal->fd, F_DUPFD_CLOEXEC, 3);

	if (copy < 0)
		return -errno;
	dir = fdopendir(copy);
	if (!dir) {
		int saved = errno;

		(void)close(copy);
		return -saved;
	}
	rewinddir(dir);
	while ((errno = 0, entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (entry->d_type != DT_DIR) {
			if (unlinkat(removal->fd, entry->d_name, 0) == 0 || errno == ENOENT)
				continue;
			if (errno != EISDIR)
				return -errno;
		}
		int r = removal_enter(removal, entry->d_name);

		return r < 0 ? r : 1;
	}
	return errno ? -errno : 0;
}

int remove_tree(int dir_fd, const char *name)
{
	struct removal removal = {.fd = -1};
	int r;

	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	removal.fd = open_parent_directory(dir_fd, name);
	if (removal.fd < 0)
		return removal.fd;
	r = removal_enter(&removal, strrchr(name, '/') ? strrchr(name, '/') + 1 : name);
	while (r >= 0 && removal.n_levels > 0) {
		r = removal_sweep(&removal);
		if (r == 0)
			r = removal_leave(&removal);
	}
	while (removal.n_levels > 0)
		free(removal.levels[--removal.n_levels].name);
	free(removal.levels);
	if (removal.fd >= 0)
		(void)close(removal.fd);
	return r < 0 ? r : 0;
}
