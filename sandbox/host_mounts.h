/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_MOUNTS_H
#define SANDBOX_HOST_MOUNTS_H

/*
 * DOC: The host's part of the mounts
 *
 * A tree can be copied only in the mount namespace where it is mounted. So the host makes
 * detached copies of the trees that a step will see and sets their attributes while no process
 * can reach them yet; the step moves them into place (step_mounts.c).
 */

#include "common/error.h"
#include "sandbox/host_users.h"
#include "sandbox/plan.h"

/**
 * struct host_dev - the read-only /dev that every step gets a copy of
 *
 * It is made when the second step needs one: a program that builds a single sandbox gives that
 * one a new /dev without making copies.
 */
struct host_dev {
	int fd;
	unsigned n_given;
};
#define HOST_DEV_NULL ((struct host_dev){.fd = -1})

/**
 * host_dev_clone() - make a detached, read-only /dev for one step
 *
 * Kernels before 6.15 cannot copy a detached mount; there each /dev is made from scratch.
 *
 * Return: mount descriptor or -errno.
 */
int host_dev_clone(struct host_dev *dev, struct error *error);

/**
 * struct host_base - a mount namespace with nothing in it
 *
 * A new mount namespace is a copy of another one. Copied from the host's, a step's namespace
 * begins with all mounts of the host and must unmount them, which costs an RCU grace period and
 * grows with their number. A copy of an empty one begins empty.
 *
 * It is made when the second step starts: for a single step it does not pay.
 */
struct host_base {
	int fd; /* the namespace, -1: none yet */
	unsigned n_given;
};
#define HOST_BASE_NULL ((struct host_base){.fd = -1})
#define HOST_BASE_STAGE "/stage" /* a directory in it */
#define HOST_BASE_SYS "/sys"	 /* the /sys of steps, complete with its mounts */
#define HOST_DEV_SYS "shm/sys"	 /* in the /dev of steps: mount points for it, empty */

/** host_base_get() - Return: the namespace, -1 for the first step, -errno with @error */
int host_base_get(struct host_base *base, struct error *error);

/** host_mount_clone() - copy the tree of a LAYER or BIND. Return: mount descriptor, -errno. */
int host_mount_clone(const struct plan_op *op, struct user_slot *slot, struct error *error);

#endif
