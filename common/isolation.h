/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_ISOLATION_H
#define COMMON_ISOLATION_H

/*
 * DOC: How our own unprivileged processes lock themselves in
 *
 * The daemon starts a child as root with its channel on fd 3. program.c and
 * lock_down.c lock it down by the functions below, in this order:
 *
 *   isolate_fds()         everything but 0-3 (and the fds it is given) closed
 *   … open what must be opened as the user (state directories)
 *   isolate_user()        ids dropped, no supplementary groups, no capabilities,
 *                         no_new_privs, dumpable off, core dumps off, what was written
 *                         is not executed (memory_guard.h)
 *   isolate_reach()       Landlock: the listed directories and ports alone, or none; no
 *                         signals to others, no abstract sockets of others
 *   isolate_syscalls()    seccomp allow-list
 *
 * Each step fails closed: a process that cannot lock itself in exits.
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
 * From the system user of sysusers.d when it exists ("runbook-webhook", …),
 * otherwise a fixed private id, so that a checkout runs without installation.
 */
struct role_user {
	uid_t uid;
	gid_t gid;
};

/** role_user() - ids of @role; looks into the user database, so call it before isolation */
struct role_user role_user(enum process_role role);

/** isolate_fds() - close every descriptor above @keep (inclusive bound), reopen 0-2 if closed */
int isolate_fds(int keep, struct error *error);

/**
 * isolate_user() - become @user for good
 *
 * Should: leave nothing that setuid(2), exec or ptrace could win back.
 * Mustn't: be called while root is still needed.
 * Called by a process that is not root (tests), it only drops what it has. From here on the
 * death of the parent is ours as well (PR_SET_PDEATHSIG).
 */
int isolate_user(struct role_user user, struct error *error);

/** struct isolation_path - one directory that stays reachable */
struct isolation_path {
	const char *path;
	bool write;   /* create, change and remove beneath; otherwise read only */
	bool execute; /* programs beneath may be started as well */
};

/**
 * struct isolation_network - TCP ports that stay usable; all zero: none
 * @connects:          ports of others, up to the first 0
 * @connects_anywhere: every port of others; what may be reached is judged elsewhere
 * @binds_free_port:   a port that the kernel chooses (bind(2) to port 0), and no other
 *
 * Sockets that were opened before are not concerned: one that listens is accepted on.
 */
struct isolation_network {
	uint16_t connects[4];
	bool connects_anywhere;
	bool binds_free_port;
};

/**
 * isolate_reach() - Landlock ruleset with just @paths (@n_paths may be 0) and @network
 *
 * Where the kernel has it (Linux 6.7), other ports are refused; and from Linux 6.12 on
 * signals to processes that are not its descendants, and abstract sockets that they made.
 * Kernels without: ids, modes and the seccomp filter still hold. Without any Landlock it
 * warns, too.
 */
int isolate_reach(const struct isolation_path *paths, size_t n_paths,
		  const struct isolation_network *network, struct error *error);

/**
 * isolate_syscalls() - seccomp filter; what is not listed returns EPERM, what
 * would load code or change identity kills
 * @extra: names beyond the common base set (memory, time, epoll, read/write,
 *         futex, sendmsg, …), NULL-terminated; see isolation_seccomp.c for the base
 *
 * A name in @extra does not always mean all of the call:
 *
 *   mmap         code of files may be mapped as well: by a program that starts others, or
 *                loads libraries as it runs. Without it no code comes any more.
 *   socket       TCP, UDP, unix sockets, and netlink for the list of addresses
 *   socketpair   of unix sockets
 */
int isolate_syscalls(const char *const *extra, struct error *error);

#endif
