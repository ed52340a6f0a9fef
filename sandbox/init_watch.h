/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_INIT_WATCH_H
#define SANDBOX_INIT_WATCH_H

/*
 * DOC: What runbook-init does while the command runs
 *
 * It reaps processes, copies the terminal's output, forwards signals, and exits when the
 * command has ended: the kernel then kills all other processes of the step. After a terminating
 * signal (SIGTERM, SIGINT, SIGHUP, SIGQUIT) it reports the command's end but stays until no
 * other process runs: the sender of the signal grants a grace period to all that the command
 * started, and ends it with SIGKILL.
 */

#include "sandbox/init_tty.h"
#include "sandbox/status.h"

#include <stdbool.h>

/* enum sandbox_exit of sandbox.h, which this program does not include */
enum { INIT_EXITED = 0, INIT_SIGNALED = 1, INIT_EXEC_FAILED = 2 };

/** struct init_watch - the command and its descriptors */
struct init_watch {
	long main_pid; /* the command's process */
	int signals_fd;
	bool terminating; /* a terminating signal was forwarded */
	bool ended;	  /* the command has ended and its status is reported */
	struct init_tty *tty;
	struct sandbox_status status;
};

/** init_watch_report() - write @status to the status pipe, which has room for it */
void init_watch_report(const struct sandbox_status *status);
/** init_watch() - run until the command has ended; after a terminating signal, until all have */
_Noreturn void init_watch(struct init_watch *watch);

#endif
