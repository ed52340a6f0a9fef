/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schema, as a list of migrations. `PRAGMA user_version` is the number of migrations that a
 * database has had. A released migration is never edited: add another one.
 */
#include "common/cleanup.h"
#include "scheduler/store/store_internal.h"

#include <errno.h>
#include <stdio.h>

static const char *const migrations[] = {
	/* 1: the first */
	"CREATE TABLE runbooks("
	"  id INTEGER PRIMARY KEY,"
	"  digest BLOB NOT NULL UNIQUE,"
	"  text BLOB NOT NULL);"

	"CREATE TABLE runs("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  project TEXT NOT NULL,"
	"  source TEXT NOT NULL,"
	"  state TEXT NOT NULL,"
	"  reason TEXT NOT NULL,"
	"  event TEXT NOT NULL,"
	"  ref TEXT NOT NULL,"
	"  asked TEXT NOT NULL,"
	"  commit_id TEXT NOT NULL,"
	"  tree TEXT NOT NULL,"
	"  title TEXT NOT NULL,"
	"  actor TEXT NOT NULL,"
	"  name TEXT,"
	"  retry_of INTEGER REFERENCES runs(id),"
	"  runbook INTEGER REFERENCES runbooks(id),"
	"  cancelling INTEGER NOT NULL DEFAULT 0,"
	"  created_usec INTEGER NOT NULL,"
	"  started_usec INTEGER,"
	"  ended_usec INTEGER,"
	"  findings TEXT);"
	"CREATE INDEX runs_of_project ON runs(project, id);"
	"CREATE INDEX runs_state ON runs(state);"
	"CREATE INDEX runs_asked ON runs(project, asked, created_usec);"

	"CREATE TABLE deliveries("
	"  project TEXT NOT NULL,"
	"  delivery TEXT NOT NULL,"
	"  run INTEGER NOT NULL REFERENCES runs(id),"
	"  received_usec INTEGER NOT NULL,"
	"  PRIMARY KEY(project, delivery)) WITHOUT ROWID;"

	"CREATE TABLE steps("
	"  run INTEGER NOT NULL REFERENCES runs(id),"
	"  idx INTEGER NOT NULL,"
	"  name TEXT NOT NULL,"
	"  slug TEXT NOT NULL,"
	"  image TEXT NOT NULL,"
	"  state TEXT NOT NULL,"
	"  reason TEXT NOT NULL,"
	"  attempt INTEGER NOT NULL,"
	"  ready_usec INTEGER,"
	"  PRIMARY KEY(run, idx)) WITHOUT ROWID;"

	"CREATE TABLE dependencies("
	"  run INTEGER NOT NULL,"
	"  step INTEGER NOT NULL,"
	"  depends_on INTEGER NOT NULL,"
	"  PRIMARY KEY(run, step, depends_on),"
	"  FOREIGN KEY(run, step) REFERENCES steps(run, idx)) WITHOUT ROWID;"

	/* AUTOINCREMENT: an order number is never used again, even if its row was deleted */
	"CREATE TABLE attempts("
	"  order_id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  run INTEGER NOT NULL,"
	"  step INTEGER NOT NULL,"
	"  attempt INTEGER NOT NULL,"
	"  instance TEXT NOT NULL,"
	"  state TEXT NOT NULL,"
	"  reason TEXT NOT NULL DEFAULT '',"
	"  exit_code INTEGER,"
	"  signal INTEGER,"
	"  container TEXT NOT NULL,"
	"  claimed_usec INTEGER NOT NULL,"
	"  started_usec INTEGER,"
	"  ended_usec INTEGER,"
	"  log_bytes INTEGER NOT NULL DEFAULT 0,"
	"  cancelling INTEGER NOT NULL DEFAULT 0,"
	"  UNIQUE(run, step, attempt),"
	"  FOREIGN KEY(run, step) REFERENCES steps(run, idx));"

	"CREATE TABLE events("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  run INTEGER NOT NULL REFERENCES runs(id),"
	"  step TEXT,"
	"  attempt INTEGER,"
	"  from_state TEXT NOT NULL,"
	"  to_state TEXT NOT NULL,"
	"  reason TEXT NOT NULL,"
	"  at_usec INTEGER NOT NULL);"
	"CREATE INDEX events_of_run ON events(run, id);"
	"CREATE TRIGGER events_fixed BEFORE UPDATE ON events"
	"  BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;"

	"CREATE TABLE paused_projects("
	"  project TEXT PRIMARY KEY,"
	"  since_usec INTEGER NOT NULL) WITHOUT ROWID;",

	/* 2: resources that an attempt used; NULL where they could not be measured */
	"ALTER TABLE attempts ADD COLUMN cpu_usec INTEGER;"
	"ALTER TABLE attempts ADD COLUMN cpu_user_usec INTEGER;"
	"ALTER TABLE attempts ADD COLUMN cpu_system_usec INTEGER;"
	"ALTER TABLE attempts ADD COLUMN memory_peak INTEGER;"
	"ALTER TABLE attempts ADD COLUMN process_peak INTEGER;"
	"ALTER TABLE attempts ADD COLUMN io_read INTEGER;"
	"ALTER TABLE attempts ADD COLUMN io_write INTEGER;"
	"ALTER TABLE attempts ADD COLUMN pids_peak INTEGER;"
	"ALTER TABLE attempts ADD COLUMN disk_used INTEGER;"
	"ALTER TABLE attempts ADD COLUMN wait_cpu_usec INTEGER;"
	"ALTER TABLE attempts ADD COLUMN wait_memory_usec INTEGER;"
	"ALTER TABLE attempts ADD COLUMN wait_io_usec INTEGER;",

	/* 3: what image names stand for in a run */
	"CREATE TABLE run_images("
	"  run INTEGER NOT NULL REFERENCES runs(id),"
	"  name TEXT NOT NULL,"
	"  image TEXT NOT NULL,"
	"  PRIMARY KEY(run, name)) WITHOUT ROWID;",

	/* automatic attempts, allowed failures, unmet conditions */
	"ALTER TABLE steps ADD COLUMN budget INTEGER NOT NULL DEFAULT 1;"
	"ALTER TABLE steps ADD COLUMN max_attempts INTEGER NOT NULL DEFAULT 1;"
	"ALTER TABLE steps ADD COLUMN allow_failure INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE steps ADD COLUMN unmet INTEGER NOT NULL DEFAULT 0;",

	/* pull requests, reasons that end a run early, schedules */
	"ALTER TABLE runs ADD COLUMN pull_request INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE runs ADD COLUMN base_ref TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE runs ADD COLUMN before_commit TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE runs ADD COLUMN from_fork INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE runs ADD COLUMN unwanted INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE runs ADD COLUMN held INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE runs ADD COLUMN stop INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE runs ADD COLUMN stop_by INTEGER;"
	"ALTER TABLE runs ADD COLUMN deadline_usec INTEGER;"
	"CREATE TABLE schedules("
	"  project TEXT NOT NULL,"
	"  cron TEXT NOT NULL,"
	"  timezone TEXT NOT NULL,"
	"  branch TEXT NOT NULL,"
	"  last_usec INTEGER NOT NULL,"
	"  PRIMARY KEY(project, cron, timezone, branch)) WITHOUT ROWID;"
	/* the run that the schedules were read from, also when there are none */
	"CREATE TABLE schedule_sources("
	"  project TEXT PRIMARY KEY,"
	"  run INTEGER NOT NULL,"
	"  branch TEXT NOT NULL) WITHOUT ROWID;",

	/* secrets, encrypted (secret_crypt.h), and the one key that they are encrypted with */
	"CREATE TABLE secrets("
	"  project TEXT NOT NULL,"
	"  env TEXT NOT NULL,"
	"  name TEXT NOT NULL,"
	"  key_id TEXT NOT NULL,"
	"  box BLOB NOT NULL,"
	"  changed_usec INTEGER NOT NULL,"
	"  PRIMARY KEY(project, env, name)) WITHOUT ROWID;"

	"CREATE TABLE secret_key("
	"  one INTEGER PRIMARY KEY CHECK(one = 1),"
	"  id TEXT NOT NULL,"
	"  proof BLOB NOT NULL,"
	"  since_usec INTEGER NOT NULL);",

	/*
	 * Deliveries outlive their runs, so that a repeated one is recognized. body: digest of the
	 * signed body; place: the subject, and after_commit where it moved; asked: digest of all
	 * that must be equal in a duplicate; doubt: body came before, so the ref must be examined
	 * first.
	 */
	"ALTER TABLE deliveries RENAME TO deliveries_of_runs;"
	"CREATE TABLE deliveries("
	"  project TEXT NOT NULL,"
	"  delivery TEXT NOT NULL,"
	"  run INTEGER NOT NULL,"
	"  received_usec INTEGER NOT NULL,"
	"  body BLOB,"
	"  place TEXT NOT NULL DEFAULT '',"
	"  after_commit TEXT NOT NULL DEFAULT '',"
	"  asked BLOB,"
	"  doubt INTEGER NOT NULL DEFAULT 0,"
	"  PRIMARY KEY(project, delivery)) WITHOUT ROWID;"
	"INSERT INTO deliveries(project, delivery, run, received_usec)"
	"  SELECT project, delivery, run, received_usec FROM deliveries_of_runs;"
	"DROP TABLE deliveries_of_runs;"
	"CREATE INDEX deliveries_body ON deliveries(project, body) WHERE body IS NOT NULL;"
	"CREATE INDEX deliveries_place ON deliveries(project, place, run) WHERE place<>'';"
	"CREATE INDEX deliveries_received ON deliveries(received_usec);"
	"ALTER TABLE runs ADD COLUMN again_of INTEGER;",

	/* runs whose fetch failed and is retried */
	"CREATE TABLE fetch_waits("
	"  run INTEGER PRIMARY KEY,"
	"  outcome TEXT NOT NULL,"
	"  error TEXT NOT NULL,"
	"  tries INTEGER NOT NULL,"
	"  first_usec INTEGER NOT NULL,"
	"  since_usec INTEGER NOT NULL,"
	"  next_usec INTEGER NOT NULL);",

	/*
	 * Retention. `retries` replaces retry_of, which would keep a deleted run's row; deleting a
	 * run searches the rows that refer to it, so these columns have indexes.
	 */
	"ALTER TABLE runs ADD COLUMN retries INTEGER;"
	"UPDATE runs SET retries=retry_of, retry_of=NULL WHERE retry_of IS NOT NULL;"
	"CREATE INDEX runs_retry_of ON runs(retry_of) WHERE retry_of IS NOT NULL;"
	"CREATE INDEX runs_runbook ON runs(runbook);"
	"ALTER TABLE runs ADD COLUMN pinned_usec INTEGER;"
	"ALTER TABLE runs ADD COLUMN removing INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE runs ADD COLUMN removed_usec INTEGER;"
	"ALTER TABLE runs ADD COLUMN logs_removed_usec INTEGER;"
	"ALTER TABLE runs ADD COLUMN artifacts_removed_usec INTEGER;"
	"ALTER TABLE runs ADD COLUMN tree_removed_usec INTEGER;"
	"ALTER TABLE runs ADD COLUMN artifact_bytes INTEGER;"
	"CREATE INDEX runs_removing ON runs(id) WHERE removing<>0;"
	"CREATE INDEX runs_success ON runs(project, ref, id) WHERE state='succeeded' AND "
	"  source='fetch' AND unwanted=0 AND pull_request=0;"
	/* numbers of runs that were removed, as ranges of one day each */
	"CREATE TABLE removed_runs("
	"  first INTEGER PRIMARY KEY,"
	"  last INTEGER NOT NULL,"
	"  at_usec INTEGER NOT NULL);",

	/* the references and objects of git that the steps of a run see */
	("ALTER TABLE runs ADD COLUMN view TEXT NOT NULL DEFAULT '';"
	 "ALTER TABLE runs ADD COLUMN view_objects INTEGER NOT NULL DEFAULT 0;"),
	/* the trees and uploads of the fetcher with their last use; when mirrors were examined */

	("CREATE TABLE trees("
	 "  project TEXT NOT NULL,"
	 "  tree TEXT NOT NULL,"
	 "  upload INTEGER NOT NULL,"
	 "  removing INTEGER NOT NULL DEFAULT 0,"
	 "  used_usec INTEGER NOT NULL,"
	 "  PRIMARY KEY(project, tree)) WITHOUT ROWID;"
	 "CREATE INDEX trees_used ON trees(used_usec);"
	 "CREATE INDEX trees_rank ON trees(project, upload, used_usec);"
	 "CREATE INDEX runs_tree ON runs(project, tree);"
	 "INSERT INTO trees(project, tree, upload, used_usec)"
	 "  SELECT project, tree, max(source='upload'), max(created_usec) FROM runs"
	 "  WHERE tree<>'' AND source<>'workspace' GROUP BY project, tree;"
	 "CREATE TABLE mirrors("
	 "  project TEXT PRIMARY KEY,"
	 "  pruned_usec INTEGER NOT NULL) WITHOUT ROWID;"),

	/* branches with successes that the remote no longer has */
	"CREATE TABLE branches_gone("
	"  project TEXT NOT NULL,"
	"  ref TEXT NOT NULL,"
	"  PRIMARY KEY(project, ref)) WITHOUT ROWID;",
};

