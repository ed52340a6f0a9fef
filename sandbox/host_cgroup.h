/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_CGROUP_H
#define SANDBOX_HOST_CGROUP_H

/*
 * DOC: Control groups, version 2
 *
 *   <our own group>/            we move no process out of it, with one exception:
 *     <name>.self/              ourselves, if our group was delegated to us: a group
 *                               with processes cannot enable controllers for others
 *     <name>/                   all steps; together they leave memory for the host
 *       <run>/                  the steps of one run, if the request names it
 *         <id>/                 one step
 *       <id>/                   a step without a run
 *
 * The "0::" line of /proc/self/cgroup names our own group. The hierarchy is found at its mount
 * point, or mounted privately where it is not mounted at all.
 */

#include "common/error.h"
#include "sandbox/sandbox.h"

/** struct cgroup_host - our own group, the group of all steps, and the controllers in it */
struct cgroup_host {
	int own_fd;   /* our own group; -1: no cgroup v2 here */
	int group_fd; /* <name>/, the group of all steps */
	char name[64];
	bool memory, pids, cpu, io;
	uint64_t memory_max; /* bytes for all steps together, 0: no limit */
	bool required;	     /* SANDBOX_LIMITS_REQUIRED */
	const char *swaps;   /* the kernel's list of swap devices, /proc/swaps */
	char warning[512];   /* what is missing, and the fix; "" if nothing is */
};

/**
 * cgroup_host_open() - find our group and make the group of all steps in it
 * @parent:     a group that is used in place of our own, by its path from the root of the
 *              hierarchy; NULL: our own
 * @memory_max: bytes for all steps together, 0: no limit
 *
 * Return: 0; -errno with @error if @policy is REQUIRED and a controller is missing.
 */
int cgroup_host_open(struct cgroup_host *host, const char *parent, const char *name,
		     enum sandbox_limits_policy policy, uint64_t memory_max, struct error *error);
/**
 * cgroup_host_regroup() - make the group of all steps again if another program that shared it
 * has removed it at its end
 *
 * Return: 0 or -errno.
 */
int cgroup_host_regroup(struct cgroup_host *host);
/**
 * cgroup_host_probe() - find what cgroup_host_open() would find, without changing anything
 *
 * Needs no privilege. Fills in memory, pids, cpu, io and the warning. Return: whether
 * steps would get groups at all.
 */
bool cgroup_host_probe(struct cgroup_host *host, const char *name);
/** cgroup_host_check_swap() - add to the warning if steps can exceed their memory by swapping */
void cgroup_host_check_swap(struct cgroup_host *host, int group_fd);
/** cgroup_host_close() - close our groups and remove those that are empty */
void cgroup_host_close(struct cgroup_host *host);
/** cgroup_host_sweep() - kill and remove groups that killed programs left. Return: 0 or -errno. */
int cgroup_host_sweep(struct cgroup_host *host);

/* ---- small files ---- */

/** cgroup_file_write() - write @text to a control file. Return: 0 or -errno. */
int cgroup_file_write(int dir_fd, const char *file, const char *text);
/** cgroup_file_read() - @text is cut at @size bytes, "" on failure. Return: 0 or -errno. */
int cgroup_file_read(int dir_fd, const char *file, char *text, size_t size);
/** cgroup_swap_problem() - a sentence that names the problem if the host swaps, else NULL */
const char *cgroup_swap_problem(const struct cgroup_host *host);

#endif
