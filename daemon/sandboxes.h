/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_SANDBOXES_H
#define DAEMON_SANDBOXES_H

/*
 * DOC: The sandbox library in runbookd
 *
 * sandbox/ knows neither paths nor configuration of runbookd. This module makes its one
 * struct sandbox_host from them, at the start, and lets the library work while the loop
 * is idle: it prepares network namespaces, and restores the firewall of steps when
 * another program removed it.
 */

#include "common/error.h"

#include <stdbool.h>

struct daemon;

/**
 * sandboxes_prepare() - compile filters, find runbook-init, sweep old remains
 *
 * May move this process into a leaf of its own cgroup, so it must be called before children
 * are started. Return: 0 with .sandbox_host made; -errno with @error.
 */
int sandboxes_prepare(struct daemon *daemon, struct error *error);

/**
 * sandboxes_idle() - let the library work while the loop is idle
 *
 * A loop_idle_fn for the struct daemon @userdata. Also begins to watch the library's
 * descriptor when it has one.
 */
bool sandboxes_idle(void *userdata);

#endif
