/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_INIT_WATCH_H
#define SANDBOX_INIT_WATCH_H

/*
 * DOC: What runbook-init does while the command runs
 *
 * It reaps, carries the terminal's output, passes signals on, and ends when the
 * command has: the kernel then kills everything that is left of the step. After a
 * signal that asks for the end (SIGTERM, SIGINT, SIGHUP, SIGQUIT) it reports the
 * command's end, but stays until nothing else runs either: who sent the signal
 * gives a grace to all that the command started, and ends it by SIGKILL.
 */

#include "sandbox/init_tty.h"
#include "sandbox/status.h"

#include <stdbool.h>

/* enum sandbox_exit of sandbox.h, which this program does not include */
enum { INIT_EXITED = 0, INIT_SIGNALED = 1, INIT_EXEC_FAILED = 2 };

/** struct init_watch - the command, and what is to be watched for it */
struct init_watch {
	long main_pid; /* the command's process */
	int signals_fd;
	bool asked_to_end; /* by a signal that was passed on */
	bool ended;	   /* the command: its status is reported */
	struct init_tty *tty;
	struct sandbox_status status;
};

/** init_watch_report() - write @status to the status pipe, which has room for it */
void init_watch_report(const struct sandbox_status *status);
/** init_watch() - until the command has ended, and all it started if that was asked for */
_Noreturn void init_watch(struct init_watch *watch);

#endif
