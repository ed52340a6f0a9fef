/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_CHILD_H
#define FETCHER_CHILD_H

/*
 * DOC: The child, one for each fetch
 *
 * The starter (starter.h) starts our program again with --child and a SOCK_SEQPACKET
 * socket to the service on descriptor 3. The child reads its job there (CONFIG_REPOSITORY and
 * FETCH, or UNPACK), confines itself to that one project's directories and
 * remote, does the work with libgit2 or libarchive, sends FETCHED and exits. It
 * is a fresh address space: it holds no other project's credential, and its
 * crash, hang or exhaustion harms only its own fetch.
 *
 * The lock on lib/trees/<project> makes sure that a child which was killed is
 * really gone before the next one touches the project.
 */

#include "common/paths.h"
#include "fetcher/fetch.h"

/** child_run() - serve the job on CHANNEL_FD. Return: exit code. */
int child_run(const struct paths *paths, const struct fetch_limits *limits);

#endif
