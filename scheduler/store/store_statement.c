/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: The store's statements
 *
 * The SQL of each statement, how it is prepared (once, on first use), bound, run and reset, and
 * what its failures mean. Calls nothing else of the store.
 */
#include "scheduler/store/store_internal.h"

#include "common/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#define RUN_COLUMNS                                                                                \
	"id, project, source, state, reason, event, ref, asked, commit_id, tree, title, actor, "   \
	"name, findings, retries, runbook, cancelling, created_usec, started_usec, ended_usec, "   \
	"pull_request, base_ref, before_commit, from_fork, unwanted, held, stop, stop_by, "        \
	"deadline_usec, again_of, pinned_usec, logs_removed_usec, artifacts_removed_usec, "        \
	"tree_removed_usec, view, view_objects"
#define USAGE_COLUMN(name, word) ", a." word
#define USAGE_SET(name, word) ", " word "=?"
#define ATTEMPT_COLUMNS                                                                            \
	"a.order_id, a.run, a.step, a.attempt, a.instance, a.state, a.reason, a.exit_code, "       \
	"a.signal, a.container, a.claimed_usec, a.started_usec, a.ended_usec, a.log_bytes, "       \
	"a.cancelling" STEP_USAGE_TABLE(USAGE_COLUMN)
#define KEPT_SELECT                                                                                \
	"SELECT r.id, r.project, r.state, r.source, r.ref, r.pull_request, r.unwanted, "           \
	"r.ended_usec, r.pinned_usec, r.removing, (SELECT ifnull(sum(a.log_bytes), 0) FROM "       \
	"attempts a WHERE a.run=r.id AND a.ended_usec>ifnull(r.logs_removed_usec, 0)), "           \
	"r.artifact_bytes, r.logs_removed_usec, r.artifacts_removed_usec FROM runs r "
#define SECRET_COLUMNS "project, env, name, key_id, box, changed_usec"
#define EVENT_COLUMNS "id, run, step, attempt, from_state, to_state, reason, at_usec"

/* A success of a branch: the condition of the index runs_success. */
#define SUCCESS "state='succeeded' AND source='fetch' AND unwanted=0 AND pull_request=0"

