/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_SERVICE_H
#define FETCHER_SERVICE_H

/*
 * DOC: The service
 *
 * Takes FETCH and UNPACK from the scheduler, keeps them in a queue, and works
 * them off with at most FETCH_PARALLEL_MAX children (child.h), one per project,
 * which a process beside it starts (starter.h), because they need more than the
 * service may: it reads lib/trees, and reaches no other file and no network.
 * A commit whose tree is there already is answered without a child. Requests
 * for the same commit share one child. The service itself parses nothing that
 * came from a repository: it re-checks the child's short answer and opens
 * runbook.yml, whose bytes the scheduler reads.
 *
 * A new channel to the scheduler drops the queue of the old one (the scheduler
 * asks again); children that run go on, their trees will be found.
 */

#include "common/program.h"
#include "fetcher/fetch.h"

struct service;

/**
 * struct service_setup - what main() prepared before the lock-down
 * @limits:     of each fetch
 * @starter_pid: a child of ours
 * @starter_fd: the channel to the starter
 * @trees_fd:   lib/trees
 */
struct service_setup {
	const struct fetch_limits *limits;
	pid_t starter_pid;
	int starter_fd;
	int trees_fd;
};

/* how main() has the daemon's channel served; its userdata before it starts: a struct service_setup */
extern const struct program_service fetcher_service;

#endif
