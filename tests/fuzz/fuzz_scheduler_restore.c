/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Restoring a backup that was changed. The input is u16 length and records from which a scheduler
 * makes a store (tests/fuzz/peers.h), u16 length and changes of its backup, then records for the
 * scheduler that runs on the restored store. The changes are
 *
 *   'U' u8 table, u8 column, u8 row, u8 kind, value   replace a value of a row
 *   'D' u8 table, u8 row                              delete a row
 *   'B' u8 low, u8 high, u8 value                     replace a byte of the file, after all others
 *
 * A restore may refuse the backup, and a scheduler may refuse to run on it.
 */
#include "scheduler/store/store_backup.h"
#include "tests/fuzz/scheduler_world.h"

#include <sqlite3.h>

#define CHANGES_MAX 32
#define NAMES_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct names {
	char items[NAMES_MAX][64];
	unsigned n;
};

static void names_load(sqlite3 *database, const char *sql, int column, struct names *names)
{
	sqlite3_stmt *statement = NULL;

	names->n = 0;
	if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK)
		abort();
	while (names->n < NAMES_MAX && sqlite3_step(statement) == SQLITE_ROW)
		(void)snprintf(names->items[names->n++], sizeof(names->items[0]), "%s",
			       (const char *)sqlite3_column_text(statement, column));
	(void)sqlite3_finalize(statement);
}

static const char *name_of(struct input *input, const struct names *names)
{
	return names->n ? names->items[input_byte(input) % names->n] : "none";
}

static void value_bind(sqlite3_stmt *statement, struct input *input)
{
	const uint8_t *block;
	size_t size;

	switch (input_byte(input) % 5) {
	case 0:
		(void)sqlite3_bind_int(statement, 1, input_byte(input));
		break;
	case 1:
		(void)sqlite3_bind_int64(statement, 1, (sqlite3_int64)input_number(input));
		break;
	case 2:
		block = input_block(input, 1, &size);
		(void)sqlite3_bind_text(statement, 1, (const char *)block, (int)size,
					SQLITE_TRANSIENT);
		break;
	case 3:
		block = input_block(input, 2, &size);
		(void)sqlite3_bind_blob(statement, 1, block, (int)size, SQLITE_TRANSIENT);
		break;
	default:
		(void)sqlite3_bind_null(statement, 1);
	}
}

/* Change a row; a change that the schema does not allow has no effect. */
static void row_change(sqlite3 *database, const char *table, const char *column,
		       struct input *input)
{
	unsigned row = input_byte(input);
	sqlite3_stmt *statement = NULL;
	char sql[300];

	if (column)
		(void)snprintf(sql, sizeof(sql),
			       "UPDATE %s SET %s=?1 WHERE rowid=(SELECT rowid FROM %s LIMIT 1 "
			       "OFFSET %u)",
			       table, column, table, row % 4);
	else
		(void)snprintf(
			sql, sizeof(sql),
			"DELETE FROM %s WHERE rowid=(SELECT rowid FROM %s LIMIT 1 OFFSET %u)",
			table, table, row % 4);
	if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) == SQLITE_OK) {
		if (column)
			value_bind(statement, input);
		(void)sqlite3_step(statement);
	}
	(void)sqlite3_finalize(statement);
}

static void byte_change(const char *path, struct input *input)
{
	off_t at = input_byte(input);
	uint8_t value;
	cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	at |= (off_t)input_byte(input) << 8;
	value = input_byte(input);
	if (fd < 0 || pwrite(fd, &value, 1, at) != 1)
		abort();
}

static void backup_change(const char *path, struct input input)
{
	sqlite3 *database = NULL;
	struct names tables, columns;
	char sql[100];

	if (sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
		abort();
	names_load(database, "SELECT name FROM sqlite_master WHERE type='table' ORDER BY name", 0,
		   &tables);
	for (unsigned i = 0; i < CHANGES_MAX && input.size > 0; i++) {
		uint8_t what = input_byte(&input);
		const char *table = name_of(&input, &tables);

		if (what == 'B') {
			byte_change(path, &input);
		} else if (what == 'D') {
			row_change(database, table, NULL, &input);
		} else {
			(void)snprintf(sql, sizeof(sql), "PRAGMA table_info(%s)", table);
			names_load(database, sql, 1, &columns);
			row_change(database, table, name_of(&input, &columns), &input);
		}
	}
	(void)sqlite3_close(database);
}

/* Write a backup of the store to @path. */
static void backup_make(const char *path)
{
	const struct store_manifest manifest = {.version = "1", .instance = "i", .created_usec = 1};
	struct store_backup *backup = NULL;
	struct error error = ERROR_INIT;
	struct store *store = NULL;
	cleanup_close int from = -1, to = -1;
	cleanup_free char *data = NULL;
	size_t size;

	if (store_open(store_path, &store, &error) < 0 ||
	    store_backup_begin(store, &manifest, &backup, &error) < 0)
		abort();
	while (store_backup_continue(backup, &error) == 0)
		;
	from = store_backup_take(backup);
	(void)store_backup_free(backup);
	(void)store_close(store);
	to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (from < 0 || to < 0 || fd_read_file(from, SIZE_MAX / 4, &data, &size) < 0 ||
	    fd_write_all(to, data, size) < 0)
		abort();
}

static struct input input_part(struct input *input)
{
	struct input part;

	part.data = input_block(input, 2, &part.size);
	return part;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	struct error error = ERROR_INIT;
	struct store_manifest manifest;
	char path[80];
	int fd, r;

	store_empty();
	if (run(input_part(&input)) < 0)
		abort();
	(void)snprintf(path, sizeof(path), "%s/backup", top);
	backup_make(path);
	backup_change(path, input_part(&input));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	r = store_restore(fd, store_path, 1000, &manifest, &error);
	(void)close(fd);
	if (r < 0 && !error.text[0])
		abort(); /* a refusal has a reason */
	(void)run(input);
	return 0;
}
