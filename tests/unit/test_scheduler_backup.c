/* SPDX-License-Identifier: Apache-2.0 */
/* Backups of the store, restores, and a store that is not as it was left. */
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/remove_tree.h"
#include "scheduler/store/store.h"
#include "scheduler/store/store_backup.h"
#include "scheduler/store/store_check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/cmocka_headers.h"

#define MANY 10000 /* events in ten runs: some thousand pages */

struct fixture {
	char dir[64];
	char path[96];
	struct store *store;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	store_boot_look();
	(void)snprintf(fixture->dir, sizeof(fixture->dir), "/tmp/runbook-store-XXXXXX");
	assert_non_null(mkdtemp(fixture->dir));
	(void)snprintf(fixture->path, sizeof(fixture->path), "%s/runbookd.db", fixture->dir);
	assert_int_equal(store_open(fixture->path, &fixture->store, NULL), 0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	fixture->store = store_close(fixture->store);
	assert_int_equal(remove_tree(AT_FDCWD, fixture->dir), 0);
	free(fixture);
	return 0;
}

static void fill(struct store *store, unsigned runs)
{
	char text[400];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	for (unsigned i = 0; i < runs; i++) {
		const struct store_run run = {.project = "p",
					      .event = "push",
					      .ref = "refs/heads/main",
					      .asked = "c",
					      .created_usec = i};
		struct store_event event = {.from = "", .to = "pending", .reason = text};

		event.run = store_run_add(store, &run);
		for (unsigned j = 0; j < MANY / 10; j++)
			assert_true(store_event_add(store, &event) > 0);
	}
	assert_int_equal(store_commit(store, NULL), 0);
}

static uint64_t run_total(struct store *store)
{
	uint64_t counts[RUN_STATE_NUM], total = 0;

	assert_int_equal(store_run_counts(store, counts), 0);
	for (unsigned i = 0; i < RUN_STATE_NUM; i++)
		total += counts[i];
	return total;
}

/* A complete backup; with @busy, writes happen between its pieces. */
static int backup_make(struct fixture *fixture, bool busy)
{
	const struct store_manifest manifest = {
		.version = "1.2.3", .instance = "i'1", .created_usec = 77};
	struct store_backup *backup = NULL, *second = NULL;
	struct error error = ERROR_INIT;
	int fd, r;

	assert_int_equal(store_backup_begin(fixture->store, &manifest, &backup, &error), 0);
	assert_int_equal(store_backup_begin(fixture->store, &manifest, &second, &error), -EBUSY);
	while ((r = store_backup_continue(backup, &error)) == 0) {
		if (busy)
			fill(fixture->store, 1);
		busy = false;
	}
	if (r < 0)
		fail_msg("%s", error.text);
	assert_false(busy); /* or this machine copies all of it in one piece */
	fd = store_backup_take(backup);
	assert_true(fd >= 0);
	assert_null(store_backup_free(backup));
	return fd;
}

static unsigned files(const struct fixture *fixture, const char *part)
{
	cleanup_closedir DIR *directory = opendir(fixture->dir);
	const struct dirent *entry;
	unsigned n = 0;

	assert_non_null(directory);
	while ((entry = readdir(directory)))
		n += strstr(entry->d_name, part) != NULL;
	return n;
}

static void restore_expect(struct fixture *fixture, int fd, int wanted, const char *sentence)
{
	struct store_manifest manifest;
	struct error error = ERROR_INIT;
	int r;

	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	fixture->store = store_close(fixture->store);
	r = store_restore(fd, fixture->path, 500, &manifest, &error);
	if (r != wanted || !strstr(error.text, sentence))
		fail_msg("%d instead of %d: %s", r, wanted, error.text);
	if (r == 0) {
		assert_string_equal(manifest.version, "1.2.3");
		assert_string_equal(manifest.instance, "i'1");
		assert_int_equal(manifest.created_usec, 77);
	}
	assert_int_equal(store_open(fixture->path, &fixture->store, &error), 0);
	assert_int_equal(files(fixture, ".tmp"), 0);
	assert_int_equal(files(fixture, ".restored"), 0);
}

static void test_backup_and_restore(void **state)
{
	struct fixture *fixture = *state;
	cleanup_close int fd = -1;
	uint64_t then;
	const struct store_run run = {.project = "p", .event = "push", .ref = "r", .asked = "c"};

	/* some 30 MB: one piece of work takes 4 ms and must not be enough on any machine */
	fill(fixture->store, 60);
	fd = backup_make(fixture, true);
	then = run_total(fixture->store);
	assert_int_equal(then, 61);
	fill(fixture->store, 5);
	restore_expect(fixture, fd, 0, "");
	/* a backup shows the end of the copying: writes during the copy are in it */
	assert_int_equal(run_total(fixture->store), then);
	/* the old database, its log and its state file */
	assert_true(files(fixture, ".replaced-") >= 3);
	/* numbers that other systems know are not used twice */
	assert_int_equal(store_run_add(fixture->store, &run), 501);
	assert_int_equal(store_commit(fixture->store, NULL), 0);
}

static void test_uncommitted_is_not_in_it(void **state)
{
	struct fixture *fixture = *state;
	const struct store_manifest manifest = {
		.version = "1.2.3", .instance = "i'1", .created_usec = 77};
	const struct store_run run = {.project = "p", .event = "push", .ref = "r", .asked = "c"};
	struct store_backup *backup;
	cleanup_close int fd = -1;

	fill(fixture->store, 1);
	assert_int_equal(store_backup_begin(fixture->store, &manifest, &backup, NULL), 0);
	/* given up in the middle: no file stays */
	assert_int_equal(store_backup_continue(backup, NULL) < 0, 0);
	assert_null(store_backup_free(backup));
	assert_int_equal(files(fixture, ".tmp"), 0);
	fd = backup_make(fixture, false);
	assert_true(store_run_add(fixture->store, &run) > 0);
	restore_expect(fixture, fd, 0, "");
	assert_int_equal(run_total(fixture->store), 1);
}

static int copy_fd(struct fixture *fixture, int fd, const char *sql)
{
	char path[160];
	sqlite3 *database;
	char *data;
	size_t size;
	int out;

	(void)snprintf(path, sizeof(path), "%s/copy", fixture->dir);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(fd_read_file(fd, 1U << 30, &data, &size), 0);
	out = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(out >= 0);
	assert_int_equal(fd_write_all(out, data, size), 0);
	free(data);
	if (sql) {
		assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
		assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
		assert_int_equal(sqlite3_close(database), SQLITE_OK);
	}
	assert_int_equal(unlink(path), 0);
	return out;
}

static void test_bad_backups(void **state)
{
	static const struct {
		const char *sql;
		int wanted;
		const char *sentence;
	} cases[] = {
		{"PRAGMA user_version=9999", -EPROTO, "schema 9999"},
		{"PRAGMA application_id=1", -EINVAL, "not a backup of runbookd"},
		{"DELETE FROM backup_manifest", -EINVAL, "lacks its manifest"},
	};
	struct fixture *fixture = *state;
	cleanup_close int fd = -1;
	const char zeros[4096] = {0};
	struct stat st;

	fill(fixture->store, 10);
	fd = backup_make(fixture, false);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_close int bad = copy_fd(fixture, fd, cases[i].sql);

		restore_expect(fixture, bad, cases[i].wanted, cases[i].sentence);
		assert_int_equal(run_total(fixture->store), 10);
	}
	assert_int_equal(fstat(fd, &st), 0);
	for (int i = 0; i < 4; i++) {
		cleanup_close int bad = copy_fd(fixture, fd, NULL);

		if (i == 0) /* header */
			assert_int_equal(pwrite(bad, zeros, 100, 0), 100);
		else if (i == 1) /* a page in the middle */
			assert_int_equal(pwrite(bad, zeros, 4096, st.st_size / 8192 * 4096), 4096);
		else if (i == 2) /* half of the file */
			assert_int_equal(ftruncate(bad, st.st_size / 8192 * 4096), 0);
		else /* an empty file */
			assert_int_equal(ftruncate(bad, 0), 0);
		restore_expect(fixture, bad, i == 1 ? -EUCLEAN : -EINVAL,
			       i == 1 ? "damaged" : "not a backup");
		assert_int_equal(run_total(fixture->store), 10);
	}
}

