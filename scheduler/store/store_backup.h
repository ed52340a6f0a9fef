/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_STORE_BACKUP_H
#define SCHEDULER_STORE_BACKUP_H

/*
 * DOC: Backup and restore of the store
 *
 * A backup is one file, an SQLite database without write-ahead log, which says by
 * its application id (STORE_BACKUP_ID) and its table backup_manifest what it is:
 * `runbookd` (version), `schema`, `created_usec`, `instance`. It is made a few
 * pages at a time through the connection that also writes, so that it is the state
 * of one moment, its end, and nobody waits for it; then each table of it is
 * checked, and only a whole copy is handed out. Secrets in it are as encrypted as
 * in the store; the key is not in it. Neither are logs, artifacts and images.
 *
 * A restore takes effect at one rename. What it replaces stays beside it, as
 * DATABASE.replaced-TIME, until somebody removes it.
 */

#include "common/error.h"
#include "scheduler/store/store.h"

#include <stdbool.h>
#include <stdint.h>

#define STORE_BACKUP_ID 0x52424B50 /* "RBKP" */

/** struct store_manifest - what a backup says of itself */
struct store_manifest {
	char version[64];
	char instance[132];
	uint64_t schema;
	uint64_t created_usec;
	uint64_t runs;
};

struct store_backup;

/**
 * store_backup_begin() - start a copy beside the store
 * @manifest: version, instance and created_usec are taken
 *
 * Return: 0, -EBUSY (one is being made), or -errno with @error set.
 */
int store_backup_begin(struct store *store, const struct store_manifest *manifest,
		       struct store_backup **ret_backup, struct error *error);
/**
 * store_backup_continue() - some milliseconds of work; not while a transaction is open
 *
 * Return: 1 when the copy is whole and checked, 0 when there is more to do, or
 * -errno with @error set. -EUCLEAN: the copy, and so the store, is damaged.
 */
int store_backup_continue(struct store_backup *backup, struct error *error);
/** store_backup_take() - the finished copy, open for reading, nameless. Return: fd or -errno. */
int store_backup_take(struct store_backup *backup);
/** store_backup_free() - removes what is there of it. Return: NULL. */
struct store_backup *store_backup_free(struct store_backup *backup);
/** store_backup_sweep() - remove what a backup that was killed left beside the store at @path */
void store_backup_sweep(const char *path);

/**
 * store_restore() - the backup in @fd becomes the store at @path
 * @above:        no run made after it gets a number up to this one
 * @ret_manifest: what the backup says of itself
 *
 * The caller holds the locks that keep everybody else away from @path. Return: 0,
 * or -errno with @error set and the store as it was.
 */
int store_restore(int fd, const char *path, uint64_t above, struct store_manifest *ret_manifest,
		  struct error *error);
/** store_restore_finish() - a restore that was cut short in its last moment is brought to its end */
int store_restore_finish(const char *path, struct error *error);

#endif
