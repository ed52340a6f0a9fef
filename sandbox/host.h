/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_H
#define SANDBOX_HOST_H

/* Insides of struct sandbox_host, for host.c, sandbox.c and keep.c only. */

#include "sandbox/host_cgroup.h"
#include "sandbox/host_image.h"
#include "sandbox/host_mounts.h"
#include "sandbox/host_network.h"
#include "sandbox/host_users.h"

struct sandbox_host {
	char *state_dir;
	bool private_dir; /* made by us, removed by us */
	char *images_dir; /* templates */
	char *stage_dir;  /* where a step mounts its scratch, in its own namespace */
	char *groups_dir; /* hosts files of runs with an isolated network */
	char *cacher_path;
	struct user_slots *users;
	struct cgroup_host cgroup;
	struct host_network *network;
	struct host_image image;
	struct host_image *shifted[ID_STEP_SLOTS]; /* where id-mapped mounts do not work */
	bool shift_by_owner;
	struct host_dev dev;
	struct host_base base;
	struct plan_view view;
	struct timespec view_time; /* monotonic; zero: never looked */
	int filter_fd;
	int init_fd;
	uint64_t scratch; /* bytes a step may write when nothing is said */
};

/** host_memory_default() - bytes for all steps together, so that the host goes on; 0: unknown */
uint64_t host_memory_default(void);
/**
 * host_disk_default() - bytes that one step may write
 * @memory:   for all steps together: what they write is kept there
 * @parallel: steps that run at once: all of them, with full disks, leave room for one more
 */
uint64_t host_disk_default(uint64_t memory, unsigned parallel);

/** host_image_of() - the template to use for a step in @slot */
int host_image_of(struct sandbox_host *host, const struct user_slot *slot,
		  const struct host_image **ret_image, struct error *error);

#endif