/* Killed after the rename that decides: the next start finishes the restore. */
static void test_restore_cut_short(void **state)
{
	static const char *const gone[] = {"", "-wal", "-shm", ".state"};
	struct fixture *fixture = *state;
	struct store_manifest manifest;
	cleanup_close int fd = -1;

	fill(fixture->store, 3);
	fd = backup_make(fixture, false);
	for (size_t n = 0; n <= ARRAY_SIZE(gone); n++) {
		char restored[128], from[160], to[160];

		fill(fixture->store, 1);
		fixture->store = store_close(fixture->store);
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
		assert_int_equal(store_restore(fd, fixture->path, 0, &manifest, NULL), 0);
		/* simulate it: the new database waits, a part of the old one is moved already */
		(void)snprintf(restored, sizeof(restored), "%s.restored", fixture->path);
		assert_int_equal(rename(fixture->path, restored), 0);
		assert_int_equal(store_open(fixture->path, &fixture->store, NULL), 0);
		fixture->store = store_close(fixture->store);
		assert_int_equal(rename(fixture->path, restored), 0);
		for (size_t i = 1; i < n; i++) {
			(void)snprintf(from, sizeof(from), "%s%s", fixture->path, gone[i]);
			(void)snprintf(to, sizeof(to), "%s.moved%s", fixture->path, gone[i]);
			(void)rename(from, to);
		}
		assert_int_equal(store_open(fixture->path, &fixture->store, NULL), 0);
		assert_int_equal(run_total(fixture->store), 3);
		assert_int_equal(files(fixture, ".restored"), 0);
	}
}

