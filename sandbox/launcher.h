/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_LAUNCHER_H
#define SANDBOX_LAUNCHER_H

/*
 * DOC: Threads that wait in clone3
 *
 * A process that is started with CLONE_VFORK suspends the thread that started it until its side of
 * the sandbox is built, which is more than half of the time of a start. These threads do nothing
 * but start such processes and wait, so that an event loop prepares the next sandbox, and removes
 * earlier ones, in the meantime.
 *
 * The threads block all signals. They share the file descriptors of the process: a job may use
 * those that its owner keeps open until the job is done.
 */

#include "common/error.h"
#include "common/list.h"

#include <stdbool.h>

struct launcher;

/** struct launch - one job; embedded in what @work needs */
struct launch {
	struct list_node node;
	/* runs in one of the threads */
	void (*work)(struct launch *launch);
	bool done; /* of launcher.c alone */
};

/** launcher_new() - start @n_threads. Return: 0; -errno with @error. */
int launcher_new(struct launcher **ret_launcher, unsigned n_threads, struct error *error);
/** launcher_free() - wait for all jobs, end the threads. NULL is fine. Return: NULL. */
struct launcher *launcher_free(struct launcher *launcher);
/** launcher_fd() - readable while launcher_take() has something to return; the launcher's */
int launcher_fd(const struct launcher *launcher);
/** launcher_put() - have @launch done; it must live until it was taken or waited for */
void launcher_put(struct launcher *launcher, struct launch *launch);
/** launcher_take() - the next job that is done, in the order of their ends; NULL: none is */
struct launch *launcher_take(struct launcher *launcher);
/** launcher_wait() - wait until @launch is done; launcher_take() will not return it any more */
void launcher_wait(struct launcher *launcher, struct launch *launch);

#endif
