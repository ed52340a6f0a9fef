/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/store/store_backup.h"

#include "common/cleanup.h"
#include "common/loop.h"
#include "scheduler/store/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGES_STEP 64
#define WORK_USEC (4 * USEC_PER_MSEC) /* of one call: the loop waits meanwhile */

enum backup_phase { PHASE_COPY, PHASE_MANIFEST, PHASE_CHECK, PHASE_DONE };

struct store_backup {
	struct store *store;
	sqlite3 *copy;
	sqlite3_backup *work;
	sqlite3_stmt *tables; /* tables that are still to be checked */
	enum backup_phase phase;
	struct store_manifest manifest;
	char path[PATH_MAX];
};

static int copy_failed(struct store_backup *backup, int code, const char *what, struct error *error)
{
	int r = store_errno(code);

	return error_set(error, r ? -r : EIO, "%s: %s", what, sqlite3_errmsg(backup->copy));
}

static int copy_exec(struct store_backup *backup, const char *sql, struct error *error)
{
	int code = sqlite3_exec(backup->copy, sql, NULL, NULL, NULL);

	return code == SQLITE_OK ? 0 : copy_failed(backup, code, "the copy", error);
}

void store_copy_remove(const char *path)
{
	static const char *const tails[] = {"", "-journal", "-wal", "-shm"};
	char name[PATH_MAX + 16];

	for (size_t i = 0; i < ARRAY_SIZE(tails); i++) {
		(void)snprintf(name, sizeof(name), "%s%s", path, tails[i]);
		(void)unlink(name);
	}
}

static int backup_path(char out[PATH_MAX], const char *path)
{
	return snprintf(out, PATH_MAX, "%s.backup.tmp", path) >= PATH_MAX ? -ENAMETOOLONG : 0;
}

void store_backup_sweep(const char *path)
{
	char name[PATH_MAX];

	if (backup_path(name, path) == 0)
		store_copy_remove(name);
}

static int copy_open(struct store_backup *backup, struct error *error)
{
	int code;

	store_copy_remove(backup->path);
	code = sqlite3_open_v2(backup->path, &backup->copy,
			       SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
				       SQLITE_OPEN_EXRESCODE,
			       NULL);
	if (code != SQLITE_OK)
		return error_set(error, EIO, "cannot make %s: %s", backup->path,
				 backup->copy ? sqlite3_errmsg(backup->copy) : "no memory");
	/* the receiver makes the copy durable where it keeps it */
	if (copy_exec(backup,
		      "PRAGMA synchronous=OFF; PRAGMA temp_store=MEMORY;"
		      "PRAGMA trusted_schema=OFF; PRAGMA journal_mode=OFF;",
		      error) < 0)
		return -error->number;
	backup->work = sqlite3_backup_init(backup->copy, "main", backup->store->database, "main");
	if (!backup->work)
		return copy_failed(backup, sqlite3_errcode(backup->copy), "cannot begin", error);
	return 0;
}

int store_backup_begin(struct store *store, const struct store_manifest *manifest,
		       struct store_backup **ret_backup, struct error *error)
{
	struct store_backup *backup;
	int r;

	if (store->backup)
		return error_set(error, EBUSY, "a backup is being made already: wait for it");
	backup = calloc(1, sizeof(*backup));
	if (!backup)
		return error_errno(error, ENOMEM, "backup");
	backup->store = store;
	backup->manifest = *manifest;
	r = backup_path(backup->path, sqlite3_db_filename(store->database, "main"));
	r = r < 0 ? error_errno(error, -r, "backup") : copy_open(backup, error);
	if (r < 0) {
		(void)store_backup_free(backup);
		return r;
	}
	store->backup = backup;
	*ret_backup = backup;
	return 0;
}

static int phase_copy(struct store_backup *backup, struct error *error)
{
	int code = sqlite3_backup_step(backup->work, PAGES_STEP);

	if (code == SQLITE_OK || code == SQLITE_BUSY || code == SQLITE_LOCKED)
		return 0;
	if (code == SQLITE_DONE)
		code = sqlite3_backup_finish(TAKE_PTR(backup->work));
	if (code != SQLITE_OK)
		return copy_failed(backup, code, "cannot copy", error);
	backup->phase = PHASE_MANIFEST;
	return 0;
}