/* ---- a store that is not as it was left ---- */

static void open_expect(struct fixture *fixture, int wanted, const char *sentence)
{
	struct error error = ERROR_INIT;
	int r = store_open(fixture->path, &fixture->store, &error);

	if (r != wanted || !strstr(error.text, sentence))
		fail_msg("%d instead of %d: %s", r, wanted, error.text);
	if (wanted < 0)
		fixture->store = NULL;
}

static void tail_remove(const struct fixture *fixture, const char *tail)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s%s", fixture->path, tail);
	assert_int_equal(unlink(path), 0);
}

static void test_files_gone(void **state)
{
	struct fixture *fixture = *state;
	static const char line[] = "open this-boot\n";
	cleanup_close int dir_fd = open(fixture->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	fill(fixture->store, 1);
	fixture->store = store_close(fixture->store);
	assert_int_equal(files(fixture, "-wal"), 1);
	tail_remove(fixture, "-wal");
	open_expect(fixture, 0, ""); /* the database was empty */
	fixture->store = store_close(fixture->store);
	tail_remove(fixture, "-wal");
	assert_int_equal(file_replace(dir_fd, "runbookd.db.state", line, strlen(line), 0600), 0);
	open_expect(fixture, -EUCLEAN, "-wal is gone");
	tail_remove(fixture, ".state"); /* as the error sentence advises */
	open_expect(fixture, 0, "");
	assert_int_equal(run_total(fixture->store), 1);
	fixture->store = store_close(fixture->store);
	assert_int_equal(truncate(fixture->path, 0), 0);
	open_expect(fixture, -EUCLEAN, "is empty");
	tail_remove(fixture, "");
	open_expect(fixture, -EUCLEAN, "is gone");
	assert_int_equal(files(fixture, ".db"),
			 files(fixture, ".db-") + 1); /* and no log was made */
	tail_remove(fixture, ".state");
	tail_remove(fixture, "-wal");
	open_expect(fixture, 0, "");
	assert_int_equal(run_total(fixture->store), 0);
}

static void file_damage(const struct fixture *fixture, off_t offset, size_t size)
{
	cleanup_close int fd = open(fixture->path, O_RDWR | O_CLOEXEC);
	unsigned char bytes[4096];

	memset(bytes, 0xa5, sizeof(bytes));
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, size, offset), size);
}

static void keep_nothing(const struct store_event *event, void *userdata)
{
	(void)event;
	(void)userdata;
}

static void test_damage(void **state)
{
	struct fixture *fixture = *state;
	struct stat st;
	off_t middle;

	fill(fixture->store, 10);
	fixture->store = store_close(fixture->store);
	assert_int_equal(stat(fixture->path, &st), 0);
	middle = st.st_size / 8192 * 4096;
	file_damage(fixture, middle, 4096);
	/* an ordinary start does not read every page: damage is found when the page is read */
	open_expect(fixture, 0, "");
	assert_false(store_damaged(fixture->store));
	(void)store_events_each(fixture->store, 0, 0, 1000000, keep_nothing, NULL);
	if (!store_damaged(fixture->store)) {
		uint64_t last;

		/* the damaged page may belong to an index */
		for (uint64_t run = 1; run <= 10; run++)
			(void)store_events_each(fixture->store, run, 0, 100000, keep_nothing, NULL);
		(void)store_event_last(fixture->store, &last);
	}
	assert_true(store_damaged(fixture->store));
	fixture->store = store_close(fixture->store);
	/* from then on every start reports it and changes nothing */
	open_expect(fixture, -EUCLEAN, "is damaged");
	open_expect(fixture, -EUCLEAN, "runbookctl restore");
	file_damage(fixture, 0, 16);
	open_expect(fixture, -EUCLEAN, "is damaged");
}

