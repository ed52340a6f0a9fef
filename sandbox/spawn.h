/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_SPAWN_H
#define SANDBOX_SPAWN_H

/*
 * DOC: Processes without fork
 *
 * The daemon may be large and hold secrets; a fork would copy its page tables (tens of
 * milliseconds) and its memory. Every process of a sandbox therefore starts with
 * clone3(CLONE_VM): it shares our memory, runs on a stack that the caller allocates, and exits
 * or execs before the caller frees it.
 */

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * spawn_vfork() - run @function in a new process and wait until it execs or ends
 * @flags:      CLONE_NEW* and CLONE_FILES; CLONE_VM, CLONE_VFORK, CLONE_PIDFD
 *              and CLONE_CLEAR_SIGHAND are added
 * @cgroup_fd:  directory of the cgroup to start in, -1: ours
 * @ret_pidfd:  set on success; caller closes
 * @function:   runs with all signals blocked, on 64 KiB of stack, in our memory:
 *              it may call no function that allocates or takes locks. Its return
 *              value is the exit status.
 *
 * The child must be waited for (waitid(P_PIDFD)).
 *
 * Return: process id, or -errno.
 */
pid_t spawn_vfork(uint64_t flags, int cgroup_fd, int *ret_pidfd, int (*function)(void *),
		  void *argument);

/** spawn_wait() - reap the process behind @pidfd. Return: its exit status, 128+signal, -errno. */
int spawn_wait(int pidfd);

/**
 * struct id_map - one line of uid_map or gid_map
 * @inside: first id as the namespace sees it
 */
struct id_map {
	uint32_t inside;
	uint32_t outside;
	uint32_t count;
};

#define ID_MAPS_MAX 2

/**
 * spawn_userns() - make a user namespace that belongs to @owner
 * @owner: user and group id of its creator: host processes with that id may join it and signal
 *         its processes
 * @users, @groups: @n_maps lines each, at most ID_MAPS_MAX
 *
 * We write the maps as root, so they may contain any ids.
 *
 * Return: namespace descriptor or -errno with @error.
 */
int spawn_userns(uid_t owner, const struct id_map *users, const struct id_map *groups,
		 size_t n_maps, struct error *error);

/**
 * spawn_userns_begin() - start the longer part of spawn_userns() in a process of its own
 *
 * Our own process is not dumpable until spawn_userns_end().
 *
 * Return: a job for spawn_userns_end() and spawn_userns_free(); NULL with @error.
 */
struct userns_job *spawn_userns_begin(uid_t owner, struct error *error);
/** spawn_userns_end() - like spawn_userns(), once for each job */
int spawn_userns_end(struct userns_job *job, const struct id_map *users,
		     const struct id_map *groups, size_t n_maps, struct error *error);
/** spawn_userns_free() - reap the process, which may block shortly. NULL is fine. Return: NULL. */
struct userns_job *spawn_userns_free(struct userns_job *job);

/**
 * struct netns_setting - a file beneath /proc/sys/net of a new network namespace
 * @optional: absent where the kernel lacks its part (IPv6)
 */
struct netns_setting {
	const char *path;
	const char *value;
	bool optional;
};

/**
 * spawn_netns() - make a network namespace with its loopback up
 * @settings:    written in the namespace; ends with a NULL path
 * @ret_netlink: a NETLINK_ROUTE socket of the namespace; may be NULL
 *
 * Return: namespace descriptor or -errno with @error.
 */
int spawn_netns(const struct netns_setting *settings, int *ret_netlink, struct error *error);

/** spawn_netns_begin() - the same in a process of its own. Return: a job; NULL with @error. */
struct netns_job *spawn_netns_begin(const struct netns_setting *settings, bool want_netlink,
				    struct error *error);
/** spawn_netns_end() - the result of spawn_netns(); frees @job, also on failure */
int spawn_netns_end(struct netns_job *job, int *ret_netlink, struct error *error);

#endif
