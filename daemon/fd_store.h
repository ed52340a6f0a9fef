/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_FD_STORE_H
#define DAEMON_FD_STORE_H

/*
 * DOC: Descriptors that outlive this process
 *
 * The fd store has descriptors under names. If the service manager keeps descriptors for
 * us (sd_notify(3), FDSTORE=1; $FDSTORE is set, by the unit or by systemd 254 and later),
 * each is sent to it as well, and survives kill -9. Otherwise they survive our own
 * execve(2) only. Either way the next runbookd gets them with fd_store_inherit().
 *
 * An fd bundle makes one descriptor of many: it is one end of a socket pair whose other end
 * is closed; one message with data and descriptors waits in it (SCM_RIGHTS, unix(7)) and
 * is read with MSG_PEEK, so that it stays. The store therefore has all descriptors of a
 * step or none of them.
 */

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define FD_STORE_PREFIX "rb."		/* every name begins with it */
#define FD_STORE_NAME_MAX 40		/* with the NUL */
#define FD_STORE_MAX 16384		/* names */
#define FD_BUNDLE_FDS_MAX 32		/* descriptors in an fd bundle */
#define FD_BUNDLE_BYTES_MAX (64 * 1024) /* and its data */

struct fd_store;

/**
 * fd_store_inherit() - take over the descriptors of a predecessor or of the service manager
 * @ret_highest: the highest of these descriptors, at least 2; the caller closes those above
 *
 * To be called before anything is opened; variables are removed from the environment.
 * Return: the store; NULL without memory.
 */
struct fd_store *fd_store_inherit(int *ret_highest);
/**
 * fd_store_borrow() - see the descriptors that our parent has handed on, without owning them
 *
 * Nothing that is done with this store reaches the service manager. Arguments and return as
 * fd_store_inherit().
 */
struct fd_store *fd_store_borrow(int *ret_highest);
/** fd_store_free() - close our copies; those of the service manager stay. Return: NULL. */
struct fd_store *fd_store_free(struct fd_store *store);
/** fd_store_outlives() - does a service manager keep them, so that they survive kill -9? */
bool fd_store_outlives(const struct fd_store *store);

/**
 * fd_store_put() - store @fd (taken over, also on failure) as @name
 *
 * Return: 0; -errno. When only the service manager could not get it, @store has it still.
 */
int fd_store_put(struct fd_store *store, const char *name, int fd);
/** fd_store_get() - the descriptor of @name, owned by @store, or -1 */
int fd_store_get(const struct fd_store *store, const char *name);
/**
 * fd_store_newest() - the descriptor of @base that fd_store_renew() stored last
 *
 * Return: a descriptor, owned by @store, or -1.
 */
int fd_store_newest(const struct fd_store *store, const char *base);
/**
 * fd_store_renew() - store @fd (taken over, also on failure) in place of fd_store_newest()
 *
 * A process that is killed meanwhile leaves the old descriptor, the new one, or both, and
 * then the new one is used. So @fd must be complete. When this returns 0, the service
 * manager has replaced the old one. Without an old one, this does not wait for the service
 * manager. Return: 0; -errno, the old one is still stored then.
 */
int fd_store_renew(struct fd_store *store, const char *base, int fd);
/** fd_store_drop() - close the descriptor of @name, everywhere; an unknown name is fine */
void fd_store_drop(struct fd_store *store, const char *name);
/** fd_store_clear() - drop all descriptors, so that there is nothing to adopt */
void fd_store_clear(struct fd_store *store);
/** fd_store_name() - name number @index, NULL behind the last; a drop changes the numbers */
const char *fd_store_name(const struct fd_store *store, size_t index);

/**
 * fd_store_hand_on() - let the program that this process executes inherit them
 * @on: false: undo it, because the execve(2) failed
 *
 * Clears close-on-exec and sets an environment variable. Return: 0 or -errno.
 */
int fd_store_hand_on(struct fd_store *store, bool on);

/** fd_bundle_make() - pack @data and copies of @fds. Return: descriptor of a bundle, or -errno. */
int fd_bundle_make(const void *data, size_t size, const int *fds, size_t n_fds);
/**
 * fd_bundle_open() - read a bundle, which stays as it is
 * @data: room for @size bytes
 * @fds:  room for FD_BUNDLE_FDS_MAX, copies that the caller closes
 *
 * Return: bytes of data; -EMSGSIZE when @size is too small, or another -errno: no
 * descriptor is returned then.
 */
ssize_t fd_bundle_open(int bundle_fd, void *data, size_t size, int *fds, size_t *ret_n_fds);

#endif
