/* SPDX-License-Identifier: Apache-2.0 */
/* Retention: rules, and what the store marks, deletes and remembers. */
#include "common/cleanup.h"
#include "common/remove_tree.h"
#include "scheduler/engine/retention.h"
#include "scheduler/store/store_retention.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/cmocka_headers.h"

#define DAY (86400ULL * USEC_PER_SEC)

/* ---- rules ---- */

static enum retention_rule judge(struct retention_limit own, struct retention_limit all,
				 struct retention_sum own_sum, struct retention_sum all_sum,
				 uint64_t age_usec)
{
	struct retention_policy mine = {.kinds[RETENTION_RUNS] = own};
	struct retention_policy global = {.kinds[RETENTION_RUNS] = all};

	return retention_judge(&mine, &global, RETENTION_RUNS, own_sum, all_sum, age_usec);
}

static void limits_are_exact(void **state)
{
	const struct retention_limit nothing = {0};
	const struct retention_limit all = {10, 3, 1000};
	const struct retention_limit none = {RETENTION_NO_LIMIT, RETENTION_NO_LIMIT,
					     RETENTION_NO_LIMIT};
	const struct retention_sum few = {3, 1000}, many = {4, 1000}, large = {3, 1001};
	const uint64_t most = 10 * USEC_PER_SEC;

	assert_int_equal(judge(nothing, all, few, few, most), RETENTION_KEEP);
	assert_int_equal(judge(nothing, all, few, few, most + 1), RETENTION_AGE);
	assert_int_equal(judge(nothing, all, many, few, 0), RETENTION_COUNT);
	/* a count limits each project, bytes limit all projects together */
	assert_int_equal(judge(nothing, all, few, many, 0), RETENTION_KEEP);
	assert_int_equal(judge(nothing, all, few, large, 0), RETENTION_BYTES);
	/* a project's own limit is in force for it; the bytes of all projects count as well */
	assert_int_equal(judge(none, all, many, few, 1ULL << 62), RETENTION_KEEP);
	assert_int_equal(judge(none, all, many, large, 0), RETENTION_BYTES);
	assert_int_equal(judge((struct retention_limit){.bytes = 5}, none, few, few, 0),
			 RETENTION_BYTES);
	assert_int_equal(judge((struct retention_limit){.count = 2}, all, few, few, 0),
			 RETENTION_COUNT);
	/* a limit that was never set removes nothing */
	assert_int_equal(judge(nothing, nothing, many, large, UINT64_MAX), RETENTION_KEEP);
	/* nor does an age beyond the range of microseconds */
	assert_int_equal(judge(nothing, (struct retention_limit){.age_sec = 1ULL << 60}, few, few,
			       UINT64_MAX),
			 RETENTION_KEEP);
}

static void sentences(void **state)
{
	static const struct {
		uint64_t seconds;
		const char *text;
	} ages[] = {
		{90 * 86400, "it ended more than 90d ago"}, {3600, "it ended more than 1h ago"},
		{90, "it ended more than 90s ago"},	    {120, "it ended more than 2m ago"},
		{1, "it ended more than 1s ago"},
	};
	char text[128];

	for (size_t i = 0; i < ARRAY_SIZE(ages); i++) {
		retention_sentence(&(struct retention_limit){.age_sec = ages[i].seconds},
				   RETENTION_AGE, RETENTION_RUNS, text, sizeof(text));
		assert_string_equal(text, ages[i].text);
	}
	retention_sentence(&(struct retention_limit){.count = 7}, RETENTION_COUNT, RETENTION_LOGS,
			   text, sizeof(text));
	assert_string_equal(text, "its project has more than 7 runs with logs");
}

/* ---- the store ---- */

