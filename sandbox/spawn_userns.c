/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cleanup.h"
#include "sandbox/spawn.h"
#include "sandbox/spawn_async.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

struct userns_maker {
	uid_t owner;
	pid_t parent;
	int ready_fd;
	int mntns_fd; /* our own mount namespace */
	long failed;  /* -errno */
};

/*
 * Runs at the same time as its parent (no CLONE_VFORK: the parent writes the maps while it
 * lives), hence raw_call() only. It waits to be killed.
 */
static int userns_main(void *argument)
{
	struct userns_maker *maker = argument;
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct caps[2] = {
		{.effective = 1U << CAP_SYS_ADMIN, .permitted = 1U << CAP_SYS_ADMIN}};
	long id = (long)maker->owner;
	long result;

	/* a process in a chroot may not make a user namespace; setns(2) to our own mount
	 * namespace goes back to its root (user_namespaces(7)) */
	result = raw_call(SYS_setns, maker->mntns_fd, CLONE_NEWNS, 0, 0);
	/* hosts that forbid unprivileged user namespaces require CAP_SYS_ADMIN */
	(void)raw_call(SYS_prctl, PR_SET_KEEPCAPS, 1, 0, 0);
	if (result == 0)
		result = raw_call(SYS_setresgid, id, id, id, 0);
	if (result == 0)
		result = raw_call(SYS_setresuid, id, id, id, 0);
	if (result == 0)
		result = raw_call(SYS_capset, (long)&header, (long)caps, 0, 0);
	if (result == 0)
		result = raw_call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0);
	/* exit if the parent died before PR_SET_PDEATHSIG: its memory would live as long as us */
	if (result == 0 && raw_call(SYS_getppid, 0, 0, 0, 0) != maker->parent)
		result = -ESRCH;
	if (result == 0)
		result = raw_call(SYS_unshare, CLONE_NEWUSER, 0, 0, 0);
	__atomic_store_n(&maker->failed, result, __ATOMIC_RELEASE);
	(void)raw_call(SYS_write, maker->ready_fd, (long)"", 1, 0);
	while (result == 0 && raw_call(SYS_pause, 0, 0, 0, 0) < 0)
		;
	return 1;
}

/* Writes all lines at once: the kernel accepts only one write. */
static int map_write(pid_t pid, const char *file, const struct id_map *maps, size_t n_maps,
		     struct error *error)
{
	char path[64], lines[ID_MAPS_MAX * 40];
	cleanup_close int fd = -1;
	int length = 0;

	assert(n_maps <= ID_MAPS_MAX);
	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	for (size_t i = 0; i < n_maps; i++)
		length += snprintf(lines + length, sizeof(lines) - (size_t)length, "%u %u %u\n",
				   maps[i].inside, maps[i].outside, maps[i].count);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, lines, (size_t)length) != length)
		return error_errno(error, errno, "cannot write the %s of a user namespace", file);
	return 0;
}

static int userns_finish(pid_t pid, const struct userns_maker *maker, const struct id_map *users,
			 const struct id_map *groups, size_t n_maps, struct error *error)
{
	long failed = __atomic_load_n(&maker->failed, __ATOMIC_ACQUIRE);
	char path[64];
	int fd, r;

	if (failed < 0)
		return error_errno(error, (int)-failed,
				   "cannot make a user namespace (see sysctl "
				   "user.max_user_namespaces)");
	r = map_write(pid, "uid_map", users, n_maps, error);
	if (r == 0)
		r = map_write(pid, "gid_map", groups, n_maps, error);
	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(error, errno, "cannot open a user namespace");
	return fd;
}

struct userns_job {
	struct spawn_async child;
	struct userns_maker maker;
	int mntns_fd;
	int ready_fds[2];
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

/* Also for a process that failed to start. */
struct userns_job *spawn_userns_free(struct userns_job *job)
{
	if (!job)
		return NULL;
	spawn_async_kill(&job->child);
	(void)spawn_async_wait(&job->child);
	close_fd(&job->mntns_fd);
	close_fd(&job->ready_fds[0]);
	close_fd(&job->ready_fds[1]);
	free(job);
	return NULL;
}

struct userns_job *spawn_userns_begin(uid_t owner, struct error *error)
{
	struct userns_job *job = malloc(sizeof(*job));
	int r;

	if (!job) {
		(void)error_errno(error, ENOMEM, "cannot make a user namespace");
		return NULL;
	}
	job->maker = (struct userns_maker){.owner = owner, .parent = getpid(), .failed = -EIO};
	job->child.pid = -1;
	job->ready_fds[0] = job->ready_fds[1] = -1;
	job->mntns_fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (job->mntns_fd < 0 || pipe2(job->ready_fds, O_CLOEXEC) < 0) {
		(void)error_errno(error, errno, "cannot prepare a user namespace");
		return spawn_userns_free(job);
	}
	job->maker.mntns_fd = job->mntns_fd;
	job->maker.ready_fd = job->ready_fds[1];
	r = spawn_async_start(&job->child, 0, userns_main, &job->maker);
	close_fd(&job->ready_fds[1]);
	if (r < 0) {
		(void)error_errno(error, -r, "cannot start a process");
		return spawn_userns_free(job);
	}
	return job;
}

int spawn_userns_end(struct userns_job *job, const struct id_map *users,
		     const struct id_map *groups, size_t n_maps, struct error *error)
{
	char byte;
	int fd;

	while (read(job->ready_fds[0], &byte, 1) < 0 && errno == EINTR)
		;
	fd = userns_finish(job->child.pid, &job->maker, users, groups, n_maps, error);
	spawn_async_kill(&job->child);
	spawn_async_restore(&job->child);
	return fd;
}

int spawn_userns(uid_t owner, const struct id_map *users, const struct id_map *groups,
		 size_t n_maps, struct error *error)
{
	struct userns_job *job = spawn_userns_begin(owner, error);
	int fd;

	if (!job)
		return error ? -error->number : -EIO;
	fd = spawn_userns_end(job, users, groups, n_maps, error);
	(void)spawn_userns_free(job);
	return fd;
}
