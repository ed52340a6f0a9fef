/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_LISTEN_H
#define DAEMON_LISTEN_H

/*
 * DOC: Listening sockets
 *
 * runbookd binds the configured addresses and passes the sockets to the process that
 * serves them, which therefore needs no privilege to bind a port or open a path. A reload
 * keeps each socket whose address is configured still, so no connection is refused
 * meanwhile, and can be undone as long as nothing was closed.
 */

#include "common/error.h"
#include "daemon/config.h"

#include <limits.h>
#include <sys/socket.h>
#include <sys/types.h>

#define LISTEN_TEXT_MAX 256

enum listen_kind {
	LISTEN_NONE, /* "none": nothing is bound */
	LISTEN_TCP,
	LISTEN_UNIX,
};

struct listen_address {
	enum listen_kind kind;
	struct sockaddr_storage tcp;
	socklen_t tcp_size;
	char path[PATH_MAX]; /* LISTEN_UNIX */
};

/**
 * listen_parse() - parse "[::]:8471", "127.0.0.1:8470", "localhost:80", "8471",
 * "unix:/path" or "none"
 *
 * Only numeric addresses, and "localhost" for 127.0.0.1: the root process does not ask
 * name services. Return: 0; -EINVAL with @error.
 */
int listen_parse(const char *text, struct listen_address *ret_address, struct error *error);

/**
 * listen_unix() - bind a unix socket at @path and listen, non-blocking
 *
 * @path may be longer than sun_path (unix(7)); a stale socket there is replaced.
 * Return: fd; -errno with @error, -EEXIST for a file that is not a socket.
 */
int listen_unix(const char *path, mode_t mode, gid_t group, struct error *error);
/** listen_describe() - the address that @fd is bound to: "127.0.0.1:40123", "unix", "?" */
void listen_describe(int fd, char *out, size_t size);

/** struct listener - one bound socket and its address in the configuration */
struct listener {
	char text[LISTEN_TEXT_MAX];
	int fd;
	bool fresh; /* bound by the last update, not kept from before */
};

/** struct listener_set - all sockets of one Listen= */
struct listener_set {
	struct listener items[CONFIG_LIST_MAX + 1];
	size_t n_items;
};

/**
 * listener_set_update() - a set of the addresses @wanted, with the sockets that @old has of them
 * @old:  sockets that stay are moved out of it (fd becomes -1)
 * @mode, @group: of unix sockets; one that an earlier version opened to more users is bound anew
 *
 * Nothing of @old is closed, so that the caller can undo it: on failure @old is
 * as it was. Return: 0; -errno with @error.
 */
int listener_set_update(struct listener_set *old, const struct config_list *wanted, mode_t mode,
			gid_t group, struct listener_set *ret_new, struct error *error);
/**
 * listener_set_restore() - undo an update: move the sockets that @to had back
 * to it, close the new ones in @from
 */
void listener_set_restore(struct listener_set *to, struct listener_set *from);
/** listener_set_close() - close every socket in @set that was not moved out of it */
void listener_set_close(struct listener_set *set);

#endif
