/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_DIR_STORE_H
#define DAEMON_DIR_STORE_H

/*
 * DOC: A store of directories
 *
 * A directory whose subdirectories are written once, then only read, shared by several
 * users, and removed when no one uses them; image layers are stored in it.
 *
 *   .tmp-<instance>-<n>     being written
 *   <name>                  complete; names begin with a letter or a digit
 *   .gone-<instance>-<n>    to be removed; nothing uses it any more
 *
 * A user of a subdirectory holds a shared flock(2) on it, its writer or remover the
 * exclusive one. The locks also hold against other instances of runbookd and against
 * runbook-sandbox, and end with the process. A subdirectory that has one of the two
 * prefixes and is not locked was therefore left by an instance that was killed.
 *
 * Root only makes, renames and removes the subdirectory itself. Its contents are not
 * trusted: they are written and removed inside a sandbox.
 */

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define DIR_CLAIM_NAME_MAX 48

struct dir_store;

/** struct dir_claim - a subdirectory under our exclusive lock: being written, or to be removed */
struct dir_claim {
	int fd;				   /* holds the lock; -1: no claim */
	char name[DIR_CLAIM_NAME_MAX + 1]; /* in the store */
};
#define DIR_CLAIM_NULL ((struct dir_claim){.fd = -1})

/**
 * dir_store_open() - open the store at @path, a directory that exists
 * @instance: its first twelve characters become part of the names with a prefix
 *
 * Return: 0 or -errno with @error.
 */
int dir_store_open(const char *path, const char *instance, struct dir_store **ret_store,
		   struct error *error);
/** dir_store_close() - free it, with the locks of all uses. NULL is fine. Return: NULL. */
struct dir_store *dir_store_close(struct dir_store *store);
/** dir_store_path() - the path that it was opened with, owned by @store */
const char *dir_store_path(const struct dir_store *store);

/**
 * dir_store_make() - make an empty subdirectory to be written
 * @owner: its user and group, if we are root
 *
 * Return: 0; -errno with @error, @ret_claim is then a claim on what was made and is to be
 * removed, or has no descriptor.
 */
int dir_store_make(struct dir_store *store, uid_t owner, struct dir_claim *ret_claim,
		   struct error *error);
/**
 * dir_store_commit() - rename a complete subdirectory to @name, and sync the store
 *
 * The caller has synced its contents. Return: 0; -EEXIST when @name exists already, or
 * another -errno, both with @error. If @claim still has its descriptor then, the
 * subdirectory was not renamed.
 */
int dir_store_commit(struct dir_store *store, struct dir_claim *claim, const char *name,
		     struct error *error);
/**
 * dir_store_take_out() - rename @name to a .gone- name and claim it, to be removed
 *
 * Return: 0; -ENOENT; -EWOULDBLOCK while it is in use; another -errno.
 */
int dir_store_take_out(struct dir_store *store, const char *name, struct dir_claim *ret_claim);
/**
 * dir_store_remove() - rmdir(2) the claimed subdirectory, which has been emptied
 *
 * Return: 0, also when it does not exist any more; -errno, as -ENOTEMPTY.
 */
int dir_store_remove(struct dir_store *store, const struct dir_claim *claim);
/** dir_claim_drop() - give up the lock; what has a prefix is left for dir_store_sweep() */
void dir_claim_drop(struct dir_claim *claim);
/**
 * dir_store_sweep() - claim each subdirectory that a killed instance was writing or removing
 * @found: takes @claim over. Return: false to end the sweep.
 */
void dir_store_sweep(struct dir_store *store,
		     bool (*found)(void *userdata, struct dir_claim *claim), void *userdata);

/**
 * dir_store_use() - take a shared lock on @name, so that it is not removed
 * @out: its path, PATH_MAX bytes
 *
 * Return: 0; -ENOENT, -ENAMETOOLONG, -ENOMEM. Each use is ended by dir_store_release().
 */
int dir_store_use(struct dir_store *store, const char *name, char *out);
/** dir_store_release() - end one use; the last one gives up the lock */
void dir_store_release(struct dir_store *store, const char *name);

/** dir_store_list() - call @each with the name of each complete subdirectory */
void dir_store_list(const struct dir_store *store, void (*each)(void *userdata, const char *name),
		    void *userdata);

#endif
