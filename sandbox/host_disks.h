/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_DISKS_H
#define SANDBOX_HOST_DISKS_H

/*
 * DOC: Disks of a step
 *
 * io.max limits a block device, while a request names directories. This module finds the disks
 * behind the directories that a step reads and writes, for the plan's io limits.
 */

#include "common/error.h"
#include "sandbox/plan.h"

/**
 * host_disks_find() - find the disks that a step with a limit on io reads and writes
 * @request: its image, workspace and binds
 * @facts:   root and binds are filled in already; io_devices is set here
 * @required: fail if a directory lies on a file system that cannot be limited
 *
 * A limit belongs to a whole disk, so the disk of a partition is looked up. Files in memory
 * (tmpfs) need no limit. A file system without a known disk (an overlay, a network file system)
 * cannot be limited.
 *
 * Return: 0, also if the request has no limit on io; -ENOTSUP with @error.
 */
int host_disks_find(const struct sandbox_request *request, struct plan_facts *facts, bool required,
		    struct error *error);

#endif
