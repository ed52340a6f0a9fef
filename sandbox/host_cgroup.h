/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_CGROUP_H
#define SANDBOX_HOST_CGROUP_H

/*
 * DOC: Control groups, version 2
 *
 *   <our own group>/            never emptied or moved by us, with one exception:
 *     <name>.self/              ourselves, if our group was delegated to us and
 *                               cannot hand controllers on while we sit in it
 *     <name>/                   all steps; together they leave memory for the host
 *       <run>/                  the steps of one run, if the request names it
 *         <id>/                 one step
 *       <id>/                   a step without a run
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
	bool memory, pids, cpu, io;
	uint64_t memory_max; /* bytes for all steps together, 0: no limit */
	bool required;	     /* SANDBOX_LIMITS_REQUIRED */
	const char *swaps;   /* what lists the devices with swap, /proc/swaps */
	char warning[512];   /* what is missing, and the fix; "" when nothing is */
};

/**
 * cgroup_host_open() - find our group and make that of the steps
 * @parent:     a group that is used in place of our own, by its path from the root of the
 *              hierarchy; NULL: our own
 * @memory_max: bytes for all steps together, 0: no limit
 *
 * Return: 0; -errno with @error when @policy is REQUIRED and something lacks.
 */
int cgroup_host_open(struct cgroup_host *host, const char *parent, const char *name,
		     enum sandbox_limits_policy policy, uint64_t memory_max, struct error *error);
/**
 * cgroup_host_regroup() - make the group of the steps anew, if a program that shares
 * it has ended and removed it
 *
 * Return: 0 or -errno.
 */
int cgroup_host_regroup(struct cgroup_host *host);
/**
 * cgroup_host_look() - what cgroup_host_open() would find, changing nothing
 *
 * Needs no privilege. Fills in memory, pids, cpu, io and the warning. Return: whether
 * steps would get groups at all.
 */
bool cgroup_host_look(struct cgroup_host *host, const char *name);
/** cgroup_host_check_swap() - add to the warning that the memory limit can be left by swapping */
void cgroup_host_check_swap(struct cgroup_host *host, int group_fd);
/** cgroup_host_close() - also removes the empty groups */
void cgroup_host_close(struct cgroup_host *host);
/** cgroup_host_sweep() - kill and remove what killed programs left. Return: 0 or -errno. */
int cgroup_host_sweep(struct cgroup_host *host);

/* ---- small files ---- */

/** cgroup_file_write() - Return: 0 or -errno */
int cgroup_file_write(int dir_fd, const char *file, const char *text);
/** cgroup_file_read() - @text is "" on failure, cut at @size. Return: 0 or -errno. */
int cgroup_file_read(int dir_fd, const char *file, char *text, size_t size);
/** cgroup_swap_problem() - SWAP_PROBLEM's sentence when swap is in use, else NULL */
const char *cgroup_swap_problem(const struct cgroup_host *host);

#endif
