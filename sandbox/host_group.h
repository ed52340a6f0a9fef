/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_GROUP_H
#define SANDBOX_HOST_GROUP_H

/*
 * DOC: Groups of runs and steps
 *
 * Whoever has a group holds a shared lock on its directory: a group that nobody
 * holds was left by a killed program, and whoever finds it removes it with all
 * beneath. The group of all steps is held by each program that has it, and removed by
 * the last one. A run's group is made with its first step and removed with its last.
 */

#include "common/error.h"
#include "sandbox/host_cgroup.h"
#include "sandbox/sandbox.h"

/**
 * cgroup_group_hold() - open a group and lock it
 *
 * Return: descriptor; -ESTALE when it is not there (any more); -errno.
 */
int cgroup_group_hold(int parent_fd, const char *name);

/**
 * cgroup_run_join() - take part in the group of a run
 * @ret_made: whether it is new, so that its limits are yet to be written
 *
 * Return: its directory descriptor, for cgroup_run_leave(); -errno with @error.
 */
int cgroup_run_join(struct cgroup_host *host, const char *run, bool *ret_made, struct error *error);
/** cgroup_run_leave() - close @run_fd; the last one removes the group */
void cgroup_run_leave(struct cgroup_host *host, const char *run, int run_fd);

/**
 * cgroup_step_make() - a new group
 * @run_fd: of its run, -1: it has none
 *
 * Return: its directory descriptor; -errno with @error.
 */
int cgroup_step_make(struct cgroup_host *host, int run_fd, const char *id, struct error *error);
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
/** cgroup_step_limit_text() - the same with a value that is no number. Return: 0 or -errno. */
int cgroup_step_limit_text(int group_fd, const char *file, const char *text, struct error *error);
/** cgroup_step_kill() - everything in it, at once. Return: 0 or -errno. */
int cgroup_step_kill(int group_fd);
/**
 * cgroup_step_outcome() - fill in what the group counted, and which limit it met
 * @run_fd: of its run, -1: it has none
 */
void cgroup_step_outcome(const struct cgroup_host *host, int run_fd, int group_fd,
			 struct sandbox_outcome *outcome);
/** cgroup_step_remove() - Return: 0 or -errno */
int cgroup_step_remove(struct cgroup_host *host, int run_fd, const char *id);

/**
 * cgroup_groups_sweep() - kill and remove the groups that nobody holds
 * @and_wait: until their processes are gone
 *
 * Return: 0 or -errno.
 */
int cgroup_groups_sweep(struct cgroup_host *host, bool and_wait);

#endif
