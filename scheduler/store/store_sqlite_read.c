/* SPDX-License-Identifier: Apache-2.0 */
/* The store in SQLite: reads. Column numbers follow the *_COLUMNS lists of store_sqlite.c. */
#include "scheduler/store/store_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t column_number(sqlite3_stmt *statement, int column)
{
	return (uint64_t)sqlite3_column_int64(statement, column);
}

static const char *column_text(sqlite3_stmt *statement, int column)
{
	return (const char *)sqlite3_column_text(statement, column);
}

static const char *column_text_or_empty(sqlite3_stmt *statement, int column)
{
	const char *text = column_text(statement, column);

	return text ? text : "";
}

static void row_run(sqlite3_stmt *statement, struct store_run *run)
{
	*run = (struct store_run){
		.id = column_number(statement, 0),
		.project = column_text_or_empty(statement, 1),
		.source = run_source_parse(column_text_or_empty(statement, 2)),
		.state = run_state_parse(column_text_or_empty(statement, 3)),
		.reason = column_text_or_empty(statement, 4),
		.event = column_text_or_empty(statement, 5),
		.ref = column_text_or_empty(statement, 6),
		.asked = column_text_or_empty(statement, 7),
		.commit = column_text_or_empty(statement, 8),
		.tree = column_text_or_empty(statement, 9),
		.title = column_text_or_empty(statement, 10),
		.actor = column_text_or_empty(statement, 11),
		.name = column_text(statement, 12),
		.findings = column_text(statement, 13),
		.retry_of = column_number(statement, 14),
		.runbook = column_number(statement, 15),
		.cancelling = column_number(statement, 16) != 0,
		.created_usec = column_number(statement, 17),
		.started_usec = column_number(statement, 18),
		.ended_usec = column_number(statement, 19),
		.pull_request = column_number(statement, 20),
		.base_ref = column_text_or_empty(statement, 21),
		.before = column_text_or_empty(statement, 22),
		.from_fork = column_number(statement, 23) != 0,
		.unwanted = column_number(statement, 24) != 0,
		.held = column_number(statement, 25) != 0,
		.stop = column_number(statement, 26) < RUN_STOP_NUM
				? (enum run_stop)column_number(statement, 26)
				: RUN_STOP_CANCELLED,
		.stop_by = column_number(statement, 27),
		.deadline_usec = column_number(statement, 28),
		.again_of = column_number(statement, 29),
		.pinned_usec = column_number(statement, 30),
		.logs_removed_usec = column_number(statement, 31),
		.artifacts_removed_usec = column_number(statement, 32),
		.tree_removed_usec = column_number(statement, 33),
		.view = column_text_or_empty(statement, 34),
		.view_objects = column_number(statement, 35) != 0,
	};
}

static void row_attempt(sqlite3_stmt *statement, int first, struct store_attempt *attempt)
{
	bool has_code = sqlite3_column_type(statement, first + 7) != SQLITE_NULL;

	*attempt = (struct store_attempt){
		.order = column_number(statement, first),
		.run = column_number(statement, first + 1),
		.step = column_number(statement, first + 2),
		.attempt = column_number(statement, first + 3),
		.instance = column_text_or_empty(statement, first + 4),
		.state = step_state_parse(column_text_or_empty(statement, first + 5)),
		.reason = column_text_or_empty(statement, first + 6),
		.exit_code = has_code ? sqlite3_column_int64(statement, first + 7) : -1,
		.signal = column_number(statement, first + 8),
		.container = column_text(statement, first + 9),
		.claimed_usec = column_number(statement, first + 10),
		.started_usec = column_number(statement, first + 11),
		.ended_usec = column_number(statement, first + 12),
		.log_bytes = column_number(statement, first + 13),
		.cancelling = column_number(statement, first + 14) != 0,
	};
	for (unsigned i = 0; i < STEP_USAGE_NUM; i++) {
		if (sqlite3_column_type(statement, first + 15 + (int)i) != SQLITE_NULL)
			step_usage_set(&attempt->usage, i,
				       column_number(statement, first + 15 + (int)i));
	}
}