static void test_power_cut(void **state)
{
	struct fixture *fixture = *state;
	static const char line[] = "open another-boot\n";
	cleanup_close int dir_fd = open(fixture->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	fill(fixture->store, 10);
	fixture->store = store_close(fixture->store);
	assert_int_equal(stat(fixture->path, &st), 0);
	assert_int_equal(file_replace(dir_fd, "runbookd.db.state", line, strlen(line), 0600), 0);
	open_expect(fixture, 0, ""); /* all pages were read, and are good */
	fixture->store = store_close(fixture->store);
	file_damage(fixture, st.st_size / 8192 * 4096, 4096);
	assert_int_equal(file_replace(dir_fd, "runbookd.db.state", line, strlen(line), 0600), 0);
	open_expect(fixture, -EUCLEAN, "is damaged");
	/* truncated */
	assert_int_equal(truncate(fixture->path, st.st_size / 8192 * 4096), 0);
	open_expect(fixture, -EUCLEAN, "is damaged");
}

static char *file_bytes(const struct fixture *fixture, const char *tail, size_t *ret_size)
{
	char path[128], *data = NULL;
	cleanup_close int fd = -1;

	(void)snprintf(path, sizeof(path), "%s%s", fixture->path, tail);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fd_read_file(fd, 1U << 30, &data, ret_size), 0);
	return data;
}

static void file_put(const struct fixture *fixture, const char *tail, const char *data, size_t size)
{
	char path[128];
	cleanup_close int fd = -1;

	(void)snprintf(path, sizeof(path), "%s%s", fixture->path, tail);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, data, size), 0);
}

/* What a kill -9 leaves: commits that are only in the log. */
static void cut_short(struct fixture *fixture)
{
	static const char *const tails[] = {"", "-wal", ".state"};
	char *data[ARRAY_SIZE(tails)];
	size_t sizes[ARRAY_SIZE(tails)];

	for (size_t i = 0; i < ARRAY_SIZE(tails); i++)
		data[i] = file_bytes(fixture, tails[i], &sizes[i]);
	assert_true(sizes[1] > 0);
	fixture->store = store_close(fixture->store);
	tail_remove(fixture, "-shm");
	for (size_t i = 0; i < ARRAY_SIZE(tails); i++) {
		file_put(fixture, tails[i], data[i], sizes[i]);
		free(data[i]);
	}
}

/* The log of a damaged database has the only copy of the last commits. */
static void test_damage_changes_nothing(void **state)
{
	static const char power_cut[] = "open another-boot\n";
	struct fixture *fixture = *state;

	for (int i = 0; i < 2; i++) {
		cleanup_free char *database = NULL, *log = NULL, *database_after = NULL;
		cleanup_free char *log_after = NULL;
		size_t n_database, n_log, n_after;

		fill(fixture->store, 10);
		fixture->store = store_close(fixture->store);
		open_expect(fixture, 0, "");
		store_pause(fixture->store, "p", true, 1);
		assert_int_equal(store_commit(fixture->store, NULL), 0);
		cut_short(fixture);
		database = file_bytes(fixture, "", &n_database);
		if (i == 0) { /* the header: the database cannot be opened */
			file_damage(fixture, 0, 100);
		} else { /* a page: found by the check */
			file_damage(fixture, (off_t)(n_database / 8192 * 4096), 4096);
			file_put(fixture, ".state", power_cut, strlen(power_cut));
		}
		free(database);
		database = file_bytes(fixture, "", &n_database);
		log = file_bytes(fixture, "-wal", &n_log);
		open_expect(fixture, -EUCLEAN, "nothing was changed");
		open_expect(fixture, -EUCLEAN, "nothing was changed");
		database_after = file_bytes(fixture, "", &n_after);
		assert_int_equal(n_after, n_database);
		assert_memory_equal(database_after, database, n_database);
		log_after = file_bytes(fixture, "-wal", &n_after);
		assert_int_equal(n_after, n_log);
		assert_memory_equal(log_after, log, n_log);
		tail_remove(fixture, ".state");
		tail_remove(fixture, "-wal");
		tail_remove(fixture, "-shm");
		tail_remove(fixture, "");
		open_expect(fixture, 0, "");
	}
}

/* "clean" would mean that a lost log loses nothing. */
static void test_log_not_emptied(void **state)
{
	struct fixture *fixture = *state;
	sqlite3 *reader;

	fill(fixture->store, 1);
	assert_int_equal(sqlite3_open(fixture->path, &reader), SQLITE_OK);
	assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT * FROM runs", NULL, NULL, NULL),
			 SQLITE_OK);
	fill(fixture->store, 1);
	fixture->store =
		store_close(fixture->store); /* another connection still reads an older state */
	assert_int_equal(sqlite3_db_config(reader, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_close(reader), SQLITE_OK);
	tail_remove(fixture, "-wal");
	open_expect(fixture, -EUCLEAN, "-wal is gone");
}