static const char *const statement_sql[] = {
	[STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
	[STATEMENT_COMMIT] = "COMMIT",
	[STATEMENT_ROLLBACK] = "ROLLBACK",
	[STATEMENT_RUN_ADD] =
		"INSERT INTO runs(project, source, state, reason, event, ref, asked, commit_id, "
		"tree, title, actor, name, retries, runbook, created_usec, pull_request, "
		"base_ref, before_commit, from_fork, again_of) "
		"VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[STATEMENT_RUN_SET_STATE] = "UPDATE runs SET state=?2, reason=?3, started_usec=?4, "
				    "ended_usec=?5 WHERE id=?1",
	[STATEMENT_RUN_SET_TREE] = "UPDATE runs SET commit_id=?2, tree=?3, title=?4, actor=?5, "
				   "findings=?6, ref=?7, view=?8, view_objects=?9, "
				   "tree_removed_usec=NULL WHERE id=?1",
	[STATEMENT_RUN_SET_RUNBOOK] = "UPDATE runs SET runbook=?2, name=?3 WHERE id=?1",
	[STATEMENT_RUN_SET_CANCELLING] = "UPDATE runs SET cancelling=?2 WHERE id=?1",
	[STATEMENT_RUNBOOK_FIND] = "SELECT id FROM runbooks WHERE digest=?",
	[STATEMENT_RUNBOOK_ADD] = "INSERT INTO runbooks(digest, text) VALUES(?,?)",
	[STATEMENT_DELIVERY_ADD] =
		"INSERT INTO deliveries(project, delivery, run, received_usec, body, place, "
		"after_commit, asked, doubt) VALUES(?,?,?,?,?,?,?,?,?)",
	[STATEMENT_STEP_ADD] =
		"INSERT INTO steps(run, idx, name, slug, image, state, reason, attempt, budget, "
		"max_attempts, allow_failure, unmet) VALUES(?,?,?,?,?,?,?,?,?,?,?,?)",
	[STATEMENT_DEPENDENCY_ADD] = "INSERT OR IGNORE INTO dependencies VALUES(?,?,?)",
	[STATEMENT_STEP_SET] = "UPDATE steps SET state=?3, reason=?4, attempt=?5, ready_usec=?6, "
			       "budget=?7 WHERE run=?1 AND idx=?2",
	[STATEMENT_ATTEMPT_ADD] =
		"INSERT INTO attempts(run, step, attempt, instance, state, container, "
		"claimed_usec) VALUES(?,?,?,?,?,?,?)",
	[STATEMENT_ATTEMPT_STARTED] =
		"UPDATE attempts SET container=?2, started_usec=?3 WHERE order_id=?1",
	[STATEMENT_ATTEMPT_ENDED] =
		"UPDATE attempts SET state=?2, reason=?3, exit_code=?4, signal=?5, "
		"started_usec=?6, ended_usec=?7, log_bytes=?8" STEP_USAGE_TABLE(
			USAGE_SET) " WHERE order_id=?1",
	[STATEMENT_ATTEMPT_CANCEL] = "UPDATE attempts SET cancelling=1 WHERE order_id=?",
	[STATEMENT_EVENT_ADD] = "INSERT INTO events(run, step, attempt, from_state, to_state, "
				"reason, at_usec) VALUES(?,?,?,?,?,?,?)",
	[STATEMENT_PAUSE] = "INSERT OR IGNORE INTO paused_projects VALUES(?,?)",
	[STATEMENT_UNPAUSE] = "DELETE FROM paused_projects WHERE project=?",
	[STATEMENT_DELIVERY_FIND] = "SELECT run FROM deliveries WHERE project=? AND delivery=?",
	[STATEMENT_DELIVERY_FIND_BODY] =
		"SELECT run FROM deliveries WHERE project=? AND body=? ORDER BY run LIMIT 1",
	[STATEMENT_DELIVERY_LAST] =
		"SELECT run, received_usec, after_commit, asked FROM deliveries "
		"WHERE project=? AND place=? AND place<>'' AND doubt<=? ORDER BY run DESC LIMIT 1",
	[STATEMENT_DELIVERY_CONFIRM] =
		"UPDATE deliveries SET doubt=0 WHERE project=? AND place=? AND run=?",
	[STATEMENT_DELIVERIES_PRUNE] =
		"DELETE FROM deliveries WHERE (project, delivery) IN (SELECT project, delivery "
		"FROM deliveries WHERE received_usec<? ORDER BY received_usec LIMIT ?)",
	[STATEMENT_RUN_GET] =
		"SELECT " RUN_COLUMNS " FROM runs WHERE id=? AND removed_usec IS NULL",
	[STATEMENT_RUNS] = "SELECT " RUN_COLUMNS " FROM runs WHERE id<? AND removed_usec IS NULL "
			   "ORDER BY id DESC LIMIT ?",
	[STATEMENT_RUNS_OF_PROJECT] = "SELECT " RUN_COLUMNS " FROM runs WHERE project=? AND id<? "
				      "AND removed_usec IS NULL ORDER BY id DESC LIMIT ?",
	[STATEMENT_RUNS_OPEN] =
		"SELECT " RUN_COLUMNS " FROM runs WHERE state IN ('pending','running') ORDER BY id",
	/* the first is answered by the index alone, and there are few rows for the second */
	[STATEMENT_RUN_COUNTS] =
		"SELECT state, count(*) FROM runs GROUP BY state UNION ALL "
		"SELECT state, -count(*) FROM runs WHERE removing<>0 AND removed_usec IS NOT NULL "
		"GROUP BY state",
	[STATEMENT_STEPS] =
		"SELECT s.run, s.idx, s.name, s.slug, s.image, s.state, s.reason, s.attempt, "
		"s.ready_usec, s.budget, s.max_attempts, s.allow_failure, "
		"s.unmet, " ATTEMPT_COLUMNS " FROM steps s LEFT JOIN attempts a "
		"ON a.run=s.run AND a.step=s.idx AND a.attempt=s.attempt WHERE s.run=? "
		"ORDER BY s.idx",
	[STATEMENT_DEPENDENCIES] = "SELECT step, depends_on FROM dependencies WHERE run=? "
				   "ORDER BY step, depends_on",
	[STATEMENT_ATTEMPTS] = "SELECT " ATTEMPT_COLUMNS " FROM attempts a WHERE a.run=? "
			       "ORDER BY a.step, a.attempt",
	[STATEMENT_EVENTS] = "SELECT " EVENT_COLUMNS " FROM events WHERE id>? ORDER BY id LIMIT ?",
	[STATEMENT_EVENTS_OF_RUN] =
		"SELECT " EVENT_COLUMNS " FROM events WHERE run=? AND id>? ORDER BY id LIMIT ?",
	[STATEMENT_EVENT_LAST] = "SELECT max(id) FROM events",
	[STATEMENT_RUNBOOK_GET] = "SELECT text FROM runbooks WHERE id=?",
	[STATEMENT_PAUSED] = "SELECT project FROM paused_projects",
	[STATEMENT_RUN_IMAGE_ADD] =
		"INSERT OR REPLACE INTO run_images(run, name, image) VALUES(?, ?, ?)",
	[STATEMENT_RUN_IMAGES] = "SELECT name, image FROM run_images WHERE run=?",
	[STATEMENT_RUN_SET_LIMITS] = "UPDATE runs SET unwanted=?2, held=?3, stop=?4, stop_by=?5, "
				     "deadline_usec=?6 WHERE id=?1",
	[STATEMENT_RUN_LAST] = "SELECT " RUN_COLUMNS " FROM runs WHERE project=? AND unwanted=0 "
			       "AND removed_usec IS NULL ORDER BY id DESC LIMIT 1",
	[STATEMENT_FETCH_WAIT_SET] = "INSERT OR REPLACE INTO fetch_waits(run, outcome, error, "
				     "tries, first_usec, since_usec, next_usec) "
				     "VALUES(?,?,?,?,?,?,?)",
	[STATEMENT_FETCH_WAIT_CLEAR] = "DELETE FROM fetch_waits WHERE run=?",
	[STATEMENT_FETCH_WAIT_GET] = "SELECT outcome, error, tries, first_usec, since_usec, "
				     "next_usec FROM fetch_waits WHERE run=?",
	[STATEMENT_SCHEDULES_CLEAR] = "DELETE FROM schedules WHERE project=?",
	[STATEMENT_SCHEDULE_ADD] = "INSERT OR IGNORE INTO schedules(project, cron, timezone, "
				   "branch, last_usec) VALUES(?,?,?,?,?)",
	[STATEMENT_SCHEDULE_SET_LAST] = "UPDATE schedules SET last_usec=?5 WHERE project=?1 AND "
					"cron=?2 AND timezone=?3 AND branch=?4",
	[STATEMENT_SCHEDULES] = "SELECT project, cron, timezone, branch, last_usec FROM schedules "
				"ORDER BY project, cron, timezone, branch",
	[STATEMENT_SCHEDULE_SOURCE_SET] =
		"INSERT OR REPLACE INTO schedule_sources(project, run, branch) VALUES(?,?,?)",
	[STATEMENT_SCHEDULE_SOURCES] = "SELECT project, run, branch FROM schedule_sources",
	[STATEMENT_SECRET_SET] =
		"INSERT INTO secrets(project, env, name, key_id, box, changed_usec) "
		"VALUES(?,?,?,?,?,?) ON CONFLICT(project, env, name) DO UPDATE SET "
		"key_id=excluded.key_id, box=excluded.box, changed_usec=excluded.changed_usec",
	[STATEMENT_SECRET_REBOX] = "UPDATE secrets SET key_id=?4, box=?5 "
				   "WHERE project=?1 AND env=?2 AND name=?3",
	[STATEMENT_SECRET_REMOVE] = "DELETE FROM secrets WHERE project=? AND env=? AND name=?",
	[STATEMENT_SECRETS] = "SELECT " SECRET_COLUMNS " FROM secrets ORDER BY project, env, name",
	[STATEMENT_SECRETS_OF_PROJECT] =
		"SELECT " SECRET_COLUMNS " FROM secrets WHERE project=? ORDER BY env, name",
	[STATEMENT_SECRETS_OF_ENV] =
		"SELECT " SECRET_COLUMNS " FROM secrets WHERE project=? AND env=? ORDER BY name",
	[STATEMENT_SECRET_NEXT] =
		"SELECT " SECRET_COLUMNS " FROM secrets WHERE (project, env, name) > (?,?,?) "
		"ORDER BY project, env, name LIMIT 1",
	[STATEMENT_SECRET_KEY_SET] = "INSERT OR REPLACE INTO secret_key VALUES(1,?,?,?)",
	[STATEMENT_SECRET_KEY_GET] = "SELECT id, proof, since_usec FROM secret_key",
	[STATEMENT_KEPT_NEWEST] =
		KEPT_SELECT "WHERE r.id<? AND r.removed_usec IS NULL ORDER BY r.id DESC LIMIT ?",
	[STATEMENT_KEPT_OLDEST] =
		KEPT_SELECT "WHERE r.id>? AND r.removed_usec IS NULL ORDER BY r.id LIMIT ?",
	[STATEMENT_REMOVING] = KEPT_SELECT "WHERE r.id>? AND r.removing<>0 ORDER BY r.id LIMIT ?",
	[STATEMENT_SUCCESS_NEWER] =
		"SELECT 1 FROM runs WHERE project=? AND ref=? AND id>? AND " SUCCESS
		" AND removed_usec IS NULL LIMIT 1",
	[STATEMENT_RUN_PIN] = "UPDATE runs SET pinned_usec=?2 WHERE id=?1",
	[STATEMENT_RUN_SET_ARTIFACT_BYTES] = "UPDATE runs SET artifact_bytes=?2 WHERE id=?1",
	[STATEMENT_RUN_MARK] =
		"UPDATE runs SET removing=removing|?2, "
		"removed_usec=CASE WHEN ?2&4 THEN ?3 ELSE removed_usec END, "
		"logs_removed_usec=CASE WHEN ?2&1 THEN ?3 ELSE logs_removed_usec END, "
		"artifacts_removed_usec=CASE WHEN ?2&2 THEN ?3 ELSE artifacts_removed_usec END "
		"WHERE id=?1",
	[STATEMENT_RUN_SET_REMOVING] = "UPDATE runs SET removing=?2 WHERE id=?1",
	[STATEMENT_DEPENDENCIES_DELETE] =
		"DELETE FROM dependencies WHERE run=?1 AND (step, depends_on) IN "
		"(SELECT step, depends_on FROM dependencies WHERE run=?1 LIMIT ?2)",
	[STATEMENT_ATTEMPTS_DELETE] = "DELETE FROM attempts WHERE order_id IN "
				      "(SELECT order_id FROM attempts WHERE run=?1 LIMIT ?2)",
	[STATEMENT_EVENTS_DELETE] =
		"DELETE FROM events WHERE id IN (SELECT id FROM events WHERE run=?1 LIMIT ?2)",
	[STATEMENT_RUN_IMAGES_DELETE] = "DELETE FROM run_images WHERE run=?1 AND name IN "
					"(SELECT name FROM run_images WHERE run=?1 LIMIT ?2)",
	[STATEMENT_STEPS_DELETE] = "DELETE FROM steps WHERE run=?1 AND idx IN "
				   "(SELECT idx FROM steps WHERE run=?1 LIMIT ?2)",
	[STATEMENT_RUN_RUNBOOK] = "SELECT runbook FROM runs WHERE id=?",
	[STATEMENT_RUN_DELETE] = "DELETE FROM runs WHERE id=?",
	[STATEMENT_RUNBOOK_DELETE] = "DELETE FROM runbooks WHERE id=?1 AND NOT EXISTS "
				     "(SELECT 1 FROM runs WHERE runbook=?1)",
	/* the range of the same day that ends right before the number or begins right behind it */
	[STATEMENT_REMOVED_BEFORE] =
		"UPDATE removed_runs SET last=?1 WHERE first=(SELECT max(first) FROM removed_runs "
		"WHERE first<?1) AND last=?1-1 AND at_usec>=?2 AND at_usec<?2+86400000000",
	[STATEMENT_REMOVED_BEHIND] = "UPDATE removed_runs SET first=?1 WHERE first=?1+1 AND "
				     "at_usec>=?2 AND at_usec<?2+86400000000",
	[STATEMENT_REMOVED_ADD] =
		"INSERT OR IGNORE INTO removed_runs(first, last, at_usec) VALUES(?1,?1,?2)",
	[STATEMENT_REMOVED_FIND] =
		"SELECT at_usec FROM removed_runs WHERE first=(SELECT max(first) FROM removed_runs "
		"WHERE first<=?1) AND last>=?1 "
		"UNION ALL SELECT removed_usec FROM runs WHERE id=?1 AND removed_usec IS NOT NULL",
	[STATEMENT_REMOVED_TRIM] =
		"DELETE FROM removed_runs WHERE first IN (SELECT first FROM removed_runs "
		"ORDER BY at_usec, first LIMIT max(0, (SELECT count(*) FROM removed_runs)-10000))",
	[STATEMENT_RUN_LAST_ID] = "SELECT seq FROM sqlite_sequence WHERE name='runs'",
	[STATEMENT_SIZE] = "SELECT page_count*page_size, freelist_count*page_size "
			   "FROM pragma_page_count, pragma_page_size, pragma_freelist_count",
	[STATEMENT_TREE_EXPECT] =
		"INSERT OR IGNORE INTO trees(project, tree, upload, used_usec) VALUES(?,?,?,0)",
	[STATEMENT_TREE_USE] =
		"INSERT INTO trees(project, tree, upload, used_usec) VALUES(?,?,?,?) "
		"ON CONFLICT(project, tree) DO UPDATE SET used_usec=excluded.used_usec, removing=0",
	/* of a run that ended: one that was never fetched has no tree for a retry */
	[STATEMENT_TREE_TOUCH] =
		"UPDATE trees SET used_usec=?3 WHERE project=?1 AND tree=?2 AND removing=0",
	[STATEMENT_TREES] = "SELECT project, tree, upload, removing, used_usec FROM trees "
			    "WHERE used_usec>=? ORDER BY used_usec LIMIT ?",
	[STATEMENT_TREES_YOUNGER] =
		"SELECT count(*) FROM trees WHERE project=? AND upload=? AND used_usec>?",
	[STATEMENT_TREE_NEEDED] =
		"SELECT 1 FROM runs WHERE project=?1 AND tree=?2 AND removed_usec IS NULL AND "
		"(pinned_usec IS NOT NULL OR state IN ('pending','running')) UNION ALL "
		"SELECT 1 FROM runs WHERE project=?1 AND asked=?2 AND state='pending' LIMIT 1",
	/* views go with their tree, which another run may have fetched again with equal content */
	[STATEMENT_TREE_THERE] =
		"SELECT 1 FROM trees WHERE project=?1 AND tree=?2 AND removing=0 AND used_usec<>0 "
		"AND (?3='' OR "
		"EXISTS(SELECT 1 FROM runs r WHERE r.project=?1 AND r.tree=?2 AND r.view=?3 AND "
		"r.tree_removed_usec IS NULL))",
	[STATEMENT_TREE_MARK] = "UPDATE trees SET removing=1 WHERE project=? AND tree=?",
	[STATEMENT_TREE_RUNS_MARK] = "UPDATE runs SET tree_removed_usec=?3 WHERE project=?1 AND "
				     "tree=?2 AND tree_removed_usec IS NULL",
	[STATEMENT_TREE_REMOVE] = "DELETE FROM trees WHERE project=? AND tree=?",
	/* of a run that is about to be deleted: no other run has it */
	[STATEMENT_TREE_UNUSED] =
		"UPDATE trees SET used_usec=0 WHERE (project, tree) IN "
		"(SELECT project, tree FROM runs WHERE id=?1) AND NOT EXISTS(SELECT 1 FROM runs r "
		"WHERE r.project=trees.project AND r.tree=trees.tree AND r.id<>?1)",
	[STATEMENT_COMMITS] = "SELECT DISTINCT commit_id FROM runs WHERE project=? AND "
			      "commit_id<>'' AND removed_usec IS NULL LIMIT ?",
	[STATEMENT_MIRROR_PRUNED] = "SELECT pruned_usec FROM mirrors WHERE project=?",
	[STATEMENT_MIRROR_PRUNE] =
		"INSERT OR REPLACE INTO mirrors(project, pruned_usec) VALUES(?,?)",
	[STATEMENT_BRANCHES] = "SELECT DISTINCT ref FROM runs WHERE project=? AND " SUCCESS
			       " AND ref LIKE 'refs/heads/%' LIMIT ?",
	[STATEMENT_BRANCH_GONE] = "SELECT 1 FROM branches_gone WHERE project=? AND ref=?",
	/* not while a run of it is open: its push may be newer than the last look at the remote */
	[STATEMENT_BRANCH_GONE_ADD] =
		"INSERT OR IGNORE INTO branches_gone(project, ref) SELECT ?1, ?2 WHERE NOT EXISTS("
		"SELECT 1 FROM runs WHERE state IN ('pending','running') AND project=?1 AND "
		"ref=?2)",
	[STATEMENT_BRANCH_SEEN] = "DELETE FROM branches_gone WHERE project=? AND ref=?",
	/* of a run that is about to be deleted: no other run of the branch succeeded */
	[STATEMENT_BRANCH_UNUSED] =
		"DELETE FROM branches_gone WHERE (project, ref) IN (SELECT project, ref FROM runs "
		"WHERE id=?1) AND NOT EXISTS(SELECT 1 FROM runs r WHERE "
		"r.project=branches_gone.project AND r.ref=branches_gone.ref AND r.id<>?1 "
		"AND " SUCCESS ")",
};
static_assert(ARRAY_SIZE(statement_sql) == STATEMENT_NUM, "a statement without its text");

int store_errno(int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	default:
		return -EIO;
	}
}

