/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_STARTER_H
#define FETCHER_STARTER_H

/*
 * DOC: The starter
 *
 * What fetches needs more than the service: git repositories anywhere on this host, the network,
 * and to be started at all. It inherits what its parent may, so its parent is not the service but
 * a process beside it, which the service forks before it locks itself down, and which keeps these
 * rights. The starter does what common/messages/starter.h says and nothing else: it starts
 * our own program with --child and a socket that the service gives it, and never reads from there.
 *
 * Its channel is on descriptor 3. When the service is gone, the channel hangs up and the starter
 * ends; however it ends, the kernel kills its children then (PR_SET_PDEATHSIG). A signal at the
 * service's death would not reach it, because the service may send none out of its Landlock domain.
 */

#include "common/program.h"
#include "fetcher/fetch.h"

/**
 * struct starter_setup - what main() prepared before the lock-down
 * @limits: of each fetch
 * @exe_fd: our own program
 */
struct starter_setup {
	const struct fetch_limits *limits;
	int exe_fd;
};

/** starter_run() - serve the service; the userdata is a struct starter_setup. Return: exit status. */
int starter_run(struct process *process);

#endif
