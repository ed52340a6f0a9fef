/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: The store in SQLite: life, transactions and writes
 *
 * One connection, one writer. WAL with synchronous=FULL: a commit is one
 * fsync of the log, and an acknowledged commit survives a power cut.
 */
#include "scheduler/store/store_internal.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "scheduler/store/store_check.h"
#include "scheduler/store/store_reserve.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- opening and closing ---- */

static const char open_pragmas[] =
	"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
	/* no temporary files: the process may only write to one directory */
	"PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"
	"PRAGMA journal_size_limit=67108864;"
	"PRAGMA cache_size=-16000;";

static int store_exec(struct store *store, const char *path, const char *sql, struct error *error)
{
	char *text = NULL;
	int r = store_errno(sqlite3_exec(store->database, sql, NULL, NULL, &text));

	if (r == -EUCLEAN)
		(void)store_damaged_text(error, path, text ? text : "unreadable");
	else if (r < 0)
		(void)error_set(error, -r, "%s", text ? text : sqlite3_errmsg(store->database));
	sqlite3_free(text);
	return r;
}

/* Set whether closing checkpoints the log into the database (SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE). */
static void store_log_hold(struct store *store, bool hold)
{
	(void)sqlite3_db_config(store->database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, (int)hold, NULL);
}

static int store_connect(struct store *store, const char *path, struct error *error)
{
	int keep = 1;

	if (sqlite3_open_v2(path, &store->database,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
				    SQLITE_OPEN_EXRESCODE,
			    NULL) != SQLITE_OK)
		return error_set(error, EIO, "cannot open it: %s",
				 store->database ? sqlite3_errmsg(store->database) : "no memory");
	(void)sqlite3_busy_timeout(store->database, 5000);
	/* keep the log when closing, so that a missing one is noticed at the next start */
	(void)sqlite3_file_control(store->database, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
	/*
	 * until the database is known to be whole: the log may have the only copy of the last
	 * commits
	 */
	store_log_hold(store, true);
	return 0;
}

/* On a full disk there is no space for the log's index: keep it in memory, see store_reserve.h. */
static int store_connect_full(struct store *store, const char *path, struct error *error)
{
	int r;

	(void)sqlite3_close(store->database);
	store->database = NULL;
	log_notice("%s: the disk is full: opening it for this process alone", path);
	r = store_connect(store, path, error);
	if (r == 0)
		r = store_exec(store, path, "PRAGMA locking_mode=EXCLUSIVE;", error);
	if (r == 0)
		r = store_exec(store, path, open_pragmas, error);
	return r;
}

/*
 * Files are checked before SQLite opens the database, because opening would create missing ones;
 * space is reserved last, when the log exists.
 */
static int store_prepare(struct store *store, const char *path, struct error *error)
{
	struct store_past past;
	int r;

	r = store_restore_finish(path, error);
	if (r == 0)
		r = store_past_look(path, &past, error);
	if (r < 0)
		return r;
	store_backup_sweep(path);
	r = store_connect(store, path, error);
	if (r < 0)
		return r;
	r = store_exec(store, path, open_pragmas, error);
	if (r < 0 && sqlite3_extended_errcode(store->database) == SQLITE_IOERR_SHMSIZE)
		r = store_connect_full(store, path, error);
	if (r < 0)
		return r;
	r = store_check(store->database, &past, error);
	if (r == 0)
		r = store_migrate(store, error);
	if (r == 0) {
		r = store_mark_open(path);
		if (r < 0)
			(void)error_errno(error, -r, "%s.state", path);
	}
	if (r == 0) {
		store_reserve_log(path);
		(void)sqlite3_wal_autocheckpoint(store->database, (int)store_reserve_pages(path));
	}
	return r;
}

/*
 * Write to the state file how this life ended, after the database was closed: a kill during the
 * last checkpoint must count as unclean. If the file cannot be written, the next start checks more.
 */
static void store_mark_end(const struct store *store, const char *path)
{
	int r = store->damaged ? store_mark_damaged(path, store->damage) : store_mark_clean(path);

	if (r < 0)
		log_notice("cannot write %s.state: %s", path, strerror(-r));
}

int store_open(const char *path, struct store **ret_store, struct error *error)
{
	struct store *store;
	int r;

	if (sodium_init() < 0)
		return error_set(error, EIO, "cannot set up libsodium");
	store = calloc(1, sizeof(*store));
	if (!store)
		return error_errno(error, ENOMEM, "store");
	r = store_prepare(store, path, error);
	if (r < 0) {
		(void)error_wrap(error, "store %s", path);
		(void)store_close(store);
		return r;
	}
	store->ready = true;
	store_log_hold(store, false);
	*ret_store = store;
	return 0;
}

struct store *store_close(struct store *store)
{
	cleanup_free char *path = NULL;

	if (!store)
		return NULL;
	(void)store_backup_free(store->backup);
	if (store->open)
		(void)store_statement_run(store, STATEMENT_ROLLBACK, NULL, 0);
	if (store->ready)
		path = strdup(sqlite3_db_filename(store->database, "main"));
	if (store->damaged || (path && store_reserve_scarce(path)))
		store_log_hold(store, true);
	for (size_t i = 0; i < STATEMENT_NUM; i++)
		(void)sqlite3_finalize(store->statements[i]);
	(void)sqlite3_close(store->database);
	if (path) {
		store_mark_end(store, path);
		store_reserve_log(path);
	}
	free(store);
	return NULL;
}

bool store_damaged(const struct store *store)
{
	return store->damaged;
}

bool store_dirty(const struct store *store)
{
	return store->open || store->failed;
}

int store_commit(struct store *store, struct error *error)
{
	int r = store->failed;

	store->writing = true;
	if (store->open && r == 0)
		r = store_statement_run(store, STATEMENT_COMMIT, NULL, 0);
	store->writing = false;
	if (r == 0) {
		store->open = false;
		return 0;
	}
	if (error)
		*error = store->cause;
	if (store->open && !sqlite3_get_autocommit(store->database))
		(void)store_statement_run(store, STATEMENT_ROLLBACK, NULL, 0);
	store->open = false;
	store->failed = 0;
	return r;
}

/* ---- writes ---- */

static uint64_t store_last_id(const struct store *store, int r)
{
	return r == 0 ? (uint64_t)sqlite3_last_insert_rowid(store->database) : 0;
}

uint64_t store_run_add(struct store *store, const struct store_run *run)
{
	return store_last_id(
		store, WRITE(store, STATEMENT_RUN_ADD, TEXT(run->project),
			     TEXT(run_source_name(run->source)), TEXT(run_state_name(run->state)),
			     TEXT(run->reason), TEXT(run->event), TEXT(run->ref), TEXT(run->asked),
			     TEXT(run->commit), TEXT(run->tree), TEXT(run->title), TEXT(run->actor),
			     TEXT_OR_NULL(run->name), NUMBER_OR_NULL(run->retry_of),
			     NUMBER_OR_NULL(run->runbook), NUMBER(run->created_usec),
			     NUMBER(run->pull_request), TEXT(run->base_ref), TEXT(run->before),
			     NUMBER(run->from_fork), NUMBER_OR_NULL(run->again_of)));
}

void store_run_set_state(struct store *store, const struct store_run *run)
{
	(void)WRITE(store, STATEMENT_RUN_SET_STATE, NUMBER(run->id),
		    TEXT(run_state_name(run->state)), TEXT(run->reason),
		    NUMBER_OR_NULL(run->started_usec), NUMBER_OR_NULL(run->ended_usec));
}

void store_run_set_tree(struct store *store, const struct store_run *run)
{
	(void)WRITE(store, STATEMENT_RUN_SET_TREE, NUMBER(run->id), TEXT(run->commit),
		    TEXT(run->tree), TEXT(run->title), TEXT(run->actor),
		    TEXT_OR_NULL(run->findings), TEXT(run->ref), TEXT(run->view),
		    NUMBER(run->view_objects));
}

void store_run_set_runbook(struct store *store, uint64_t run, uint64_t runbook, const char *name)
{
	(void)WRITE(store, STATEMENT_RUN_SET_RUNBOOK, NUMBER(run), NUMBER_OR_NULL(runbook),
		    TEXT_OR_NULL(name));
}

void store_run_set_cancelling(struct store *store, uint64_t run, bool cancelling)
{
	(void)WRITE(store, STATEMENT_RUN_SET_CANCELLING, NUMBER(run), NUMBER(cancelling));
}

uint64_t store_runbook_add(struct store *store, const char *text, size_t size)
{
	unsigned char digest[crypto_generichash_BYTES];
	uint64_t id = 0;
	sqlite3_stmt *statement;
	int r;

	(void)crypto_generichash(digest, sizeof(digest), (const unsigned char *)text, size, NULL,
				 0);
	statement = READ_START(store, STATEMENT_RUNBOOK_FIND, &r,
			       BYTES((const char *)digest, sizeof(digest)));
	if (!statement)
		return 0;
	r = sqlite3_step(statement);
	if (r == SQLITE_ROW)
		id = (uint64_t)sqlite3_column_int64(statement, 0);
	if (store_statement_end(store, statement, r) < 0 || id)
		return id;
	return store_last_id(store, WRITE(store, STATEMENT_RUNBOOK_ADD,
					  BYTES((const char *)digest, sizeof(digest)),
					  BYTES(size ? text : "", size)));
}

void store_step_add(struct store *store, const struct store_step *step)
{
	(void)WRITE(store, STATEMENT_STEP_ADD, NUMBER(step->run), NUMBER(step->index),
		    TEXT(step->name), TEXT(step->slug), TEXT(step->image),
		    TEXT(step_state_name(step->state)), TEXT(step->reason), NUMBER(step->attempt),
		    NUMBER(step->budget), NUMBER(step->max_attempts), NUMBER(step->allow_failure),
		    NUMBER(step->condition_failed));
}

void store_dependency_add(struct store *store, uint64_t run, uint64_t step, uint64_t depends_on)
{
	(void)WRITE(store, STATEMENT_DEPENDENCY_ADD, NUMBER(run), NUMBER(step), NUMBER(depends_on));
}

void store_step_set(struct store *store, const struct store_step *step)
{
	(void)WRITE(store, STATEMENT_STEP_SET, NUMBER(step->run), NUMBER(step->index),
		    TEXT(step_state_name(step->state)), TEXT(step->reason), NUMBER(step->attempt),
		    NUMBER_OR_NULL(step->ready_usec), NUMBER(step->budget));
}

uint64_t store_attempt_add(struct store *store, const struct store_attempt *attempt)
{
	return store_last_id(store,
			     WRITE(store, STATEMENT_ATTEMPT_ADD, NUMBER(attempt->run),
				   NUMBER(attempt->step), NUMBER(attempt->attempt),
				   TEXT(attempt->instance), TEXT(step_state_name(attempt->state)),
				   TEXT(attempt->container), NUMBER(attempt->claimed_usec)));
}

void store_attempt_started(struct store *store, uint64_t order, const char *container,
			   uint64_t at_usec)
{
	(void)WRITE(store, STATEMENT_ATTEMPT_STARTED, NUMBER(order), TEXT(container),
		    NUMBER_OR_NULL(at_usec));
}

void store_attempt_ended(struct store *store, const struct store_attempt *attempt)
{
	struct store_value values[8 + STEP_USAGE_NUM] = {
		NUMBER(attempt->order),
		TEXT(step_state_name(attempt->state)),
		TEXT(attempt->reason),
		NUMBER(attempt->exit_code),
		NUMBER_OR_NULL(attempt->signal),
		NUMBER_OR_NULL(attempt->started_usec),
		NUMBER_OR_NULL(attempt->ended_usec),
		NUMBER(attempt->log_bytes),
	};

	if (attempt->exit_code < 0)
		values[3].kind = VALUE_NULL;
	for (unsigned i = 0; i < STEP_USAGE_NUM; i++) {
		values[8 + i] = NUMBER(attempt->usage.values[i]);
		if (!step_usage_has(&attempt->usage, i))
			values[8 + i].kind = VALUE_NULL;
	}
	(void)store_write(store, STATEMENT_ATTEMPT_ENDED, values, ARRAY_SIZE(values));
}

void store_attempt_cancel(struct store *store, uint64_t order)
{
	(void)WRITE(store, STATEMENT_ATTEMPT_CANCEL, NUMBER(order));
}

uint64_t store_event_add(struct store *store, const struct store_event *event)
{
	return store_last_id(store, WRITE(store, STATEMENT_EVENT_ADD, NUMBER(event->run),
					  TEXT_OR_NULL(event->step), NUMBER_OR_NULL(event->attempt),
					  TEXT(event->from), TEXT(event->to), TEXT(event->reason),
					  NUMBER(event->at_usec)));
}

void store_run_image_add(struct store *store, uint64_t run, const char *name, const char *id)
{
	(void)WRITE(store, STATEMENT_RUN_IMAGE_ADD, NUMBER(run), TEXT(name), TEXT(id));
}

void store_pause(struct store *store, const char *project, bool paused, uint64_t at_usec)
{
	if (paused)
		(void)WRITE(store, STATEMENT_PAUSE, TEXT(project), NUMBER(at_usec));
	else
		(void)WRITE(store, STATEMENT_UNPAUSE, TEXT(project));
}