/*
 * Remember the first failed write: later ones would only report that there is no transaction. A
 * failed read only concerns its caller, unless SQLite rolled the transaction back for it: then each
 * later write would commit by itself.
 */
static int store_fail(struct store *store, int code)
{
	int r = store_errno(code);

	if (r == -EUCLEAN && !store->damaged) {
		store->damaged = true;
		(void)snprintf(store->damage, sizeof(store->damage), "%s",
			       sqlite3_errmsg(store->database));
	}
	if (r < 0 && store->failed == 0 &&
	    (store->writing || (store->open && sqlite3_get_autocommit(store->database)))) {
		store->failed = r;
		(void)error_set(&store->cause, -r, "store: %s (SQLite code %d)",
				sqlite3_errmsg(store->database), code);
	}
	return r;
}

static int value_bind(sqlite3_stmt *statement, int position, const struct store_value *value)
{
	switch (value->kind) {
	case VALUE_NUMBER:
		return sqlite3_bind_int64(statement, position, value->number);
	case VALUE_TEXT:
		return sqlite3_bind_text(statement, position, value->text, -1, SQLITE_STATIC);
	case VALUE_BYTES:
		return sqlite3_bind_blob64(statement, position, value->text, value->size,
					   SQLITE_STATIC);
	case VALUE_NULL:
	default:
		return sqlite3_bind_null(statement, position);
	}
}