/* The copy claims WAL mode like the store, which would make it two files: change that. */
static int phase_manifest(struct store_backup *backup, struct error *error)
{
	const struct store_manifest *manifest = &backup->manifest;
	cleanup_sqlite_text char *sql = sqlite3_mprintf(
		"PRAGMA journal_mode=DELETE; PRAGMA application_id=%d;"
		"BEGIN;"
		"CREATE TABLE backup_manifest(key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;"
		"INSERT INTO backup_manifest VALUES('runbookd', %Q), ('instance', %Q),"
		" ('created_usec', %lld),"
		" ('schema', (SELECT user_version FROM pragma_user_version)),"
		" ('runs', (SELECT count(*) FROM runs));"
		"COMMIT;",
		STORE_BACKUP_ID, manifest->version, manifest->instance,
		(long long)manifest->created_usec);
	int code;

	if (!sql)
		return error_errno(error, ENOMEM, "backup");
	if (copy_exec(backup, sql, error) < 0)
		return -error->number;
	code = sqlite3_prepare_v2(backup->copy, "SELECT name FROM sqlite_schema WHERE type='table'",
				  -1, &backup->tables, NULL);
	if (code != SQLITE_OK)
		return copy_failed(backup, code, "the copy", error);
	backup->phase = PHASE_CHECK;
	return 0;
}

static int table_check(struct store_backup *backup, const char *table, struct error *error)
{
	cleanup_sqlite_text char *sql = sqlite3_mprintf("PRAGMA integrity_check(%Q)", table);
	sqlite3_stmt *statement = NULL;
	const char *found;
	int code, r = 0;

	if (!sql)
		return error_errno(error, ENOMEM, "backup");
	code = sqlite3_prepare_v2(backup->copy, sql, -1, &statement, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	found = code == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
	if (!found || strcmp(found, "ok") != 0)
		r = error_set(error, EUCLEAN, "table %s: %s", table,
			      found ? found : sqlite3_errmsg(backup->copy));
	(void)sqlite3_finalize(statement);
	return r;
}

static int phase_check(struct store_backup *backup, struct error *error)
{
	int code = sqlite3_step(backup->tables);

	if (code == SQLITE_ROW)
		return table_check(backup, (const char *)sqlite3_column_text(backup->tables, 0),
				   error);
	if (code != SQLITE_DONE)
		return copy_failed(backup, code, "the copy", error);
	(void)sqlite3_finalize(TAKE_PTR(backup->tables));
	code = sqlite3_close(backup->copy);
	backup->copy = NULL;
	if (code != SQLITE_OK)
		return error_set(error, EIO, "the copy cannot be closed: %s", sqlite3_errstr(code));
	backup->phase = PHASE_DONE;
	return 0;
}

int store_backup_continue(struct store_backup *backup, struct error *error)
{
	static int (*const phases[])(struct store_backup *, struct error *) = {
		[PHASE_COPY] = phase_copy,
		[PHASE_MANIFEST] = phase_manifest,
		[PHASE_CHECK] = phase_check,
	};
	uint64_t deadline = now_usec() + WORK_USEC;
	int r = 0;

	while (r == 0 && backup->phase != PHASE_DONE && now_usec() < deadline)
		r = phases[backup->phase](backup, error);
	return r < 0 ? r : backup->phase == PHASE_DONE;
}

int store_backup_take(struct store_backup *backup)
{
	int fd = open(backup->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	store_copy_remove(backup->path);
	return fd;
}

struct store_backup *store_backup_free(struct store_backup *backup)
{
	if (!backup)
		return NULL;
	(void)sqlite3_finalize(backup->tables);
	if (backup->work)
		(void)sqlite3_backup_finish(backup->work);
	(void)sqlite3_close(backup->copy);
	store_copy_remove(backup->path);
	if (backup->store->backup == backup)
		backup->store->backup = NULL;
	free(backup);
	return NULL;
}