static int runs_read(struct store *store, sqlite3_stmt *statement, store_run_fn each,
		     void *userdata, int *ret_n)
{
	struct store_run run;
	int n = 0, r;

	while ((r = sqlite3_step(statement)) == SQLITE_ROW) {
		row_run(statement, &run);
		each(&run, userdata);
		n++;
	}
	if (ret_n)
		*ret_n = n;
	return store_statement_end(store, statement, r);
}

int store_run_get(struct store *store, uint64_t run, store_run_fn each, void *userdata)
{
	int r, n = 0;
	sqlite3_stmt *statement = READ_START(store, STATEMENT_RUN_GET, &r, NUMBER(run));

	if (!statement)
		return r;
	r = runs_read(store, statement, each, userdata, &n);
	return r < 0 ? r : n;
}

int store_run_last(struct store *store, const char *project, store_run_fn each, void *userdata)
{
	int r, n = 0;
	sqlite3_stmt *statement = READ_START(store, STATEMENT_RUN_LAST, &r, TEXT(project));

	if (!statement)
		return r;
	r = runs_read(store, statement, each, userdata, &n);
	return r < 0 ? r : n;
}

int store_runs_each(struct store *store, const char *project, uint64_t below, uint64_t limit,
		    store_run_fn each, void *userdata)
{
	sqlite3_stmt *statement;
	int r;

	if (below == 0 || below > INT64_MAX)
		below = INT64_MAX;
	statement = project ? READ_START(store, STATEMENT_RUNS_OF_PROJECT, &r, TEXT(project),
					 NUMBER(below), NUMBER(limit))
			    : READ_START(store, STATEMENT_RUNS, &r, NUMBER(below), NUMBER(limit));
	return statement ? runs_read(store, statement, each, userdata, NULL) : r;
}

int store_runs_open_each(struct store *store, store_run_fn each, void *userdata)
{
	int r;
	sqlite3_stmt *statement = store_statement_start(store, STATEMENT_RUNS_OPEN, NULL, 0, &r);

	return statement ? runs_read(store, statement, each, userdata, NULL) : r;
}

int store_run_counts(struct store *store, uint64_t counts[RUN_STATE_NUM])
{
	int r;
	sqlite3_stmt *statement = store_statement_start(store, STATEMENT_RUN_COUNTS, NULL, 0, &r);

	if (!statement)
		return r;
	memset(counts, 0, RUN_STATE_NUM * sizeof(*counts));
	while ((r = sqlite3_step(statement)) == SQLITE_ROW) {
		enum run_state state = run_state_parse(column_text_or_empty(statement, 0));

		if (state < RUN_STATE_NUM)
			counts[state] += column_number(statement, 1);
	}
	return store_statement_end(store, statement, r);
}

int store_steps_each(struct store *store, uint64_t run, store_step_fn each, void *userdata)
{
	int r;
	sqlite3_stmt *statement = READ_START(store, STATEMENT_STEPS, &r, NUMBER(run));

	if (!statement)
		return r;
	while ((r = sqlite3_step(statement)) == SQLITE_ROW) {
		struct store_step step = {
			.run = column_number(statement, 0),
			.index = column_number(statement, 1),
			.name = column_text_or_empty(statement, 2),
			.slug = column_text_or_empty(statement, 3),
			.image = column_text_or_empty(statement, 4),
			.state = step_state_parse(column_text_or_empty(statement, 5)),
			.reason = column_text_or_empty(statement, 6),
			.attempt = column_number(statement, 7),
			.ready_usec = column_number(statement, 8),
			.budget = column_number(statement, 9),
			.max_attempts = column_number(statement, 10),
			.allow_failure = column_number(statement, 11) != 0,
			.condition_failed = column_number(statement, 12) != 0,
		};
		struct store_attempt attempt;

		row_attempt(statement, 13, &attempt);
		each(&step, &attempt, userdata);
	}
	return store_statement_end(store, statement, r);
}

int store_dependencies_each(struct store *store, uint64_t run, store_dependency_fn each,
			    void *userdata)
{
	int r;
	sqlite3_stmt *statement = READ_START(store, STATEMENT_DEPENDENCIES, &r, NUMBER(run));

	if (!statement)
		return r;
	while ((r = sqlite3_step(statement)) == SQLITE_ROW)
		each(column_number(statement, 0), column_number(statement, 1), userdata);
	return store_statement_end(store, statement, r);
}

