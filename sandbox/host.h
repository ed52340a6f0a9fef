/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_H
#define SANDBOX_HOST_H

/*
 * DOC: What sandboxes of one process share
 *
 * The members of struct sandbox_host, for host.c, sandbox.c and persist.c only. host.c makes them;
 * sandbox.c takes from them what one sandbox needs; persist.c passes their locks to a successor
 * process.
 */

#include "sandbox/host_cgroup.h"
#include "sandbox/host_image.h"
#include "sandbox/host_mounts.h"
#include "sandbox/host_network.h"
#include "sandbox/host_users.h"

struct launcher;

struct sandbox_host {
	char *state_dir;
	bool private_dir; /* state_dir is a temporary one, removed with the host */
	char *images_dir; /* templates */
	char *stage_dir;  /* where a step mounts its scratch, in its own namespace */
	char *groups_dir; /* hosts files of runs with an isolated network */
	char *cacher_path;
	struct user_slots *users;
	struct cgroup_host cgroup;
	struct host_network *network;
	struct launcher *launcher; /* NULL: sandboxes are started by the caller's thread */
	struct host_image image;
	struct host_image *shifted[ID_STEP_SLOTS]; /* used without id-mapped mounts */
	bool shift_by_owner;
	struct host_dev dev;
	struct host_base base;
	struct plan_view view;
	struct timespec view_time; /* of .view, monotonic; zero: .view is not filled in yet */
	int filter_fd;
	int init_fd;
	uint64_t scratch; /* bytes that a step may write if its request gives none */
};

/** host_memory_default() - bytes for all steps together, all but a reserve; 0: unknown */
uint64_t host_memory_default(void);
/**
 * host_disk_default() - bytes that one step may write
 * @memory:   bytes for all steps together; their scratch file systems are kept in it
 * @parallel: steps that run at once; even with all their disks full, one more fits
 */
uint64_t host_disk_default(uint64_t memory, unsigned parallel);

/** host_image_of() - the template to use for a step in @slot */
int host_image_of(struct sandbox_host *host, const struct user_slot *slot,
		  const struct host_image **ret_image, struct error *error);

#endif
