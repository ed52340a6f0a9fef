/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backup becomes the store. Everything that can fail comes before one rename, of the checked copy
 * to DATABASE.restored. What follows that rename is finished at the next start, however often it is
 * interrupted.
 */
#include "common/cleanup.h"
#include "common/fdio.h"
#include "scheduler/store/store_backup.h"
#include "scheduler/store/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_BUFFER 65536

static int directory_sync(const char *path)
{
	char directory[PATH_MAX];
	char *slash;
	cleanup_close int fd = -1;

	(void)snprintf(directory, sizeof(directory), "%s", path);
	slash = strrchr(directory, '/');
	if (!slash)
		return -EINVAL;
	*slash = '\0';
	fd = open(directory[0] ? directory : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* ---- checking the copy ---- */

static int copy_bytes(int from, int to, struct error *error)
{
	char buffer[COPY_BUFFER];
	ssize_t got;

	while ((got = fd_read_all(from, buffer, sizeof(buffer))) > 0) {
		int r = fd_write_all(to, buffer, (size_t)got);

		if (r < 0)
			return error_errno(error, -r, "cannot copy the backup");
	}
	return got < 0 ? error_errno(error, (int)-got, "cannot read the backup") : 0;
}

static int copy_make(int fd, const char *path, struct error *error)
{
	cleanup_close int to = -1;

	/* left by an interrupted restore */
	store_copy_remove(path);
	to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return error_errno(error, errno, "cannot make %s", path);
	return copy_bytes(fd, to, error);
}

static int query_number(sqlite3 *database, const char *sql, uint64_t *ret_number)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(database, sql, -1, &statement, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	*ret_number = code == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(statement, 0) : 0;
	(void)sqlite3_finalize(statement);
	return code == SQLITE_ROW ? 0 : store_errno(code) ? store_errno(code) : -ENOENT;
}

static void query_text(sqlite3 *database, const char *sql, char *out, size_t size)
{
	sqlite3_stmt *statement = NULL;
	const char *text = NULL;

	out[0] = '\0';
	if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		text = (const char *)sqlite3_column_text(statement, 0);
	if (text)
		(void)snprintf(out, size, "%s", text);
	(void)sqlite3_finalize(statement);
}

#define MANIFEST(key) "SELECT value FROM backup_manifest WHERE key='" key "'"

static int manifest_check(sqlite3 *database, struct store_manifest *manifest, struct error *error)
{
	uint64_t id = 0, schema = 0;
	char found[200];
	int r = query_number(database, "PRAGMA application_id", &id);

	if (r == 0)
		r = query_number(database, "PRAGMA user_version", &schema);
	if (r == -ENOENT || (r == 0 && id != STORE_BACKUP_ID) || r == -EUCLEAN)
		return error_set(
			error, EINVAL,
			"this is not a backup of runbookd, or it is damaged: give a file that "
			"`runbookctl backup` made");
	if (r < 0)
		return error_errno(error, -r, "the backup cannot be read");
	/* first of all: to this program, a newer schema may look damaged */
	if (schema > store_schema_version())
		return error_set(error, EPROTO,
				 "the backup has schema %llu, this version of runbookd knows up to "
				 "%llu: install the version that made it, or a later one",
				 (unsigned long long)schema,
				 (unsigned long long)store_schema_version());
	query_text(database, "PRAGMA integrity_check(1)", found, sizeof(found));
	if (strcmp(found, "ok") != 0)
		return error_set(error, EUCLEAN, "the backup is damaged (%s): take another one",
				 found[0] ? found : sqlite3_errmsg(database));
	manifest->schema = schema;
	if (query_number(database, MANIFEST("created_usec"), &manifest->created_usec) < 0 ||
	    query_number(database, MANIFEST("runs"), &manifest->runs) < 0)
		return error_set(error, EINVAL, "the backup lacks its manifest: take another one");
	query_text(database, MANIFEST("runbookd"), manifest->version, sizeof(manifest->version));
	query_text(database, MANIFEST("instance"), manifest->instance, sizeof(manifest->instance));
	return 0;
}

/*
 * Drop the manifest and the application id, and never use numbers again that were given since the
 * backup.
 */
static int copy_adopt(sqlite3 *database, uint64_t above, struct error *error)
{
	cleanup_sqlite_text char *sql = sqlite3_mprintf(
		"PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL; BEGIN;"
		"DROP TABLE backup_manifest; PRAGMA application_id=0;"
		"INSERT INTO sqlite_sequence(name, seq) SELECT 'runs', 0 WHERE NOT EXISTS"
		" (SELECT 1 FROM sqlite_sequence WHERE name='runs');"
		"UPDATE sqlite_sequence SET seq=max(seq, %lld) WHERE name='runs';"
		"COMMIT;",
		(long long)above);
	char *text = NULL;

	if (!sql)
		return error_errno(error, ENOMEM, "restore");
	if (sqlite3_exec(database, sql, NULL, NULL, &text) == SQLITE_OK)
		return 0;
	(void)error_set(error, EIO, "the backup cannot be taken over: %s",
			text ? text : sqlite3_errmsg(database));
	sqlite3_free(text);
	return -EIO;
}

/* Check the copy, make it a store and sync it, all under its temporary name. */
static int copy_prepare(const char *path, uint64_t above, struct store_manifest *manifest,
			struct error *error)
{
	cleanup_close int fd = -1;
	sqlite3 *database = NULL;
	int r;

	if (sqlite3_open_v2(path, &database,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
			    NULL) != SQLITE_OK ||
	    sqlite3_exec(database,
			 "PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF;"
			 "PRAGMA cell_size_check=ON;",
			 NULL, NULL, NULL) != SQLITE_OK)
		r = error_set(error, EIO, "the backup cannot be opened: %s",
			      database ? sqlite3_errmsg(database) : "no memory");
	else
		r = manifest_check(database, manifest, error);
	if (r == 0)
		r = copy_adopt(database, above, error);
	if (sqlite3_close(database) != SQLITE_OK && r == 0)
		r = error_set(error, EIO, "the backup cannot be closed");
	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? error_errno(error, errno, "cannot sync %s", path) : 0;
}

/* ---- replacing the store ---- */

/* Rename @path to @path.replaced-TIME, and the files that belong to it. */
static int replaced_move(const char *path, long long time, struct error *error)
{
	static const char *const tails[] = {"", "-wal", "-shm", ".state"};
	char from[PATH_MAX + 16], to[PATH_MAX + 64];

	for (size_t i = 0; i < ARRAY_SIZE(tails); i++) {
		(void)snprintf(from, sizeof(from), "%s%s", path, tails[i]);
		(void)snprintf(to, sizeof(to), "%s.replaced-%lld%s", path, time, tails[i]);
		if (rename(from, to) < 0 && errno != ENOENT)
			return error_errno(error, errno, "cannot move %s away", from);
	}
	return 0;
}

int store_restore_finish(const char *path, struct error *error)
{
	char restored[PATH_MAX];
	struct stat st;
	int r;

	if (snprintf(restored, sizeof(restored), "%s.restored", path) >= (int)sizeof(restored))
		return error_errno(error, ENAMETOOLONG, "%s", path);
	if (stat(restored, &st) < 0)
		return errno == ENOENT ? 0 : error_errno(error, errno, "%s", restored);
	r = replaced_move(path, (long long)st.st_mtim.tv_sec, error);
	if (r < 0)
		return r;
	/* the old log must be gone from the disk before the new database appears */
	r = directory_sync(path);
	if (r == 0 && rename(restored, path) < 0)
		r = -errno;
	if (r == 0)
		r = directory_sync(path);
	return r < 0 ? error_errno(error, -r, "cannot put %s in place", restored) : 0;
}

int store_restore(int fd, const char *path, uint64_t above, struct store_manifest *ret_manifest,
		  struct error *error)
{
	char temporary[PATH_MAX], restored[PATH_MAX];
	int r;

	*ret_manifest = (struct store_manifest){0};
	if (snprintf(temporary, sizeof(temporary), "%s.restore.tmp", path) >=
		    (int)sizeof(temporary) ||
	    snprintf(restored, sizeof(restored), "%s.restored", path) >= (int)sizeof(restored))
		return error_errno(error, ENAMETOOLONG, "%s", path);
	r = store_restore_finish(path, error);
	if (r == 0)
		r = copy_make(fd, temporary, error);
	if (r == 0)
		r = copy_prepare(temporary, above, ret_manifest, error);
	if (r < 0) {
		store_copy_remove(temporary);
		return r;
	}
	if (rename(temporary, restored) < 0 || directory_sync(path) < 0)
		return error_errno(error, errno, "cannot put %s in place", restored);
	return store_restore_finish(path, error);
}
