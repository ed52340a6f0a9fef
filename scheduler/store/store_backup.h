/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_STORE_BACKUP_H
#define SCHEDULER_STORE_BACKUP_H

/*
 * DOC: Backup and restore of the store
 *
 * A backup is one file, an SQLite database without write-ahead log. Its application id
 * (STORE_BACKUP_ID) and its table backup_manifest identify it: `runbookd` (version), `schema`,
 * `created_usec`, `instance`. The copy is made a few pages at a time through the connection that
 * also writes, so that it shows the state at one moment, its end, and blocks nothing meanwhile.
 * Then each of its tables is checked; an incomplete or damaged copy is never handed out. Secrets in
 * it are encrypted as in the store; the key is not in it. Neither are logs, artifacts and images.
 *
 * A restore takes effect with one rename. The replaced database stays beside it, as
 * DATABASE.replaced-TIME, until the administrator removes it.
 */

#include "common/error.h"
#include "scheduler/store/store.h"

#include <stdbool.h>
#include <stdint.h>

#define STORE_BACKUP_ID 0x52424B50 /* "RBKP" */

/** struct store_manifest - description of a backup */
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
 * store_backup_continue() - work for some milliseconds; not while a transaction is open
 *
 * Return: 1 when the copy is complete and checked, 0 when there is more to do, or -errno with
 * @error set. -EUCLEAN: the copy, and so the store, is damaged.
 */
int store_backup_continue(struct store_backup *backup, struct error *error);
/**
 * store_backup_take() - the finished copy, open for reading and already unlinked. Return: fd or
 * -errno.
 */
int store_backup_take(struct store_backup *backup);
/** store_backup_free() - delete what there is of the copy. Return: NULL. */
struct store_backup *store_backup_free(struct store_backup *backup);
/** store_backup_sweep() - delete a killed process's unfinished copy beside the store at @path */
void store_backup_sweep(const char *path);

/**
 * store_restore() - replace the store at @path by the backup in @fd
 * @above:        numbers of new runs are above this one
 * @ret_manifest: description of the backup
 *
 * The caller holds the locks that keep other processes away from @path. Return: 0, or -errno with
 * @error set and the store as it was.
 */
int store_restore(int fd, const char *path, uint64_t above, struct store_manifest *ret_manifest,
		  struct error *error);
/**
 * store_restore_finish() - finish a restore that was killed after its rename. Return: 0 or -errno
 * with @error.
 */
int store_restore_finish(const char *path, struct error *error);

#endif