static int migrate_run(struct store *store, const char *sql, struct error *error)
{
	char *text = NULL;

	int r = store_errno(sqlite3_exec(store->database, sql, NULL, NULL, &text));

	if (r < 0)
		(void)error_set(error, -r, "%s", text ? text : sqlite3_errmsg(store->database));
	sqlite3_free(text);
	return r;
}

static int migrate_one(struct store *store, size_t version, struct error *error)
{
	char pragma[64];
	int r;

	(void)snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %zu", version + 1);
	r = migrate_run(store, "BEGIN IMMEDIATE", error);
	if (r == 0)
		r = migrate_run(store, migrations[version], error);
	if (r == 0)
		r = migrate_run(store, pragma, error);
	if (r == 0)
		r = migrate_run(store, "COMMIT", error);
	if (r < 0) {
		(void)migrate_run(store, "ROLLBACK", NULL);
		return error_wrap(error, "migration %zu of the schema", version + 1);
	}
	return 0;
}

uint64_t store_schema_version(void)
{
	return ARRAY_SIZE(migrations);
}

int store_migrate(struct store *store, struct error *error)
{
	sqlite3_stmt *statement = NULL;
	size_t version;
	int r;

	if (sqlite3_prepare_v2(store->database, "PRAGMA user_version", -1, &statement, NULL) !=
		    SQLITE_OK ||
	    sqlite3_step(statement) != SQLITE_ROW) {
		(void)error_set(error, EIO, "%s", sqlite3_errmsg(store->database));
		(void)sqlite3_finalize(statement);
		return -EIO;
	}
	version = (size_t)sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	if (version > ARRAY_SIZE(migrations))
		return error_set(error, EPROTO,
				 "its schema has version %zu, this program knows up to %zu: "
				 "install the runbookd that wrote it, or restore a backup",
				 version, ARRAY_SIZE(migrations));
	for (; version < ARRAY_SIZE(migrations); version++) {
		r = migrate_one(store, version, error);
		if (r < 0)
			return r;
	}
	return 0;
}