struct fixture {
	char dir[64];
	char path[96];
	struct store *store;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	(void)snprintf(fixture->dir, sizeof(fixture->dir), "/tmp/runbook-kept-XXXXXX");
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

static void commit(struct fixture *fixture)
{
	struct error error = ERROR_INIT;

	if (store_commit(fixture->store, &error) < 0)
		fail_msg("%s", error.text);
}

/* An ended run with a step, an attempt with @log_bytes, @events events and a runbook. */
static uint64_t run_add(struct store *store, const char *ref, enum run_state state,
			uint64_t log_bytes, unsigned events)
{
	uint64_t runbook = store_runbook_add(store, ref, strlen(ref));
	struct store_run run = {.project = "p",
				.event = "push",
				.ref = ref,
				.state = state,
				.runbook = runbook,
				.created_usec = 1};
	struct store_step step = {.name = "s", .slug = "s", .attempt = 1, .budget = 1};
	struct store_attempt attempt = {.attempt = 1, .instance = "i", .exit_code = -1};
	struct store_event event = {.from = "", .to = "pending", .reason = ""};

	run.id = store_run_add(store, &run);
	run.ended_usec = 1000 + run.id;
	store_run_set_state(store, &run);
	step.run = attempt.run = event.run = run.id;
	store_step_add(store, &step);
	step.index = 1;
	store_step_add(store, &step);
	store_dependency_add(store, run.id, 1, 0);
	store_run_image_add(store, run.id, "debian", "id");
	attempt.order = store_attempt_add(store, &attempt);
	attempt.log_bytes = log_bytes;
	attempt.ended_usec = run.ended_usec;
	store_attempt_ended(store, &attempt);
	for (unsigned i = 0; i < events; i++)
		(void)store_event_add(store, &event);
	return run.id;
}

struct seen {
	uint64_t ids[16];
	struct store_kept last;
	size_t n;
};

static void see(const struct store_kept *row, void *userdata)
{
	struct seen *seen = userdata;

	if (seen->n < 16)
		seen->ids[seen->n] = row->id;
	seen->last = *row;
	seen->n++;
}

static void count_run(const struct store_run *row, void *userdata)
{
	++*(size_t *)userdata;
}

static uint64_t count_of(const struct fixture *fixture, const char *sql)
{
	sqlite3 *database;
	sqlite3_stmt *statement;
	uint64_t count;

	assert_int_equal(sqlite3_open_v2(fixture->path, &database, SQLITE_OPEN_READONLY, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	count = (uint64_t)sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	(void)sqlite3_close(database);
	return count;
}

static void sizes_and_order(void **state)
{
	struct fixture *fixture = *state;
	struct store *store = fixture->store;
	uint64_t first = run_add(store, "refs/heads/a", RUN_STATE_FAILED, 10, 1);
	uint64_t second = run_add(store, "refs/heads/a", RUN_STATE_FAILED, 20, 1);
	struct seen seen = {0};

	assert_int_equal(store_kept_newest_each(store, 0, 10, see, &seen), 0);
	assert_int_equal(seen.n, 2);
	assert_int_equal(seen.ids[0], second);
	assert_int_equal(seen.last.log_bytes, 10);
	assert_true(seen.last.artifact_bytes == STORE_BYTES_UNKNOWN);
	store_run_set_artifact_bytes(store, first, 77);
	/* removed logs do not count; those of a later attempt do */
	store_run_mark(store, first, STORE_REMOVING_LOGS, 1000 + first);
	seen = (struct seen){0};
	assert_int_equal(store_kept_oldest_each(store, 0, 1, see, &seen), 0);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.ids[0], first);
	assert_int_equal(seen.last.log_bytes, 0);
	assert_int_equal(seen.last.artifact_bytes, 77);
	assert_int_equal(seen.last.removing, STORE_REMOVING_LOGS);
	commit(fixture);
}

static void the_last_success(void **state)
{
	struct fixture *fixture = *state;
	struct store *store = fixture->store;
	uint64_t old = run_add(store, "refs/heads/a", RUN_STATE_SUCCEEDED, 0, 0);
	uint64_t other = run_add(store, "refs/heads/b", RUN_STATE_SUCCEEDED, 0, 0);
	uint64_t last = run_add(store, "refs/heads/a", RUN_STATE_SUCCEEDED, 0, 0);
	uint64_t failed = run_add(store, "refs/heads/a", RUN_STATE_FAILED, 0, 0);

	assert_int_equal(store_success_newer(store, "p", "refs/heads/a", old), 1);
	assert_int_equal(store_success_newer(store, "p", "refs/heads/a", last), 0);
	assert_int_equal(store_success_newer(store, "p", "refs/heads/b", other), 0);
	assert_int_equal(store_success_newer(store, "q", "refs/heads/a", old), 0);
	/* a run that is being removed is not a success any more */
	store_run_mark(store, last, STORE_REMOVING_RUN, 5000);
	assert_int_equal(store_success_newer(store, "p", "refs/heads/a", old), 0);
	assert_true(failed > last);
	commit(fixture);
}

static void remove_now(struct fixture *fixture, uint64_t run, uint64_t at_usec)
{
	unsigned rows = 100;

	store_run_mark(fixture->store, run, STORE_REMOVING_RUN, at_usec);
	assert_int_equal(store_run_delete(fixture->store, run, &rows, at_usec), 1);
	commit(fixture);
}

static bool is_main(const char *ref, void *userdata)
{
	++*(unsigned *)userdata;
	return strcmp(ref, "refs/heads/main") == 0;
}

static void branches_that_the_remote_lacks(void **state)
{
	struct fixture *fixture = *state;
	struct store *store = fixture->store;
	uint64_t old = run_add(store, "refs/heads/old", RUN_STATE_SUCCEEDED, 0, 0);
	uint64_t older = run_add(store, "refs/heads/old", RUN_STATE_SUCCEEDED, 0, 0);
	unsigned n = 0;

	(void)run_add(store, "refs/heads/main", RUN_STATE_SUCCEEDED, 0, 0);
	(void)run_add(store, "refs/heads/red", RUN_STATE_FAILED, 0, 0);
	(void)run_add(store, "refs/heads/pushed-anew", RUN_STATE_SUCCEEDED, 0, 0);
	(void)run_add(store, "refs/heads/pushed-anew", RUN_STATE_PENDING, 0, 0);
	(void)run_add(store, "refs/tags/v1", RUN_STATE_SUCCEEDED, 0, 0);
	assert_int_equal(store_branch_gone(store, "p", "refs/heads/old"), 0);
	assert_int_equal(store_branches_update(store, "p", is_main, &n), 0);
	commit(fixture);
	assert_int_equal(n, 3); /* branches with a success, each once */
	assert_int_equal(store_branch_gone(store, "p", "refs/heads/old"), 1);
	assert_int_equal(store_branch_gone(store, "q", "refs/heads/old"), 0);
	assert_int_equal(store_branch_gone(store, "p", "refs/heads/main"), 0);
	/* a run of it is open: its push may be newer than the reply */
	assert_int_equal(store_branch_gone(store, "p", "refs/heads/pushed-anew"), 0);
	store_branch_seen(store, "p", "refs/heads/old");
	assert_int_equal(store_branch_gone(store, "p", "refs/heads/old"), 0);
	assert_int_equal(store_branches_update(store, "p", is_main, &n), 0);
	remove_now(fixture, old, 1);
	assert_int_equal(store_branch_gone(store, "p", "refs/heads/old"), 1);
	remove_now(fixture, older, 1); /* the row goes with the last success */
	assert_int_equal(count_of(fixture, "SELECT count(*) FROM branches_gone"), 0);
}

static void a_marked_run_is_not_shown(void **state)
{
	struct fixture *fixture = *state;
	struct store *store = fixture->store;
	uint64_t counts[RUN_STATE_NUM], at = 0;
	uint64_t run = run_add(store, "refs/heads/a", RUN_STATE_FAILED, 0, 1);
	uint64_t stays = run_add(store, "refs/heads/a", RUN_STATE_FAILED, 0, 1);
	struct seen seen = {0};
	size_t n = 0;

	store_run_mark(store, run, STORE_REMOVING_RUN | STORE_REMOVING_LOGS, 3 * DAY);
	commit(fixture);
	/* the same after a restart */
	fixture->store = store = store_close(store);
	assert_int_equal(store_open(fixture->path, &fixture->store, NULL), 0);
	store = fixture->store;
	assert_int_equal(store_run_get(store, run, count_run, &n), 0);
	assert_int_equal(store_runs_each(store, NULL, 0, 10, count_run, &n), 0);
	assert_int_equal(store_runs_each(store, "p", 0, 10, count_run, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(store_run_counts(store, counts), 0);
	assert_int_equal(counts[RUN_STATE_FAILED], 1);
	assert_int_equal(store_removed_find(store, run, &at), 1);
	assert_int_equal(at, 3 * DAY);
	assert_int_equal(store_removed_find(store, stays, &at), 0);
	assert_int_equal(store_removing_each(store, 0, 10, see, &seen), 0);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.last.removing, STORE_REMOVING_RUN | STORE_REMOVING_LOGS);
	store_run_set_removing(store, run, STORE_REMOVING_RUN);
	commit(fixture);
}

static void rows_go_some_at_a_time(void **state)
{
	struct fixture *fixture = *state;
	struct store *store = fixture->store;
	uint64_t run = run_add(store, "refs/heads/a", RUN_STATE_FAILED, 0, 950);
	uint64_t same = run_add(store, "refs/heads/a", RUN_STATE_FAILED, 0, 1);
	struct store_run retry = {
		.project = "p", .event = "manual", .retry_of = run, .created_usec = 1};
	uint64_t retried = store_run_add(store, &retry), last = 0;
	unsigned calls = 0, rows;
	int r;

	store_delivery_add(store, &(struct store_delivery){.project = "p",
							   .id = "d",
							   .run = run,
							   .received_usec = 1,
							   .place = "",
							   .after = ""});
	store_run_mark(store, run, STORE_REMOVING_RUN, DAY);
	do {
		rows = 100;
		r = store_run_delete(store, run, &rows, DAY);
		calls++;
		assert_in_range(r, 0, 1);
		assert_true(rows <= 100 && calls < 100);
		commit(fixture);
		assert_int_equal(count_of(fixture, "SELECT count(*) FROM pragma_foreign_key_check"),
				 0);
	} while (r == 0);
	assert_in_range(calls, 10, 11);
	for (size_t i = 0; i < 5; i++) {
		static const char *const tables[] = {"steps", "attempts", "events", "dependencies",
						     "run_images"};
		char sql[96];

		(void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s WHERE run=%llu",
			       tables[i], (unsigned long long)run);
		assert_int_equal(count_of(fixture, sql), 0);
	}
	/* a text that another run has stays until that run goes as well */
	assert_int_equal(count_of(fixture, "SELECT count(*) FROM runbooks"), 1);
	assert_int_equal(count_of(fixture, "SELECT count(*) FROM deliveries"), 1);
	assert_int_equal(count_of(fixture, "SELECT count(*) FROM runs"), 2);
	rows = 100;
	store_run_mark(store, same, STORE_REMOVING_RUN, DAY);
	assert_int_equal(store_run_delete(store, same, &rows, DAY), 1);
	commit(fixture);
	assert_int_equal(count_of(fixture, "SELECT count(*) FROM runbooks"), 0);
	/* a number is not used again */
	rows = 100;
	store_run_mark(store, retried, STORE_REMOVING_RUN, DAY);
	assert_int_equal(store_run_delete(store, retried, &rows, DAY), 1);
	assert_true(run_add(store, "refs/heads/a", RUN_STATE_FAILED, 0, 0) > retried);
	assert_int_equal(store_run_last_id(store, &last), 0);
	assert_int_equal(last, retried + 1);
	commit(fixture);
}

static void numbers_become_ranges(void **state)
{
	struct fixture *fixture = *state;
	uint64_t runs[8], at = 0;

	for (size_t i = 0; i < 8; i++)
		runs[i] = run_add(fixture->store, "refs/heads/a", RUN_STATE_FAILED, 0, 0);
	remove_now(fixture, runs[3], 5 * DAY + 7);
	remove_now(fixture, runs[4], 5 * DAY + 9); /* right behind the range */
	remove_now(fixture, runs[2], 5 * DAY + 9); /* right before the range */
	assert_int_equal(count_of(fixture, "SELECT count(*) FROM removed_runs"), 1);
	remove_now(fixture, runs[5], 6 * DAY); /* another day is another range */
	remove_now(fixture, runs[0], 5 * DAY); /* a gap in between */
	assert_int_equal(count_of(fixture, "SELECT count(*) FROM removed_runs"), 3);
	for (size_t i = 0; i < 8; i++) {
		bool there = i == 1 || i > 5;

		assert_int_equal(store_removed_find(fixture->store, runs[i], &at), !there);
		if (!there)
			assert_int_equal(at / DAY, i == 5 ? 6 : 5);
	}
	store_removed_trim(fixture->store);
	commit(fixture);
	assert_int_equal(count_of(fixture, "SELECT count(*) FROM removed_runs"), 3);
}

static void pins(void **state)
{
	struct fixture *fixture = *state;
	uint64_t run = run_add(fixture->store, "refs/heads/a", RUN_STATE_FAILED, 0, 0);
	struct seen seen = {0};

	store_run_pin(fixture->store, run, 42);
	assert_int_equal(store_kept_newest_each(fixture->store, 0, 1, see, &seen), 0);
	assert_int_equal(seen.last.pinned_usec, 42);
	store_run_pin(fixture->store, run, 0);
	assert_int_equal(store_kept_newest_each(fixture->store, 0, 1, see, &seen), 0);
	assert_int_equal(seen.last.pinned_usec, 0);
	commit(fixture);
}

/* A run of one commit that the fetcher has, with @view. */
static struct store_run fetched(struct store *store, const char *view)
{
	struct store_run run = {.project = "p",
				.event = "push",
				.ref = "refs/heads/a",
				.state = RUN_STATE_PENDING,
				.created_usec = 1};

	run.id = store_run_add(store, &run);
	run.tree = run.commit = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	run.title = run.actor = "";
	run.view = view;
	store_run_set_tree(store, &run);
	store_tree_use(store, &run, 1000 + run.id);
	return run;
}

static void a_view_goes_with_its_tree(void **state)
{
	struct fixture *fixture = *state;
	struct store *store = fixture->store;
	struct store_run first = fetched(store, "one"), second, plain;
	const struct store_tree tree = {.project = "p", .tree = first.tree};

	assert_int_equal(store_tree_there(store, &first), 1);
	store_tree_mark(store, &tree, DAY);
	assert_int_equal(store_tree_there(store, &first), 0);
	store_tree_remove(store, "p", first.tree);
	/* a run of that commit that ends without a fetch does not bring the tree back */
	store_tree_touch(store, &first, 2 * DAY);
	assert_int_equal(store_tree_there(store, &first), 0);
	/*
	 * another run has the commit fetched again: the files exist, with the references of that
	 * run only
	 */
	second = fetched(store, "two");
	assert_int_equal(store_tree_there(store, &second), 1);
	assert_int_equal(store_tree_there(store, &first), 0);
	plain = first;
	plain.view = ""; /* from a version without views: it only needs the files */
	assert_int_equal(store_tree_there(store, &plain), 1);
	(void)fetched(store, "one");
	assert_int_equal(store_tree_there(store, &first), 1);
	commit(fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_are_exact),
		cmocka_unit_test(sentences),
		cmocka_unit_test_setup_teardown(sizes_and_order, setup, teardown),
		cmocka_unit_test_setup_teardown(the_last_success, setup, teardown),
		cmocka_unit_test_setup_teardown(branches_that_the_remote_lacks, setup, teardown),
		cmocka_unit_test_setup_teardown(a_marked_run_is_not_shown, setup, teardown),
		cmocka_unit_test_setup_teardown(rows_go_some_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(numbers_become_ranges, setup, teardown),
		cmocka_unit_test_setup_teardown(pins, setup, teardown),
		cmocka_unit_test_setup_teardown(a_view_goes_with_its_tree, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
