/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_SERVICE_H
#define FETCHER_SERVICE_H

/*
 * DOC: The service
 *
 * The service receives the scheduler's requests (request.h), queues them, and has at most
 * FETCH_PARALLEL_MAX children (child.h) work on them, one for each project. The starter
 * (starter.h) starts the children, because they need rights that the service gave up: the service
 * reads lib/trees and reaches no other file and no network. An upload whose tree exists is
 * answered without a child; requests for the same commit share one. The service itself parses
 * nothing that came from a repository: it checks the child's short result again and opens
 * runbook.yml, whose bytes the scheduler reads.
 *
 * A new channel to the scheduler empties the queue, because the scheduler sends its requests
 * again. Running children continue, and their trees are found when the requests come again.
 */

#include "common/program.h"
#include "fetcher/fetch.h"

struct service;

/**
 * struct service_setup - what main() prepared before the lock-down
 * @limits:      bounds of each fetch
 * @starter_pid: pid of the starter, a child of this process
 * @starter_fd:  the channel to the starter
 * @trees_fd:    lib/trees
 */
struct service_setup {
	const struct fetch_limits *limits;
	pid_t starter_pid;
	int starter_fd;
	int trees_fd;
};

/** fetcher_service - for common/program.h; main() sets its userdata to a struct service_setup */
extern const struct program_service fetcher_service;

#endif
