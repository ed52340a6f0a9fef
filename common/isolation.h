/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_ISOLATION_H
#define COMMON_ISOLATION_H

/*
 * DOC: The steps of the lock-down
 *
 * The daemon starts each unprivileged program as root with its channel on fd 3. program.c and
 * lock_down.c lock it down by the functions below, in this order:
 *
 *   isolate_fds()         all descriptors closed except 0-3 and those given to it
 *   … directories opened that the program needs (state directories)
 *   isolate_user()        ids dropped, no supplementary groups, no capabilities,
 *                         no_new_privs, dumpable off, core dumps off, written memory
 *                         is not executable (memory_guard.h)
 *   isolate_reach()       Landlock: only the listed directories and ports, or none; no
 *                         signals to other processes, none of their abstract sockets
 *   isolate_syscalls()    seccomp allow-list
 *
 * Each step fails closed: on failure the process must exit.
 */

#include "common/error.h"
#include "common/process_role.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CHANNEL_FD 3

/**
 * struct role_user - ids of one role
 *
 * From the system user of sysusers.d if it exists ("runbook-webhook", …), otherwise a fixed
 * private id, so that a checkout runs without installation.
 */
struct role_user {
	uid_t uid;
	gid_t gid;
};

/** role_user() - ids of @role; reads the user database, so call it before isolation */
struct role_user role_user(enum process_role role);

/** isolate_fds() - close every descriptor above @keep (inclusive bound), reopen 0-2 if closed */
int isolate_fds(int keep, struct error *error);

/**
 * isolate_user() - become @user for good
 *
 * Should: leave no privilege that setuid(2), exec or ptrace could regain.
 *
 * Mustn't: be called while root is still needed.
 *
 * In a process that is not root (tests) it only drops the privileges that it has. From here on
 * the process is killed when its parent dies (PR_SET_PDEATHSIG). Return: 0 or -errno.
 */
int isolate_user(struct role_user user, struct error *error);

/** struct isolation_path - one directory that stays accessible */
struct isolation_path {
	const char *path;
	bool write;	/* create, change and remove files beneath; otherwise read only */
	bool execute;	/* programs beneath may be started as well */
	bool whiteouts; /* with @write: whiteouts of overlayfs may be made beneath */
};

/**
 * struct isolation_network - TCP ports that stay usable; all zero: none
 * @connects:          ports to connect to, up to the first 0
 * @connects_anywhere: connect to all ports; another check decides about destinations
 * @binds_free_port:   bind a port that the kernel chooses (bind(2) to port 0), and no other
 *
 * Sockets that were opened before are not affected: accept(2) still works on one that listens.
 */
struct isolation_network {
	uint16_t connects[4];
	bool connects_anywhere;
	bool binds_free_port;
};

/**
 * isolate_reach() - restrict the process by Landlock to @paths (@n_paths may be 0) and @network
 *
 * From Linux 6.7 on other ports are denied; from Linux 6.12 on also signals to processes that
 * are not its descendants, and their abstract sockets. On older kernels ids, modes and the
 * seccomp filter still protect; without any Landlock it logs a warning. Return: 0 or -errno.
 */
int isolate_reach(const struct isolation_path *paths, size_t n_paths,
		  const struct isolation_network *network, struct error *error);

/**
 * isolate_syscalls() - install a seccomp filter: calls that are not listed return EPERM, calls
 * that would load code or change ids kill the process
 * @extra: names beyond the common base set (memory, time, epoll, read/write,
 *         futex, sendmsg, …), NULL-terminated; see isolation_seccomp.c for the base
 *
 * Some names in @extra allow only part of the call, or more than the name suggests:
 *
 *   mmap         files may be mapped executable as well: for a program that starts others
 *                or loads libraries at run time. Without it no new code can be mapped.
 *   mknodat-whiteout  mknodat(2) of a whiteout for overlayfs, which needs no capability
 *   socket       TCP, UDP, unix sockets, and netlink for the list of addresses
 *   socketpair   unix sockets only
 *
 * Return: 0 or -errno.
 */
int isolate_syscalls(const char *const *extra, struct error *error);

#endif
