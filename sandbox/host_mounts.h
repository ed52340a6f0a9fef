/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_MOUNTS_H
#define SANDBOX_HOST_MOUNTS_H

/*
 * The host's part of the mounts: detached copies of what a step will see, with
 * their attributes set before anybody can reach them. The step moves them into
 * place; a tree can be copied only in the mount namespace where it is mounted.
 */

#include "common/error.h"
#include "sandbox/host_users.h"
#include "sandbox/plan.h"

/**
 * struct host_dev - the read-only /dev that every step gets a copy of
 *
 * Made when the second one is needed: who builds a single sandbox hands the
 * first one over as it is.
 */
struct host_dev {
	int fd;
	unsigned n_given;
};
#define HOST_DEV_NULL ((struct host_dev){.fd = -1})

/**
 * host_dev_clone() - a detached, read-only /dev for one step
 *
 * Kernels before 6.15 cannot copy a detached mount: there each is made anew.
 *
 * Return: mount descriptor or -errno.
 */
int host_dev_clone(struct host_dev *dev, struct error *error);

/**
 * struct host_base - a mount namespace with nothing in it
 *
 * A step's mount namespace is a copy of some other. Copied from the host's, it
 * begins with all of the host's mounts, which are then unmounted again: the
 * kernel waits for an RCU grace period over that, and it takes the longer the
 * more mounts a host has. A copy of an empty one begins empty.
 *
 * Made when the second step starts: for a single one it does not pay.
 */
struct host_base {
	int fd; /* of the namespace, -1: none yet */
	unsigned n_given;
};
#define HOST_BASE_NULL ((struct host_base){.fd = -1})
#define HOST_BASE_STAGE "/stage" /* a directory in it */
#define HOST_BASE_SYS "/sys"	 /* what steps see as that, ready with its mounts */
#define HOST_DEV_SYS "shm/sys"	 /* in the /dev of steps: the same directories, empty */

/** host_base_get() - descriptor of the namespace, -1 for the first step, -errno with @error */
int host_base_get(struct host_base *base, struct error *error);

/** host_mount_clone() - what a LAYER or BIND operation needs. Return: mount descriptor, -errno. */
int host_mount_clone(const struct plan_op *op, struct user_slot *slot, struct error *error);

#endif
