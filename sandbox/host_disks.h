/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_DISKS_H
#define SANDBOX_HOST_DISKS_H

#include "common/error.h"
#include "sandbox/plan.h"

/**
 * host_disks_find() - the disks that a step with a limit on io reads and writes
 * @request: its image, workspace and binds
 * @facts:   root and binds are filled in already; io_devices is set here
 * @required: refuse what cannot be limited
 *
 * A limit belongs to a whole disk, so that of a partition is looked up. What lies
 * in memory (tmpfs) needs none. A file system without a disk that we know of (an
 * overlay, a network's) cannot be limited.
 *
 * Return: 0, also when the request has no limit on io; -ENOTSUP with @error.
 */
int host_disks_find(const struct sandbox_request *request, struct plan_facts *facts, bool required,
		    struct error *error);

#endif
