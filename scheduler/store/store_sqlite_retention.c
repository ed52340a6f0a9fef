/* SPDX-License-Identifier: Apache-2.0 */
/* The store in SQLite: what retention reads, marks and deletes. */
#include "scheduler/store/store_internal.h"
#include "scheduler/store/store_retention.h"

#include <errno.h>

#define USEC_PER_DAY (86400ULL * 1000000)

static uint64_t column_number(sqlite3_stmt *statement, int column)
{
	return (uint64_t)sqlite3_column_int64(statement, column);
}

static const char *column_text(sqlite3_stmt *statement, int column)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);

	return text ? text : "";
}

static void row_kept(sqlite3_stmt *statement, struct store_kept *run)
{
	*run = (struct store_kept){
		.id = column_number(statement, 0),
		.project = column_text(statement, 1),
		.state = run_state_parse(column_text(statement, 2)),
		.source = run_source_parse(column_text(statement, 3)),
		.ref = column_text(statement, 4),
		.pull_request = column_number(statement, 5),
		.unwanted = column_number(statement, 6) != 0,
		.ended_usec = column_number(statement, 7),
		.pinned_usec = column_number(statement, 8),
		.removing = column_number(statement, 9),
		.log_bytes = column_number(statement, 10),
		.artifact_bytes = sqlite3_column_type(statement, 11) == SQLITE_NULL
					  ? STORE_BYTES_UNKNOWN
					  : column_number(statement, 11),
		.logs_removed_usec = column_number(statement, 12),
		.artifacts_removed_usec = column_number(statement, 13),
	};
}

static int kept_read(struct store *store, sqlite3_stmt *statement, store_kept_fn each,
		     void *userdata)
{
	struct store_kept run;
	int r;

	while ((r = sqlite3_step(statement)) == SQLITE_ROW) {
		row_kept(statement, &run);
		each(&run, userdata);
	}
	return store_statement_end(store, statement, r);
}

int store_kept_newest_each(struct store *store, uint64_t below, uint64_t limit, store_kept_fn each,
			   void *userdata)
{
	sqlite3_stmt *statement;
	int r;

	if (below == 0 || below > INT64_MAX)
		below = INT64_MAX;
	statement = READ_START(store, STATEMENT_KEPT_NEWEST, &r, NUMBER(below), NUMBER(limit));
	return statement ? kept_read(store, statement, each, userdata) : r;
}

int store_kept_oldest_each(struct store *store, uint64_t above, uint64_t limit, store_kept_fn each,
			   void *userdata)
{
	int r;
	sqlite3_stmt *statement =
		READ_START(store, STATEMENT_KEPT_OLDEST, &r, NUMBER(above), NUMBER(limit));

	return statement ? kept_read(store, statement, each, userdata) : r;
}

int store_removing_each(struct store *store, uint64_t above, uint64_t limit, store_kept_fn each,
			void *userdata)
{
	int r;
	sqlite3_stmt *statement =
		READ_START(store, STATEMENT_REMOVING, &r, NUMBER(above), NUMBER(limit));

	return statement ? kept_read(store, statement, each, userdata) : r;
}

/* Read one row of up to two numbers. Return: 1, 0 without a row, or -errno. */
static int numbers_read(struct store *store, sqlite3_stmt *statement, uint64_t numbers[2])
{
	int r = sqlite3_step(statement), e;
	bool found = r == SQLITE_ROW;

	for (int i = 0; found && i < 2 && i < sqlite3_column_count(statement); i++)
		numbers[i] = column_number(statement, i);
	e = store_statement_end(store, statement, r);
	return e < 0 ? e : found;
}

int store_success_newer(struct store *store, const char *project, const char *ref, uint64_t run)
{
	uint64_t numbers[2];
	int r;
	sqlite3_stmt *statement = READ_START(store, STATEMENT_SUCCESS_NEWER, &r, TEXT(project),
					     TEXT(ref), NUMBER(run));

	return statement ? numbers_read(store, statement, numbers) : r;
}

void store_run_pin(struct store *store, uint64_t run, uint64_t at_usec)
{
	(void)WRITE(store, STATEMENT_RUN_PIN, NUMBER(run), NUMBER_OR_NULL(at_usec));
}

void store_run_set_artifact_bytes(struct store *store, uint64_t run, uint64_t bytes)
{
	struct store_value values[] = {NUMBER(run), NUMBER(bytes)};

	if (bytes == STORE_BYTES_UNKNOWN)
		values[1].kind = VALUE_NULL;
	(void)store_write(store, STATEMENT_RUN_SET_ARTIFACT_BYTES, values, 2);
}

