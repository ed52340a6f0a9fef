/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_DIR_STORE_H
#define DAEMON_DIR_STORE_H

/*
 * DOC: A store of directories
 *
 *   .tmp-<instance>-<n>     being written
 *   <name>                  complete; names begin with a letter or a digit
 *   .gone-<instance>-<n>    to be removed, nothing uses it any more
 *
 * A user of a directory holds a shared lock on it, a writer or remover the exclusive one.
 * The locks are those of flock(2): they hold against other instances and against
 * runbook-sandbox as well, and end with the process. So what is left of a killed instance
 * is what has one of the two prefixes and is not locked.
 *
 * Root makes, renames and removes the directory itself; what is in it was written by
 * others, and is written and removed by a sandbox.
 */

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define DIR_CLAIM_NAME_MAX 48

struct dir_store;

/** struct dir_claim - a directory that is ours alone: being written, or to be removed */
struct dir_claim {
	int fd;				   /* has the exclusive lock; -1: none */
	char name[DIR_CLAIM_NAME_MAX + 1]; /* in the store */
};
#define DIR_CLAIM_NULL ((struct dir_claim){.fd = -1})

/**
 * dir_store_open() - @path must be there
 * @instance: its first twelve characters are in the names of what we make
 *
 * Return: 0 or -errno with @error.
 */
int dir_store_open(const char *path, const char *instance, struct dir_store **ret_store,
		   struct error *error);
/** dir_store_close() - all uses end. NULL is fine. Return: NULL. */
struct dir_store *dir_store_close(struct dir_store *store);
/** dir_store_path() - as it was opened */
const char *dir_store_path(const struct dir_store *store);

/**
 * dir_store_make() - an empty directory to be written
 * @owner: user and group of it, if we are root
 *
 * Return: 0; -errno with @error, @ret_claim then has what is to be removed.
 */
int dir_store_make(struct dir_store *store, uid_t owner, struct dir_claim *ret_claim,
		   struct error *error);
/**
 * dir_store_commit() - it is complete, and its contents are on the disk
 *
 * Return: 0; -EEXIST when there is one of this name, or another -errno with @error. When
 * @claim is not empty then, the directory is still being written.
 */
int dir_store_commit(struct dir_store *store, struct dir_claim *claim, const char *name,
		     struct error *error);
/**
 * dir_store_take_out() - from now on @name is not there, and is to be removed
 *
 * Return: 0; -ENOENT; -EWOULDBLOCK while it is in use; another -errno.
 */
int dir_store_take_out(struct dir_store *store, const char *name, struct dir_claim *ret_claim);
/** dir_store_remove() - once it is empty. Return: 0, also when it is not there; -errno. */
int dir_store_remove(struct dir_store *store, const struct dir_claim *claim);
/** dir_claim_drop() - give the lock up; the directory stays for dir_store_sweep() */
void dir_claim_drop(struct dir_claim *claim);
/**
 * dir_store_sweep() - find what a killed instance was writing or removing
 * @found: takes @claim over. Return: false to look no further.
 */
void dir_store_sweep(struct dir_store *store,
		     bool (*found)(void *userdata, struct dir_claim *claim), void *userdata);

/**
 * dir_store_use() - keep @name from being taken out
 * @out: its path, PATH_MAX bytes
 *
 * Return: 0; -ENOENT, -ENAMETOOLONG, -ENOMEM. Each use is ended by dir_store_release().
 */
int dir_store_use(struct dir_store *store, const char *name, char *out);
void dir_store_release(struct dir_store *store, const char *name);

/** dir_store_list() - give @each the name of everything that is complete */
void dir_store_list(const struct dir_store *store, void (*each)(void *userdata, const char *name),
		    void *userdata);

#endif
