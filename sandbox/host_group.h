/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_GROUP_H
#define SANDBOX_HOST_GROUP_H

/*
 * DOC: Groups of runs and steps
 *
 * A program holds a shared lock on the directory of each group that it uses. A group without a
 * lock was left by a killed program; any other program that finds it removes it with all groups
 * beneath. The group of all steps is locked by every program that uses it, and removed by the
 * last one. A run's group is made with its first step and removed with its last.
 */

#include "common/error.h"
#include "sandbox/host_cgroup.h"
#include "sandbox/sandbox.h"

/**
 * cgroup_group_hold() - open a group and lock it
 *
 * Return: descriptor; -ESTALE if the group does not exist or was removed meanwhile; -errno.
 */
int cgroup_group_hold(int parent_fd, const char *name);

/**
 * cgroup_run_join() - open and lock the group of a run, and make it if it does not exist
 * @ret_made: whether it is new, so that the caller must write its limits
 *
 * Return: its directory descriptor, for cgroup_run_leave(); -errno with @error.
 */
int cgroup_run_join(struct cgroup_host *host, const char *run, bool *ret_made, struct error *error);
/** cgroup_run_leave() - close @run_fd; the last holder's call removes the group */
void cgroup_run_leave(struct cgroup_host *host, const char *run, int run_fd);

/**
 * cgroup_step_make() - make the group of one step
 * @run_fd: the group of its run, -1: it belongs to none
 *
 * Return: its directory descriptor; -errno with @error.
 */
int cgroup_step_make(struct cgroup_host *host, int run_fd, const char *id, struct error *error);
/**
 * cgroup_step_limit() - write one control file, e.g. "memory.max"
 *
 * A missing memory.swap.max is accepted where the host has no swap, or where limits are best
 * effort.
 *
 * Return: 0; -ENOTSUP if swap could not be limited; -errno with @error.
 */
int cgroup_step_limit(const struct cgroup_host *host, int group_fd, const char *file,
		      uint64_t value, struct error *error);
/** cgroup_step_limit_text() - the same with a value that is text. Return: 0 or -errno. */
int cgroup_step_limit_text(int group_fd, const char *file, const char *text, struct error *error);
/** cgroup_step_kill() - kill all processes of the group at once. Return: 0 or -errno. */
int cgroup_step_kill(int group_fd);
/**
 * cgroup_step_outcome() - fill in the group's counters and the limit that it met
 * @run_fd: the group of its run, -1: it belongs to none
 */
void cgroup_step_outcome(const struct cgroup_host *host, int run_fd, int group_fd,
			 struct sandbox_outcome *outcome);
/** cgroup_step_remove() - remove the empty group of a step. Return: 0 or -errno. */
int cgroup_step_remove(struct cgroup_host *host, int run_fd, const char *id);

/**
 * cgroup_groups_sweep() - kill and remove the groups that no program holds
 * @and_wait: return only when their processes are gone
 *
 * Return: 0 or -errno.
 */
int cgroup_groups_sweep(struct cgroup_host *host, bool and_wait);

#endif
