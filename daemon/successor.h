/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_SUCCESSOR_H
#define DAEMON_SUCCESSOR_H

/*
 * Becoming the program that is installed now, in the same process: for a new version,
 * where no service manager keeps our descriptors. (daemon/fd_store.h)
 */

#include "common/error.h"

struct daemon;

/** successor_remember() - where we were started from; before an upgrade replaces the file */
void successor_remember(void);
/**
 * successor_try() - does the program at that place start, and like the configuration?
 *
 * Waits for it, some milliseconds. Return: 0 or -errno with @error.
 */
int successor_try(const struct daemon *daemon, struct error *error);
/** successor_become() - Return: only if it failed, -errno with @error. */
int successor_become(struct daemon *daemon, char **argv, struct error *error);

#endif
