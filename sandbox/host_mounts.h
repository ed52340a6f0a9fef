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

/** host_dev_new() - a detached, read-only /dev. Return: mount descriptor or -errno. */
int host_dev_new(struct error *error);

/**
 * host_dev_clone() - one for a step
 * @dev_fd: from host_dev_new()
 *
 * Kernels before 6.15 cannot copy a detached mount: there a new one is made.
 */
int host_dev_clone(int dev_fd, struct error *error);

/** host_mount_clone() - what a LAYER or BIND operation needs. Return: mount descriptor, -errno. */
int host_mount_clone(const struct plan_op *op, struct user_slot *slot, struct error *error);

#endif
