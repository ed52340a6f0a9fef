/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_FD_STORE_H
#define DAEMON_FD_STORE_H

/*
 * DOC: What outlives this process
 *
 * Descriptors under names. Each that is put in is handed to the service manager as
 * well, if it keeps some for us (sd_notify(3), FDSTORE=1; the unit says so by
 * $FDSTORE, as systemd 254 does by itself): then they survive kill -9. Otherwise
 * they survive an execve(2) of ours. Either way the next runbookd finds them by
 * fd_store_inherit().
 *
 * A descriptor that holds others: a bag is one end of a socket pair whose other end
 * is closed; a message with data and descriptors waits in it and is looked at
 * without being taken out. So a step is one descriptor, all of it or nothing.
 */

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define FD_STORE_PREFIX "rb."	     /* of every name */
#define FD_STORE_NAME_MAX 40	     /* with the NUL */
#define FD_STORE_MAX 16384	     /* names */
#define FD_BAG_FDS_MAX 32	     /* descriptors in a bag */
#define FD_BAG_BYTES_MAX (64 * 1024) /* and its data */

struct fd_store;

/**
 * fd_store_inherit() - take over what a predecessor or the service manager left
 * @ret_highest: the highest descriptor of them, or 2: close what is above
 *
 * To be called before anything is opened; variables are removed from the environment.
 * Return: the store; NULL without memory.
 */
struct fd_store *fd_store_inherit(int *ret_highest);
/**
 * fd_store_borrow() - what our parent has, by fd_store_hand_on(), to look at it only
 *
 * Arguments and return as fd_store_inherit().
 */
struct fd_store *fd_store_borrow(int *ret_highest);
/** fd_store_free() - close our copies; what the service manager has stays. Return: NULL. */
struct fd_store *fd_store_free(struct fd_store *store);
/** fd_store_outlives() - a service manager holds them: they survive our death */
bool fd_store_outlives(const struct fd_store *store);

/** fd_store_put() - keep @fd (taken over, also on failure) as @name. Return: 0 or -errno. */
int fd_store_put(struct fd_store *store, const char *name, int fd);
/** fd_store_get() - descriptor of @name, owned by @store; -1 */
int fd_store_get(const struct fd_store *store, const char *name);
/**
 * fd_store_newest() - descriptor of @base or of what fd_store_renew() has put in its place
 *
 * Owned by @store; -1.
 */
int fd_store_newest(const struct fd_store *store, const char *base);
/**
 * fd_store_renew() - keep @fd (taken over, also on failure) in place of fd_store_newest()
 *
 * A process that is killed on the way leaves the old one, or the new one, or both, of
 * which the new one counts. So @fd must be complete. When this returns 0, the service
 * manager has it in place of the old one. Where there was none, it does not wait.
 * Return: 0; -errno, the old one is still there then.
 */
int fd_store_renew(struct fd_store *store, const char *base, int fd);
/** fd_store_drop() - it is not needed any more; an unknown name is fine */
void fd_store_drop(struct fd_store *store, const char *name);
/** fd_store_clear() - drop all: nobody is to follow */
void fd_store_clear(struct fd_store *store);
/** fd_store_name() - name number @index, NULL behind the last; for loops that drop nothing */
const char *fd_store_name(const struct fd_store *store, size_t index);

/**
 * fd_store_hand_on() - let the program that we become inherit them
 * @on: false: take it back, the execve(2) failed
 *
 * Return: 0 or -errno.
 */
int fd_store_hand_on(struct fd_store *store, bool on);

/** fd_bag_make() - Return: descriptor of a bag with copies of @fds, or -errno. */
int fd_bag_make(const void *data, size_t size, const int *fds, size_t n_fds);
/**
 * fd_bag_open() - look into a bag, which stays as it is
 * @data: room for @size bytes
 * @fds:  room for FD_BAG_FDS_MAX, copies that the caller closes
 *
 * Return: bytes of data, or -errno.
 */
ssize_t fd_bag_open(int bag_fd, void *data, size_t size, int *fds, size_t *ret_n_fds);

#endif