sqlite3_stmt *store_statement_start(struct store *store, enum store_statement which,
				    const struct store_value *values, size_t n_values, int *ret_r)
{
	sqlite3_stmt **statement = &store->statements[which];
	int code = SQLITE_OK;

	if (!*statement)
		code = sqlite3_prepare_v3(store->database, statement_sql[which], -1,
					  SQLITE_PREPARE_PERSISTENT, statement, NULL);
	for (size_t i = 0; code == SQLITE_OK && i < n_values; i++)
		code = value_bind(*statement, (int)i + 1, &values[i]);
	*ret_r = store_fail(store, code);
	return *ret_r == 0 ? *statement : NULL;
}

int store_statement_end(struct store *store, sqlite3_stmt *statement, int r)
{
	int code = sqlite3_reset(statement);

	(void)sqlite3_clear_bindings(statement);
	if (r == SQLITE_DONE || r == SQLITE_ROW)
		return 0;
	return store_fail(store, code ? code : r);
}

int store_statement_run(struct store *store, enum store_statement which,
			const struct store_value *values, size_t n_values)
{
	sqlite3_stmt *statement;
	int r;

	statement = store_statement_start(store, which, values, n_values, &r);
	if (!statement)
		return r;
	return store_statement_end(store, statement, sqlite3_step(statement));
}

int store_write(struct store *store, enum store_statement which, const struct store_value *values,
		size_t n_values)
{
	int r = store->failed;

	store->writing = true;
	if (!store->open && r == 0) {
		r = store_statement_run(store, STATEMENT_BEGIN, NULL, 0);
		store->open = r == 0;
	}
	if (r == 0)
		r = store_statement_run(store, which, values, n_values);
	store->writing = false;
	return r;
}

int store_number_read(struct store *store, sqlite3_stmt *statement, uint64_t *ret_number)
{
	bool found = false;
	int r = sqlite3_step(statement), e;

	if (r == SQLITE_ROW) {
		*ret_number = (uint64_t)sqlite3_column_int64(statement, 0);
		found = true;
	}
	e = store_statement_end(store, statement, r);
	return e < 0 ? e : found;
}
