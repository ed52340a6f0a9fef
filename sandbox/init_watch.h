/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_INIT_WATCH_H
#define SANDBOX_INIT_WATCH_H

/*
 * DOC: What runbook-init does while the command runs
 *
 * It reaps, carries the terminal's output, passes signals on, and ends when the
 * command has: the kernel then kills whatever is left of the step.
 */

#include "sandbox/init_tty.h"
#include "sandbox/status.h"

/* enum sandbox_exit of sandbox.h, which this program does not include */
enum { INIT_EXITED = 0, INIT_SIGNALED = 1, INIT_EXEC_FAILED = 2 };

/** struct init_watch - the command, and what is to be watched for it */
struct init_watch {
	long main_pid; /* the command's process */
	int signals_fd;
	struct init_tty *tty;
	struct sandbox_status status;
};

/** init_watch_report() - write @status to the status pipe, which has room for it */
void init_watch_report(const struct sandbox_status *status);
/** init_watch() - until the command has ended, and its status is reported */
_Noreturn void init_watch(struct init_watch *watch);

#endif