static void count_event(const struct store_event *event, void *userdata)
{
	(void)event;
	++*(size_t *)userdata;
}

/* Leftovers of a killed restore must not get into the copy of the next one. */
static void test_restore_killed_before(void **state)
{
	static const char *const tails[] = {".restore.tmp", ".restore.tmp-journal"};
	struct fixture *fixture = *state;
	cleanup_close int fd = -1, other = -1;
	cleanup_free char *data = NULL, *journal = NULL;
	char path[160], name[160];
	size_t size, events = 0;
	sqlite3 *database;

	fill(fixture->store, 1);
	other = backup_make(fixture, false);
	fill(fixture->store, 2);
	fd = backup_make(fixture, false);
	/* the journal of the interrupted change, as it is on disk */
	(void)snprintf(path, sizeof(path), "%s%s", fixture->path, tails[0]);
	(void)snprintf(name, sizeof(name), "%s%s", fixture->path, tails[1]);
	assert_int_equal(lseek(other, 0, SEEK_SET), 0);
	assert_int_equal(fd_read_file(other, 1U << 30, &data, &size), 0);
	file_put(fixture, tails[0], data, size);
	assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
	assert_int_equal(sqlite3_exec(database,
				      "PRAGMA journal_mode=DELETE; PRAGMA cache_size=1; BEGIN;"
				      "DROP TABLE backup_manifest; DELETE FROM events",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_db_cacheflush(database), SQLITE_OK);
	journal = file_bytes(fixture, tails[1], &size);
	assert_int_equal(sqlite3_close(database), SQLITE_OK);
	file_put(fixture, tails[1], journal, size);
	restore_expect(fixture, fd, 0, "");
	assert_int_equal(run_total(fixture->store), 3);
	(void)store_events_each(fixture->store, 0, 0, 1000000, count_event, &events);
	assert_int_equal(events, 3 * MANY / 10);
}

/* A kill in the middle of a backup: half a copy would occupy space forever. */
static void test_backup_killed(void **state)
{
	struct fixture *fixture = *state;

	fixture->store = store_close(fixture->store);
	file_put(fixture, ".backup.tmp", "half", 4);
	file_put(fixture, ".backup.tmp-journal", "half", 4);
	open_expect(fixture, 0, "");
	assert_int_equal(files(fixture, ".tmp"), 0);
}

/* An index without its rows, as after a write that the disk lost: every page is well-formed. */
static void test_damage_of_an_index(void **state)
{
	struct fixture *fixture = *state;
	const struct store_run run = {
		.id = 1, .state = RUN_STATE_FAILED, .reason = "", .ended_usec = 1};
	sqlite3 *database;

	fill(fixture->store, 1);
	fixture->store = store_close(fixture->store);
	assert_int_equal(sqlite3_open(fixture->path, &database), SQLITE_OK);
	assert_int_equal(sqlite3_exec(database,
				      "PRAGMA writable_schema=ON;"
				      "CREATE TABLE kept AS SELECT * FROM sqlite_schema"
				      " WHERE name='runs_state';"
				      "DELETE FROM sqlite_schema WHERE name='runs_state';",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_close(database), SQLITE_OK);
	assert_int_equal(sqlite3_open(fixture->path, &database), SQLITE_OK);
	assert_int_equal(sqlite3_exec(database,
				      "PRAGMA writable_schema=ON;"
				      "UPDATE runs SET state='running';"
				      "INSERT INTO sqlite_schema SELECT * FROM kept;"
				      "DROP TABLE kept;",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_close(database), SQLITE_OK);
	open_expect(fixture, 0, "");
	store_run_set_state(fixture->store, &run);
	assert_true(store_commit(fixture->store, NULL) < 0);
	assert_true(store_damaged(fixture->store));
	fixture->store = store_close(fixture->store);
	/* otherwise the damage would be found, and the process end, again and again */
	open_expect(fixture, -EUCLEAN, "is damaged");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_backup_and_restore, setup, teardown),
		cmocka_unit_test_setup_teardown(test_uncommitted_is_not_in_it, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_backups, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restore_cut_short, setup, teardown),
		cmocka_unit_test_setup_teardown(test_files_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_power_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damage_changes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_log_not_emptied, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restore_killed_before, setup, teardown),
		cmocka_unit_test_setup_teardown(test_backup_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damage_of_an_index, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
