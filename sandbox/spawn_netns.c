/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/spawn.h"
#include "sandbox/spawn_async.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

struct netns_job {
	struct spawn_async child;
	const struct netns_setting *settings;
	const char *failed_path; /* the setting that could not be written */
	bool want_netlink;
	int netns_fd;
	int netlink_fd;
	long failed; /* -errno */
};

static long loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	long fd = raw_call(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0, 0);
	long result;

	if (fd < 0)
		return fd;
	result = raw_call(SYS_ioctl, fd, SIOCSIFFLAGS, (long)&request, 0);
	(void)raw_call(SYS_close, fd, 0, 0, 0);
	return result;
}

static long settings_write(struct netns_job *job)
{
	for (const struct netns_setting *at = job->settings; at->path; at++) {
		long fd = raw_call(SYS_openat, AT_FDCWD, (long)at->path, O_WRONLY | O_CLOEXEC, 0);
		long result = fd;

		if (fd >= 0) {
			result = raw_call(SYS_write, fd, (long)at->value, (long)strlen(at->value),
					  0);
			(void)raw_call(SYS_close, fd, 0, 0, 0);
		}
		if (result < 0 && !(at->optional && result == -ENOENT)) {
			job->failed_path = at->path;
			return result;
		}
	}
	return 0;
}

/* Shares our descriptor table: descriptors that it opens stay ours when it has ended. */
static int netns_main(void *argument)
{
	struct netns_job *job = argument;
	long result = raw_call(SYS_unshare, CLONE_NEWNET, 0, 0, 0);

	if (result == 0)
		result = loopback_up();
	if (result >= 0)
		result = settings_write(job);
	if (result >= 0) {
		result = raw_call(SYS_openat, AT_FDCWD, (long)"/proc/self/ns/net",
				  O_RDONLY | O_CLOEXEC, 0);
		job->netns_fd = (int)result;
	}
	if (result >= 0 && job->want_netlink) {
		result =
			raw_call(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE, 0);
		job->netlink_fd = (int)result;
	}
	job->failed = result < 0 ? result : 0;
	return 0;
}

struct netns_job *spawn_netns_begin(const struct netns_setting *settings, bool want_netlink,
				    struct error *error)
{
	struct netns_job *job = malloc(sizeof(*job));
	int r;

	if (!job) {
		(void)error_errno(error, ENOMEM, "cannot make a network namespace");
		return NULL;
	}
	job->settings = settings;
	job->failed_path = NULL;
	job->want_netlink = want_netlink;
	job->netns_fd = job->netlink_fd = -1;
	job->failed = -EIO;
	r = spawn_async_start(&job->child, CLONE_FILES, netns_main, job);
	if (r < 0) {
		(void)error_errno(error, -r, "cannot make a network namespace");
		free(job);
		return NULL;
	}
	return job;
}

int spawn_netns_end(struct netns_job *job, int *ret_netlink, struct error *error)
{
	int fd, r;

	(void)spawn_async_wait(&job->child);
	fd = job->netns_fd;
	if (job->failed == 0) {
		if (ret_netlink)
			*ret_netlink = job->netlink_fd;
		free(job);
		return fd;
	}
	if (fd >= 0)
		(void)close(fd);
	r = error_errno(error, (int)-job->failed, "cannot prepare a network namespace%s%s",
			job->failed_path ? ": " : "", job->failed_path ? job->failed_path : "");
	free(job);
	return r;
}

int spawn_netns(const struct netns_setting *settings, int *ret_netlink, struct error *error)
{
	struct netns_job *job = spawn_netns_begin(settings, ret_netlink != NULL, error);

	return job ? spawn_netns_end(job, ret_netlink, error) : (error ? -error->number : -EIO);
}
