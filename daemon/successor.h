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
/* exit codes of runbookd --config-test --adopt-test; d2e21e4 and older know no --adopt-test */
#define SUCCESSOR_EXIT_USAGE 2
#define SUCCESSOR_EXIT_STEPS 3

/**
 * successor_try() - does the program at that place start, like the configuration, and
 * can it read everything that running steps need?
 *
 * It is asked with --adopt-test, and gets the descriptors of the fd store to look at.
 * Waits for it, some milliseconds. Return: 0; -ENOTSUP when steps would be lost; -errno;
 * with @error.
 */
int successor_try(const struct daemon *daemon, struct error *error);
/** successor_become() - Return: only if it failed, -errno with @error. */
int successor_become(struct daemon *daemon, char **argv, struct error *error);

#endif
