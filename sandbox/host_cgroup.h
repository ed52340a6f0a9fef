/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_CGROUP_H
#define SANDBOX_HOST_CGROUP_H

/*
 * DOC: Control groups, version 2
 *
 *   <our own group>/            never emptied or moved by us, with one exception:
 *     <name>.self/              ourselves, if our group was delegated to us and
 *                               cannot hand controllers on while we sit in it
 *     <name>/                   the steps, controllers enabled
 *       <id>/                   one step
 *
 * Our own group is found by the "0::" line of /proc/self/cgroup, its hierarchy
 * by a mount or, where there is none, by one of our own that nobody else sees.
 */

#include "common/error.h"
#include "sandbox/sandbox.h"

struct cgroup_host {
	int own_fd;   /* our own group; -1: no cgroup v2 here */
	int group_fd; /* <name>/ */
	char name[64];
	bool memory, pids, cpu;
	bool required;	   /* SANDBOX_LIMITS_REQUIRED */
	const char *swaps; /* what lists the devices with swap, /proc/swaps */
	char warning[512]; /* what is missing, and the fix; "" when nothing is */
};

/** cgroup_host_open() - Return: 0; -errno with @error when @policy is REQUIRED and something lacks */
int cgroup_host_open(struct cgroup_host *host, const char *name, enum sandbox_limits_policy policy,
		     struct error *error);
/**
 * cgroup_host_look() - what cgroup_host_open() would find, changing nothing
 *
 * Needs no privilege. Fills in memory, pids, cpu and the warning. Return: whether
 * steps would get groups at all.
 */
bool cgroup_host_look(struct cgroup_host *host, const char *name);
/** cgroup_host_check_swap() - add to the warning that the memory limit can be left by swapping */
void cgroup_host_check_swap(struct cgroup_host *host, int group_fd);
/** cgroup_host_close() - also removes the empty groups */
void cgroup_host_close(struct cgroup_host *host);
/** cgroup_host_sweep() - kill and remove what killed programs left. Return: 0 or -errno. */
int cgroup_host_sweep(struct cgroup_host *host);

/** cgroup_step_make() - a new group. Return: its directory descriptor or -errno. */
int cgroup_step_make(struct cgroup_host *host, const char *id, struct error *error);
/**
 * cgroup_step_limit() - write one control file, e.g. "memory.max"
 *
 * A memory.swap.max that is not there is no error where the host has no swap, or
 * where limits are best effort.
 *
 * Return: 0; -ENOTSUP when swap could not be limited; -errno.
 */
int cgroup_step_limit(const struct cgroup_host *host, int group_fd, const char *file,
		      uint64_t value, struct error *error);
/** cgroup_step_kill() - everything in it, at once. Return: 0 or -errno. */
int cgroup_step_kill(int group_fd);
/** cgroup_step_outcome() - fill in what the group counted */
void cgroup_step_outcome(int group_fd, struct sandbox_outcome *outcome);
/** cgroup_step_remove() - Return: 0 or -errno */
int cgroup_step_remove(struct cgroup_host *host, const char *id);

#endif
