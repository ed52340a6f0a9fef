/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_CHILD_H
#define FETCHER_CHILD_H

/*
 * DOC: The child, one for each fetch
 *
 * The starter (starter.h) starts our program again with --child, and passes it a SOCK_SEQPACKET
 * socket to the service, which becomes descriptor 3. The child reads one job there (CONFIG_REPOSITORY and
 * FETCH, or UNPACK, TREE_REMOVE, MIRROR_PRUNE), confines itself to that project's directories
 * and, for a FETCH, to its remote, does the work with libgit2 or libarchive, sends its result
 * and exits. Its address space is fresh: it holds no credential of another project, and when
 * it crashes, hangs or runs out of memory, only its own job fails.
 *
 * It holds a lock on lib/trees/<project>, so that a child that was killed is really gone
 * before the next one touches the project.
 */

#include "common/paths.h"
#include "fetcher/fetch.h"

/** child_run() - do the job that waits on CHANNEL_FD. Return: the exit status of the process. */
int child_run(const struct paths *paths, const struct fetch_limits *limits);

#endif
