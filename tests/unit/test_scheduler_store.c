/* SPDX-License-Identifier: Apache-2.0 */
/* The store alone: migrations, leftovers of a crash, refused files. */
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/remove_tree.h"
#include "scheduler/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/cmocka_headers.h"

struct fixture {
	char dir[64];
	char path[96];
	struct store *store;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
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

static void reopen(struct fixture *fixture)
{
	struct error error = ERROR_INIT;

	fixture->store = store_close(fixture->store);
	if (store_open(fixture->path, &fixture->store, &error) < 0)
		fail_msg("%s", error.text);
}

static int raw(const char *path, const char *sql)
{
	sqlite3 *database;
	int r;

	assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
	r = sqlite3_exec(database, sql, NULL, NULL, NULL);
	(void)sqlite3_close(database);
	return r;
}

static uint64_t run_add(struct store *store, const char *asked, uint64_t at_usec)
{
	struct store_run run = {.project = "p",
				.event = "push",
				.ref = "refs/heads/main",
				.asked = asked,
				.created_usec = at_usec};

	return store_run_add(store, &run);
}

static void keep_run(const struct store_run *row, void *userdata)
{
	struct store_run *run = userdata;

	*run = *row;
	assert_string_equal(row->project, "p");
	run->project = run->reason = run->event = run->ref = run->asked = run->commit = NULL;
}

static void test_round_trip(void **state)
{
	struct fixture *fixture = *state;
	struct store_run run = {.state = RUN_STATE_RUNNING, .reason = "why", .started_usec = 7};
	struct store_step step = {.name = "n", .slug = "s", .image = "host", .attempt = 1};
	struct store_attempt attempt = {.attempt = 1, .instance = "i", .container = "c"};
	struct store_event event = {.from = "pending", .to = "running", .reason = ""};
	uint64_t last;

	run.id = run_add(fixture->store, "c1", 5);
	assert_int_equal(run.id, 1);
	store_run_set_state(fixture->store, &run);
	step.run = attempt.run = event.run = run.id;
	store_step_add(fixture->store, &step);
	attempt.order = store_attempt_add(fixture->store, &attempt);
	assert_int_equal(attempt.order, 1);
	attempt.exit_code = 3;
	attempt.state = STEP_STATE_FAILED;
	store_attempt_ended(fixture->store, &attempt);
	assert_int_equal(store_event_add(fixture->store, &event), 1);
	assert_int_equal(store_commit(fixture->store, NULL), 0);
	reopen(fixture);
	memset(&run, 0, sizeof(run));
	assert_int_equal(store_run_get(fixture->store, 1, keep_run, &run), 1);
	assert_int_equal(run.state, RUN_STATE_RUNNING);
	assert_int_equal(run.created_usec, 5);
	assert_int_equal(run.started_usec, 7);
	assert_int_equal(run.ended_usec, 0);
	assert_int_equal(store_run_get(fixture->store, 2, keep_run, &run), 0);
	assert_int_equal(store_event_last(fixture->store, &last), 0);
	assert_int_equal(last, 1);
}

struct last {
	uint64_t run, received_usec;
	char after[8];
	bool asked;
};

static void keep_last(const struct store_delivery *delivery, void *userdata)
{
	struct last *last = userdata;

	last->run = delivery->run;
	last->received_usec = delivery->received_usec;
	(void)snprintf(last->after, sizeof(last->after), "%s", delivery->after);
	last->asked = delivery->asked && memcmp(delivery->asked, "asked digest of thirty-two byte.",
						STORE_DIGEST_SIZE) == 0;
}

static void test_deliveries(void **state)
{
	struct fixture *fixture = *state;
	struct store *store = fixture->store;
	uint64_t run = run_add(store, "c1", 1000), found = 0;
	struct store_delivery delivery = {
		.project = "p",
		.id = "d",
		.run = run,
		.received_usec = 1000,
		.body = "one body's digest: thirty-two b.",
		.place = "push 0 refs/heads/main",
		.after = "c1",
		.asked = "asked digest of thirty-two byte.",
	};
	struct last last = {.run = 0};

	store_delivery_add(store, &delivery);
	assert_int_equal(store_delivery_find(store, "p", "d", &found), 1);
	assert_int_equal(found, run);
	assert_int_equal(store_delivery_find(store, "q", "d", &found), 0);
	assert_int_equal(store_delivery_find_body(store, "p", delivery.body, &found), 1);
	assert_int_equal(store_delivery_find_body(store, "q", delivery.body, &found), 0);
	assert_int_equal(store_delivery_find_body(store, "p", delivery.asked, &found), 0);
	/*
	 * the newest delivery of a place belongs to the newest run; one without a place does not
	 * count
	 */
	delivery.id = "d2";
	delivery.run = 3;
	delivery.received_usec = 900;
	delivery.after = "c3";
	store_delivery_add(store, &delivery);
	store_delivery_add(
		store,
		&(struct store_delivery){.project = "p", .id = "d3", .run = 9, .received_usec = 1});
	assert_int_equal(store_delivery_last(store, "p", delivery.place, true, keep_last, &last),
			 1);
	assert_int_equal(last.run, 3);
	assert_int_equal(last.received_usec, 900);
	assert_string_equal(last.after, "c3");
	assert_true(last.asked);
	assert_int_equal(store_delivery_last(store, "p", "push 0 other", true, keep_last, &last),
			 0);
	assert_int_equal(store_delivery_last(store, "p", "", true, keep_last, &last), 0);
	/* a doubted delivery counts once it is confirmed */
	delivery.id = "d4";
	delivery.run = 4;
	delivery.doubt = true;
	store_delivery_add(store, &delivery);
	assert_int_equal(store_delivery_last(store, "p", delivery.place, false, keep_last, &last),
			 1);
	assert_int_equal(last.run, 3);
	store_delivery_confirm(store, "p", delivery.place, 4);
	assert_int_equal(store_delivery_last(store, "p", delivery.place, false, keep_last, &last),
			 1);
	assert_int_equal(last.run, 4);
	assert_int_equal(store_commit(store, NULL), 0);
	/* the oldest are deleted first, never more than requested */
	assert_int_equal(store_deliveries_prune(store, 1000, 1), 1);
	assert_int_equal(store_delivery_find(store, "p", "d3", &found), 0);
	assert_int_equal(store_deliveries_prune(store, 1000, 10), 2);
	assert_int_equal(store_deliveries_prune(store, 1000, 10), 0);
	assert_int_equal(store_delivery_find(store, "p", "d", &found), 1);
	assert_int_equal(store_commit(store, NULL), 0);
	/* SQLite refuses a second one as well, if the caller does not look for the first */
	delivery.id = "d";
	store_delivery_add(store, &delivery);
	assert_true(store_commit(store, NULL) < 0);
}

/* Its run is deleted; the delivery stays and still names it. */
static void test_delivery_outlives_run(void **state)
{
	struct fixture *fixture = *state;
	uint64_t run = run_add(fixture->store, "c1", 1000), found = 0;

	store_delivery_add(fixture->store,
			   &(struct store_delivery){.project = "p", .id = "d", .run = run});
	assert_int_equal(store_commit(fixture->store, NULL), 0);
	assert_int_equal(raw(fixture->path, "PRAGMA foreign_keys=ON; DELETE FROM runs"), SQLITE_OK);
	assert_int_equal(store_delivery_find(fixture->store, "p", "d", &found), 1);
	assert_int_equal(found, run);
}

static void test_sticky_failure(void **state)
{
	struct fixture *fixture = *state;
	struct error error = ERROR_INIT;
	struct store_run run;
	uint64_t id = run_add(fixture->store, "good", 1);

	assert_true(id);
	/* no such run */
	(void)store_event_add(fixture->store, &(struct store_event){.run = 999, .to = "running"});
	assert_int_equal(run_add(fixture->store, "after", 1), 0);
	assert_true(store_dirty(fixture->store));
	assert_true(store_commit(fixture->store, &error) < 0);
	assert_non_null(strstr(error.text, "FOREIGN KEY"));
	/* nothing of it was written, and the next transaction works */
	assert_int_equal(store_run_get(fixture->store, id, keep_run, &run), 0);
	assert_true(run_add(fixture->store, "again", 1));
	assert_int_equal(store_commit(fixture->store, NULL), 0);
	assert_false(store_dirty(fixture->store));
}

static void crash(struct fixture *fixture, bool commit)
{
	pid_t pid;
	int status;

	fixture->store = store_close(fixture->store);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct store *store = NULL;

		if (store_open(fixture->path, &store, NULL) < 0 || !run_add(store, "x", 1))
			_exit(1);
		if (commit && store_commit(store, NULL) < 0)
			_exit(1);
		(void)kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(store_open(fixture->path, &fixture->store, NULL), 0);
}

static void test_crash(void **state)
{
	struct fixture *fixture = *state;
	struct store_run run;

	crash(fixture, false);
	assert_int_equal(store_run_get(fixture->store, 1, keep_run, &run), 0);
	crash(fixture, true);
	assert_int_equal(store_run_get(fixture->store, 1, keep_run, &run), 1);
}

static void test_runbooks(void **state)
{
	struct fixture *fixture = *state;
	cleanup_free char *text = NULL;
	size_t size = 0;
	uint64_t first, second, empty;

	first = store_runbook_add(fixture->store, "a\0b", 3);
	second = store_runbook_add(fixture->store, "other", 5);
	empty = store_runbook_add(fixture->store, "", 0);
	assert_true(first && second && empty && first != second && empty != first);
	assert_int_equal(store_runbook_add(fixture->store, "a\0b", 3), first);
	assert_int_equal(store_runbook_get(fixture->store, first, &text, &size), 0);
	assert_int_equal(size, 3);
	assert_memory_equal(text, "a\0b", 4);
	assert_int_equal(store_runbook_get(fixture->store, 99, &text, &size), -ENOENT);
}

static void test_versions(void **state)
{
	struct fixture *fixture = *state;
	struct error error = ERROR_INIT;
	struct store *store = NULL;
	char path[128];

	/* an empty file is an empty store of version 0 */
	(void)snprintf(path, sizeof(path), "%s/empty.db", fixture->dir);
	assert_int_equal(raw(path, "PRAGMA user_version = 0"), SQLITE_OK);
	assert_int_equal(store_open(path, &store, &error), 0);
	assert_true(run_add(store, "x", 1));
	assert_int_equal(store_commit(store, NULL), 0);
	store = store_close(store);
	/* a newer version is refused with a reason */
	assert_int_equal(raw(path, "PRAGMA user_version = 1000"), SQLITE_OK);
	assert_true(store_open(path, &store, &error) < 0);
	assert_non_null(strstr(error.text, "version 1000"));
	/* a migration that fails leaves the old version: here the table runs exists already */
	(void)snprintf(path, sizeof(path), "%s/odd.db", fixture->dir);
	assert_int_equal(raw(path, "CREATE TABLE runs(x)"), SQLITE_OK);
	assert_true(store_open(path, &store, &error) < 0);
	assert_non_null(strstr(error.text, "migration 1"));
	assert_int_equal(raw(path, "CREATE TABLE runbooks(x)"), SQLITE_OK);
}

/* A database of an earlier version is migrated and keeps its rows. */
static void test_earlier_version(void **state)
{
	struct fixture *fixture = *state;
	struct store *store = NULL;
	struct error error = ERROR_INIT;
	cleanup_free char *sql = NULL;
	cleanup_close int fd = open("tests/golden/store/version-6.sql", O_RDONLY | O_CLOEXEC);
	char path[128];
	uint64_t found = 0;
	size_t size;

	assert_true(fd >= 0);
	assert_int_equal(fd_read_file(fd, 1 << 16, &sql, &size), 0);
	(void)snprintf(path, sizeof(path), "%s/earlier.db", fixture->dir);
	assert_int_equal(raw(path, sql), SQLITE_OK);
	if (store_open(path, &store, &error) < 0)
		fail_msg("%s", error.text);
	assert_int_equal(store_delivery_find(store, "p", "old", &found), 1);
	assert_int_equal(found, 7);
	assert_int_equal(store_event_last(store, &found), 0);
	assert_int_equal(found, 1);
	assert_int_equal(store_deliveries_prune(store, 6, 10), 1);
	assert_int_equal(run_add(store, "next", 1), 8);
	assert_int_equal(store_commit(store, NULL), 0);
	store = store_close(store);
}

static void test_events_are_appended(void **state)
{
	struct fixture *fixture = *state;
	struct store_event event = {.from = "", .to = "pending", .reason = ""};

	event.run = run_add(fixture->store, "x", 1);
	assert_int_equal(store_event_add(fixture->store, &event), 1);
	assert_int_equal(store_commit(fixture->store, NULL), 0);
	assert_int_equal(raw(fixture->path, "UPDATE events SET reason='other'"), SQLITE_CONSTRAINT);
}

static void count_texts(const char *text, void *userdata)
{
	assert_string_equal(text, "p");
	++*(int *)userdata;
}

static void test_pause(void **state)
{
	struct fixture *fixture = *state;
	int n = 0;

	store_pause(fixture->store, "p", true, 1);
	store_pause(fixture->store, "p", true, 2);
	assert_int_equal(store_commit(fixture->store, NULL), 0);
	assert_int_equal(store_paused_each(fixture->store, count_texts, &n), 0);
	assert_int_equal(n, 1);
	store_pause(fixture->store, "p", false, 3);
	assert_int_equal(store_paused_each(fixture->store, count_texts, &n), 0);
	assert_int_equal(n, 1);
}

int main(void)
{
#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_round_trip),
		CASE(test_deliveries),
		CASE(test_delivery_outlives_run),
		CASE(test_sticky_failure),
		CASE(test_crash),
		CASE(test_runbooks),
		CASE(test_versions),
		CASE(test_earlier_version),
		CASE(test_events_are_appended),
		CASE(test_pause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
