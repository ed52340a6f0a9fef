/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_STARTER_H
#define FETCHER_STARTER_H

/*
 * DOC: The starter
 *
 * The children that fetch need more rights than the service has: git repositories anywhere on
 * this host, the network, and exec of our own program. A process cannot give its child more than
 * it has itself, so the service forks the starter before its own lock-down, and the starter keeps
 * these rights. It handles the messages of common/messages/starter.h and nothing else: it starts
 * our own program with --child, and passes it a socket that the service sent, from which it never
 * reads. When the last child has ended it starts one more, which waits for the next job: most of a
 * small fetch would be the loading of libraries. A child has one job, and nothing of its own is
 * in its memory before that.
 *
 * Its channel is on descriptor 3. When the service dies, the channel hangs up and the starter
 * exits; whatever ends the starter, the kernel then kills its children (PR_SET_PDEATHSIG). The
 * starter itself cannot rely on that signal, because the service's Landlock domain scopes signals.
 */

#include "common/program.h"
#include "fetcher/fetch.h"

/**
 * struct starter_setup - what main() prepared before the lock-down
 * @limits: bounds of each fetch
 * @exe_fd: our own program, for execveat(2)
 */
struct starter_setup {
	const struct fetch_limits *limits;
	int exe_fd;
};

/** starter_run() - start children until the service is gone. Return: exit status. Userdata of
 *  @process: a struct starter_setup */
int starter_run(struct process *process);

#endif
