/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/state_dirs.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/isolation.h"
#include "common/owned_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#define LOCK_NAME FD_STORE_PREFIX "lock"
#define LOCK_ATTEMPTS 300
#define LOCK_PAUSE_NSEC 10000000L

/* ROLE_NONE: root; the same role as owner and group: the user's own group */
static const struct {
	size_t base; /* offset in struct paths */
	const char *name;
	enum process_role owner;
	enum process_role group;
	mode_t mode;
} directories[] = {
	{offsetof(struct paths, lib), "", ROLE_NONE, ROLE_NONE, 0755},
	{offsetof(struct paths, lib), "/scheduler", ROLE_SCHEDULER, ROLE_SCHEDULER, 0700},
	{offsetof(struct paths, lib), "/repos", ROLE_FETCHER, ROLE_FETCHER, 0750},
	{offsetof(struct paths, lib), "/trees", ROLE_FETCHER, ROLE_FETCHER, 0750},
	{offsetof(struct paths, lib), "/artifacts", ROLE_CACHER, ROLE_CACHER, 0700},
	{offsetof(struct paths, lib), "/api", ROLE_API, ROLE_API, 0700},
	{offsetof(struct paths, lib), "/images", ROLE_NONE, ROLE_NONE, 0755},
	{offsetof(struct paths, lib), "/steps", ROLE_NONE, ROLE_NONE, 0700},
	{offsetof(struct paths, log), "", ROLE_NONE, ROLE_API, 02750},
	{offsetof(struct paths, run), "", ROLE_NONE, ROLE_NONE, 0755},
	{offsetof(struct paths, run), "/steps", ROLE_NONE, ROLE_NONE, 0700},
};

int state_dirs_make(const struct paths *paths, struct error *error)
{
	char path[PATH_MAX + 32];

	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		uid_t uid = role_user(directories[i].owner).uid;
		gid_t gid = role_user(directories[i].group).gid;

		(void)snprintf(path, sizeof(path), "%s%s",
			       (const char *)paths + directories[i].base, directories[i].name);
		if (owned_directory_make(path, uid, gid, directories[i].mode, error) < 0)
			return -error->number;
	}
	return 0;
}

int state_dirs_make_images(const char *store, struct error *error)
{
	struct role_user image = role_user(ROLE_IMAGE);
	char path[PATH_MAX + 32];

	if (owned_directory_make(store, 0, 0, 0755, error) < 0)
		return -error->number;
	(void)snprintf(path, sizeof(path), "%s/layers", store);
	if (owned_directory_make(path, 0, 0, 0700, error) < 0)
		return -error->number;
	(void)snprintf(path, sizeof(path), "%s/oci", store);
	return owned_directory_make(path, image.uid, image.gid, 0700, error);
}

/*
 * The lock file has "0 newer version, pid N"; d2e21e4 and earlier versions wrote and read the
 * number alone. They take it for process 0, which seems to run, and refuse to start, instead
 * of discarding state that the steps of this version need.
 */
#define LOCK_TEXT "0 newer version, pid "

/* Return: the pid in a lock file; 0: unknown. */
static int owner_of(const char *text)
{
	int pid = 0;

	if (strncmp(text, LOCK_TEXT, strlen(LOCK_TEXT)) == 0)
		text += strlen(LOCK_TEXT);
	return sscanf(text, "%d", &pid) == 1 && pid > 0 ? pid : 0;
}

/*
 * A child that a killed predecessor had just forked has a copy of its descriptors, and so of
 * the lock, until it executes its program: try again while the owner is not running.
 * Return: 0 or -errno.
 */
static int lock_wait(int fd, int *ret_owner)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NSEC};
	char text[64];

	for (int attempt = 0;; attempt++) {
		ssize_t length;

		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		length = pread(fd, text, sizeof(text) - 1, 0);
		text[length < 0 ? 0 : length] = '\0';
		*ret_owner = owner_of(text);
		if (attempt == LOCK_ATTEMPTS || (*ret_owner > 0 && kill(*ret_owner, 0) == 0))
			return -EWOULDBLOCK;
		(void)nanosleep(&pause, NULL);
	}
}

/* The predecessor's lock, if it is on the file that is at @path. Return: descriptor or -1. */
static int lock_inherit(struct fd_store *store, const char *path)
{
	int kept = fd_store_get(store, LOCK_NAME);
	struct stat ours, theirs;

	if (kept < 0)
		return -1;
	if (stat(path, &ours) == 0 && fstat(kept, &theirs) == 0 && ours.st_ino == theirs.st_ino &&
	    ours.st_dev == theirs.st_dev)
		return fcntl(kept, F_DUPFD_CLOEXEC, 3);
	fd_store_drop(store, LOCK_NAME);
	return -1;
}

/* While steps go on the lock is held, so that no version starts that cannot read their state. */
static void lock_persist(struct fd_store *store, int fd)
{
	int copy;

	if (!store || fd_store_get(store, LOCK_NAME) >= 0)
		return;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (copy >= 0)
		(void)fd_store_put(store, LOCK_NAME, copy);
}

int state_lock(const struct paths *paths, struct fd_store *store, struct error *error)
{
	char path[PATH_MAX + 32], text[64];
	cleanup_close int fd = -1;
	int owner = 0, r;

	(void)snprintf(path, sizeof(path), "%s/runbookd.lock", paths->run);
	fd = lock_inherit(store, path);
	if (fd < 0)
		fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return error_errno(error, errno, "cannot open %s", path);
	r = lock_wait(fd, &owner);
	if (r < 0) {
		if (r != -EWOULDBLOCK)
			return error_errno(error, -r, "cannot lock %s", path);
		return error_set(error, EBUSY,
				 "another runbookd (pid %d) runs on %s: stop it, or choose another "
				 "place with --root DIR",
				 owner, paths->run);
	}
	(void)snprintf(text, sizeof(text), LOCK_TEXT "%d\n", getpid());
	if (lseek(fd, 0, SEEK_SET) < 0 || ftruncate(fd, 0) < 0 ||
	    fd_write_all(fd, text, strlen(text)) < 0)
		return error_errno(error, errno, "cannot write %s", path);
	lock_persist(store, fd);
	return TAKE_FD(fd);
}
