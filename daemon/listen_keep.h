/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_LISTEN_KEEP_H
#define DAEMON_LISTEN_KEEP_H

/*
 * Listening sockets over a restart: who connects meanwhile waits in the backlog
 * instead of being refused, and a port that was given as 0 stays the same.
 */

#include "daemon/fd_store.h"
#include "daemon/listen.h"

/** enum listen_keep_kind - part of names in the fd store */
enum listen_keep_kind {
	LISTEN_KEEP_WEBHOOK = 'w',
	LISTEN_KEEP_API = 'a',
};

/** listen_keep_load() - what a predecessor listened on; @set is empty. Sockets with a path are
 * made anew. */
void listen_keep_load(const struct fd_store *store, enum listen_keep_kind kind,
		      struct listener_set *set);
/** listen_keep_save() - exactly these */
void listen_keep_save(struct fd_store *store, enum listen_keep_kind kind,
		      const struct listener_set *set);
/**
 * listen_keep_unix() - listen_unix(), or what a predecessor had there, if it is there yet
 *
 * One for each store. Return: descriptor; -errno with @error.
 */
int listen_keep_unix(struct fd_store *store, const char *path, mode_t mode, gid_t group,
		     struct error *error);

#endif
