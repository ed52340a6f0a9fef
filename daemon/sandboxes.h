/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_SANDBOXES_H
#define DAEMON_SANDBOXES_H

/* The sandbox library, set up from the daemon's paths and configuration. */

#include "common/error.h"

#include <stdbool.h>

struct daemon;

/**
 * sandboxes_prepare() - compile filters, find runbook-init, sweep old remains
 *
 * May move this process into a leaf of its own cgroup: call it before children
 * are started. Return: 0 with .sandbox_host made, or -errno with @error.
 */
int sandboxes_prepare(struct daemon *daemon, struct error *error);

/**
 * sandboxes_idle() - what the library does when nothing else is to be done
 *
 * A loop_idle_fn; also watches the library's descriptor once there is one.
 */
bool sandboxes_idle(void *userdata);

#endif