int store_attempts_each(struct store *store, uint64_t run, store_attempt_fn each, void *userdata)
{
	int r;
	sqlite3_stmt *statement = READ_START(store, STATEMENT_ATTEMPTS, &r, NUMBER(run));
	struct store_attempt attempt;

	if (!statement)
		return r;
	while ((r = sqlite3_step(statement)) == SQLITE_ROW) {
		row_attempt(statement, 0, &attempt);
		each(&attempt, userdata);
	}
	return store_statement_end(store, statement, r);
}

int store_events_each(struct store *store, uint64_t run, uint64_t after, uint64_t limit,
		      store_event_fn each, void *userdata)
{
	sqlite3_stmt *statement;
	int r;

	if (after > INT64_MAX)
		return 0;
	statement = run ? READ_START(store, STATEMENT_EVENTS_OF_RUN, &r, NUMBER(run), NUMBER(after),
				     NUMBER(limit))
			: READ_START(store, STATEMENT_EVENTS, &r, NUMBER(after), NUMBER(limit));
	if (!statement)
		return r;
	while ((r = sqlite3_step(statement)) == SQLITE_ROW) {
		struct store_event event = {
			.id = column_number(statement, 0),
			.run = column_number(statement, 1),
			.step = column_text(statement, 2),
			.attempt = column_number(statement, 3),
			.from = column_text_or_empty(statement, 4),
			.to = column_text_or_empty(statement, 5),
			.reason = column_text_or_empty(statement, 6),
			.at_usec = column_number(statement, 7),
		};

		each(&event, userdata);
	}
	return store_statement_end(store, statement, r);
}

int store_event_last(struct store *store, uint64_t *ret_id)
{
	int r;
	sqlite3_stmt *statement = store_statement_start(store, STATEMENT_EVENT_LAST, NULL, 0, &r);

	*ret_id = 0;
	if (!statement)
		return r;
	r = store_number_read(store, statement, ret_id);
	return r < 0 ? r : 0;
}

int store_runbook_get(struct store *store, uint64_t runbook, char **ret_text, size_t *ret_size)
{
	int r, found = -ENOENT;
	sqlite3_stmt *statement = READ_START(store, STATEMENT_RUNBOOK_GET, &r, NUMBER(runbook));

	if (!statement)
		return r;
	r = sqlite3_step(statement);
	if (r == SQLITE_ROW) {
		size_t size = (size_t)sqlite3_column_bytes(statement, 0);
		const void *bytes = sqlite3_column_blob(statement, 0);
		char *text = malloc(size + 1);

		found = text ? 0 : -ENOMEM;
		if (text) {
			if (size)
				memcpy(text, bytes, size);
			text[size] = '\0';
			*ret_text = text;
			*ret_size = size;
		}
	}
	r = store_statement_end(store, statement, r);
	if (r < 0 && found == 0) {
		free(*ret_text);
		*ret_text = NULL;
	}
	return r < 0 ? r : found;
}

int store_paused_each(struct store *store, store_text_fn each, void *userdata)
{
	int r;
	sqlite3_stmt *statement = store_statement_start(store, STATEMENT_PAUSED, NULL, 0, &r);

	if (!statement)
		return r;
	while ((r = sqlite3_step(statement)) == SQLITE_ROW)
		each(column_text_or_empty(statement, 0), userdata);
	return store_statement_end(store, statement, r);
}

int store_run_images_each(struct store *store, uint64_t run,
			  void (*each)(const char *name, const char *id, void *userdata),
			  void *userdata)
{
	int r;
	sqlite3_stmt *statement = READ_START(store, STATEMENT_RUN_IMAGES, &r, NUMBER(run));

	if (!statement)
		return r;
	while ((r = sqlite3_step(statement)) == SQLITE_ROW)
		each(column_text_or_empty(statement, 0), column_text_or_empty(statement, 1),
		     userdata);
	return store_statement_end(store, statement, r);
}
