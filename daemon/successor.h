/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_SUCCESSOR_H
#define DAEMON_SUCCESSOR_H

/*
 * DOC: Becoming the installed program
 *
 * On SIGUSR2 runbookd executes the program that is installed now, in the same process. This
 * is the upgrade without a service manager that keeps descriptors: they survive execve(2)
 * (daemon/fd_store.h). The new program is tested before: if it could not start, or could
 * not go on with the running steps, nothing happens.
 */

#include "common/error.h"

struct daemon;

/** successor_remember() - note the path of our program, before an upgrade replaces the file */
void successor_remember(void);
/* exit codes of runbookd --config-test --adopt-test; d2e21e4 and older lack --adopt-test */
#define SUCCESSOR_EXIT_USAGE 2
#define SUCCESSOR_EXIT_STEPS 3

/**
 * successor_try() - can the program at that path go on for us?
 *
 * Runs it with --config-test --adopt-test and the descriptors of the fd store: it starts,
 * reads the configuration and everything that running steps need, and exits. Blocks
 * for some milliseconds. Return: 0; with @error -ENOTSUP when steps would be lost,
 * another -errno.
 */
int successor_try(const struct daemon *daemon, struct error *error);
/** successor_become() - execute that program. Return: only if it failed, -errno with @error. */
int successor_become(struct daemon *daemon, char **argv, struct error *error);

#endif
