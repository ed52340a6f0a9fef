/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_LISTEN_PERSIST_H
#define DAEMON_LISTEN_PERSIST_H

/*
 * DOC: Listening sockets over a restart
 *
 * Listening sockets are in the fd store, under names made of their addresses. Clients that
 * connect while runbookd is replaced wait in the backlog instead of being refused, and a
 * port that the kernel chose for port 0 stays the same. A failure to store a socket is
 * not reported: the next runbookd binds it again.
 */

#include "daemon/fd_store.h"
#include "daemon/listen.h"

/** enum listen_persist_kind - which Listen= a socket is of; a letter in its name in the fd store */
enum listen_persist_kind {
	LISTEN_PERSIST_WEBHOOK = 'w',
	LISTEN_PERSIST_API = 'a',
};

/**
 * listen_persist_load() - add copies of a predecessor's sockets to @set, which is empty
 *
 * Unix sockets are not stored; they are bound anew.
 */
void listen_persist_load(const struct fd_store *store, enum listen_persist_kind kind,
			 struct listener_set *set);
/** listen_persist_save() - store copies of the sockets in @set, and drop others of this kind */
void listen_persist_save(struct fd_store *store, enum listen_persist_kind kind,
			 const struct listener_set *set);
/**
 * listen_persist_unix() - the predecessor's socket at @path if the file is still that socket,
 * otherwise listen_unix()
 *
 * A store has room for one such socket. Return: descriptor; -errno with @error.
 */
int listen_persist_unix(struct fd_store *store, const char *path, mode_t mode, gid_t group,
			struct error *error);

#endif