void store_run_mark(struct store *store, uint64_t run, uint64_t removing, uint64_t at_usec)
{
	(void)WRITE(store, STATEMENT_RUN_MARK, NUMBER(run), NUMBER(removing), NUMBER(at_usec));
}

void store_run_set_removing(struct store *store, uint64_t run, uint64_t removing)
{
	(void)WRITE(store, STATEMENT_RUN_SET_REMOVING, NUMBER(run), NUMBER(removing));
}

/* ---- deleting ---- */

static int removed_note(struct store *store, uint64_t run, uint64_t at_usec)
{
	uint64_t day = at_usec / USEC_PER_DAY * USEC_PER_DAY;
	int r = WRITE(store, STATEMENT_REMOVED_BEFORE, NUMBER(run), NUMBER(day));

	if (r < 0 || sqlite3_changes(store->database) > 0)
		return r;
	r = WRITE(store, STATEMENT_REMOVED_BEHIND, NUMBER(run), NUMBER(day));
	if (r < 0 || sqlite3_changes(store->database) > 0)
		return r;
	return WRITE(store, STATEMENT_REMOVED_ADD, NUMBER(run), NUMBER(at_usec));
}

/* Delete the row of the run, when no other row refers to it any more. */
static int run_delete_last(struct store *store, uint64_t run, uint64_t at_usec)
{
	uint64_t numbers[2] = {0};
	int r;
	sqlite3_stmt *statement = READ_START(store, STATEMENT_RUN_RUNBOOK, &r, NUMBER(run));

	if (!statement)
		return r;
	r = numbers_read(store, statement, numbers);
	if (r <= 0)
		return r < 0 ? r : 1;
	r = WRITE(store, STATEMENT_TREE_UNUSED, NUMBER(run));
	if (r == 0)
		r = WRITE(store, STATEMENT_BRANCH_UNUSED, NUMBER(run));
	if (r == 0)
		r = WRITE(store, STATEMENT_RUN_DELETE, NUMBER(run));
	if (r == 0 && numbers[0])
		r = WRITE(store, STATEMENT_RUNBOOK_DELETE, NUMBER(numbers[0]));
	if (r == 0)
		r = removed_note(store, run, at_usec);
	return r < 0 ? r : 1;
}

int store_run_delete(struct store *store, uint64_t run, unsigned *rows, uint64_t at_usec)
{
	/* rows that refer to steps go before the steps */
	static const enum store_statement parts[] = {
		STATEMENT_DEPENDENCIES_DELETE, STATEMENT_ATTEMPTS_DELETE, STATEMENT_EVENTS_DELETE,
		STATEMENT_RUN_IMAGES_DELETE,   STATEMENT_STEPS_DELETE,
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		int r = WRITE(store, parts[i], NUMBER(run), NUMBER(*rows));

		if (r < 0)
			return r;
		*rows -= (unsigned)sqlite3_changes(store->database);
		if (*rows == 0)
			return 0;
	}
	return run_delete_last(store, run, at_usec);
}

/* ---- removed runs ---- */

int store_removed_find(struct store *store, uint64_t run, uint64_t *ret_usec)
{
	uint64_t numbers[2] = {0};
	int r;
	sqlite3_stmt *statement = READ_START(store, STATEMENT_REMOVED_FIND, &r, NUMBER(run));

	if (!statement)
		return r;
	r = numbers_read(store, statement, numbers);
	if (r > 0)
		*ret_usec = numbers[0];
	return r;
}

void store_removed_trim(struct store *store)
{
	(void)store_write(store, STATEMENT_REMOVED_TRIM, NULL, 0);
}

int store_run_last_id(struct store *store, uint64_t *ret_run)
{
	uint64_t numbers[2] = {0};
	int r;
	sqlite3_stmt *statement = store_statement_start(store, STATEMENT_RUN_LAST_ID, NULL, 0, &r);

	*ret_run = 0;
	if (!statement)
		return r;
	r = numbers_read(store, statement, numbers);
	*ret_run = numbers[0];
	return r < 0 ? r : 0;
}

int store_size(struct store *store, uint64_t *ret_bytes, uint64_t *ret_free)
{
	uint64_t numbers[2] = {0};
	int r;
	sqlite3_stmt *statement = store_statement_start(store, STATEMENT_SIZE, NULL, 0, &r);

	if (!statement)
		return r;
	r = numbers_read(store, statement, numbers);
	*ret_bytes = numbers[0];
	*ret_free = numbers[1];
	return r < 0 ? r : 0;
}
