/* SPDX-License-Identifier: Apache-2.0 */
/* The store in SQLite: retries of fetches, and schedules. */
#include "scheduler/store/store_internal.h"

static const char *column_text(sqlite3_stmt *statement, int column)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);

	return text ? text : "";
}

void store_run_set_limits(struct store *store, const struct store_run *run)
{
	(void)WRITE(store, STATEMENT_RUN_SET_LIMITS, NUMBER(run->id), NUMBER(run->unwanted),
		    NUMBER(run->held), NUMBER(run->stop), NUMBER_OR_NULL(run->stop_by),
		    NUMBER_OR_NULL(run->deadline_usec));
}

/* ---- retries of fetches ---- */

void store_fetch_wait_set(struct store *store, const struct store_fetch_wait *wait)
{
	(void)WRITE(store, STATEMENT_FETCH_WAIT_SET, NUMBER(wait->run), TEXT(wait->outcome),
		    TEXT(wait->error), NUMBER(wait->tries), NUMBER(wait->first_usec),
		    NUMBER(wait->since_usec), NUMBER(wait->next_usec));
}

void store_fetch_wait_clear(struct store *store, uint64_t run)
{
	(void)WRITE(store, STATEMENT_FETCH_WAIT_CLEAR, NUMBER(run));
}

int store_fetch_wait_get(struct store *store, uint64_t run, store_fetch_wait_fn each,
			 void *userdata)
{
	int r, found = 0;
	sqlite3_stmt *statement = READ_START(store, STATEMENT_FETCH_WAIT_GET, &r, NUMBER(run));

	if (!statement)
		return r;
	r = sqlite3_step(statement);
	if (r == SQLITE_ROW) {
		struct store_fetch_wait wait = {
			.run = run,
			.outcome = column_text(statement, 0),
			.error = column_text(statement, 1),
			.tries = (uint64_t)sqlite3_column_int64(statement, 2),
			.first_usec = (uint64_t)sqlite3_column_int64(statement, 3),
			.since_usec = (uint64_t)sqlite3_column_int64(statement, 4),
			.next_usec = (uint64_t)sqlite3_column_int64(statement, 5),
		};

		each(&wait, userdata);
		found = 1;
	}
	r = store_statement_end(store, statement, r);
	return r < 0 ? r : found;
}

/* ---- schedules ---- */

void store_schedules_set(struct store *store, const char *project, uint64_t run, const char *branch,
			 const struct store_schedule *schedules, size_t n_schedules)
{
	(void)WRITE(store, STATEMENT_SCHEDULE_SOURCE_SET, TEXT(project), NUMBER(run), TEXT(branch));
	(void)WRITE(store, STATEMENT_SCHEDULES_CLEAR, TEXT(project));
	for (size_t i = 0; i < n_schedules; i++)
		(void)WRITE(store, STATEMENT_SCHEDULE_ADD, TEXT(project), TEXT(schedules[i].cron),
			    TEXT(schedules[i].timezone), TEXT(schedules[i].branch),
			    NUMBER(schedules[i].last_usec));
}

void store_schedule_set_last(struct store *store, const struct store_schedule *schedule)
{
	(void)WRITE(store, STATEMENT_SCHEDULE_SET_LAST, TEXT(schedule->project),
		    TEXT(schedule->cron), TEXT(schedule->timezone), TEXT(schedule->branch),
		    NUMBER(schedule->last_usec));
}

int store_schedules_each(struct store *store, store_schedule_fn each, void *userdata)
{
	int r;
	sqlite3_stmt *statement = store_statement_start(store, STATEMENT_SCHEDULES, NULL, 0, &r);

	if (!statement)
		return r;
	while ((r = sqlite3_step(statement)) == SQLITE_ROW) {
		struct store_schedule schedule = {
			.project = column_text(statement, 0),
			.cron = column_text(statement, 1),
			.timezone = column_text(statement, 2),
			.branch = column_text(statement, 3),
			.last_usec = (uint64_t)sqlite3_column_int64(statement, 4),
		};

		each(&schedule, userdata);
	}
	return store_statement_end(store, statement, r);
}

int store_schedule_sources_each(struct store *store,
				void (*each)(const char *project, uint64_t run, const char *branch,
					     void *userdata),
				void *userdata)
{
	int r;
	sqlite3_stmt *statement =
		store_statement_start(store, STATEMENT_SCHEDULE_SOURCES, NULL, 0, &r);

	if (!statement)
		return r;
	while ((r = sqlite3_step(statement)) == SQLITE_ROW)
		each(column_text(statement, 0), (uint64_t)sqlite3_column_int64(statement, 1),
		     column_text(statement, 2), userdata);
	return store_statement_end(store, statement, r);
}
