/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_STORE_INTERNAL_H
#define SCHEDULER_STORE_INTERNAL_H

/* The connection to SQLite and its statements, shared by the store_*.c files only. */

#include "common/error.h"
#include "scheduler/store/store.h"
#include "scheduler/store/store_backup.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum store_statement {
	STATEMENT_BEGIN,
	STATEMENT_COMMIT,
	STATEMENT_ROLLBACK,
	STATEMENT_RUN_ADD,
	STATEMENT_RUN_SET_STATE,
	STATEMENT_RUN_SET_TREE,
	STATEMENT_RUN_SET_RUNBOOK,
	STATEMENT_RUN_SET_CANCELLING,
	STATEMENT_RUNBOOK_FIND,
	STATEMENT_RUNBOOK_ADD,
	STATEMENT_DELIVERY_ADD,
	STATEMENT_STEP_ADD,
	STATEMENT_DEPENDENCY_ADD,
	STATEMENT_STEP_SET,
	STATEMENT_ATTEMPT_ADD,
	STATEMENT_ATTEMPT_STARTED,
	STATEMENT_ATTEMPT_ENDED,
	STATEMENT_ATTEMPT_CANCEL,
	STATEMENT_EVENT_ADD,
	STATEMENT_PAUSE,
	STATEMENT_UNPAUSE,
	STATEMENT_DELIVERY_FIND,
	STATEMENT_DELIVERY_FIND_BODY,
	STATEMENT_DELIVERY_LAST,
	STATEMENT_DELIVERY_CONFIRM,
	STATEMENT_DELIVERIES_PRUNE,
	STATEMENT_RUN_GET,
	STATEMENT_RUNS,
	STATEMENT_RUNS_OF_PROJECT,
	STATEMENT_RUNS_OPEN,
	STATEMENT_RUN_COUNTS,
	STATEMENT_STEPS,
	STATEMENT_DEPENDENCIES,
	STATEMENT_ATTEMPTS,
	STATEMENT_EVENTS,
	STATEMENT_EVENTS_OF_RUN,
	STATEMENT_EVENT_LAST,
	STATEMENT_RUNBOOK_GET,
	STATEMENT_PAUSED,
	STATEMENT_RUN_IMAGE_ADD,
	STATEMENT_RUN_IMAGES,
	STATEMENT_RUN_SET_LIMITS,
	STATEMENT_RUN_LAST,
	STATEMENT_FETCH_WAIT_SET,
	STATEMENT_FETCH_WAIT_CLEAR,
	STATEMENT_FETCH_WAIT_GET,
	STATEMENT_SCHEDULES_CLEAR,
	STATEMENT_SCHEDULE_ADD,
	STATEMENT_SCHEDULE_SET_LAST,
	STATEMENT_SCHEDULES,
	STATEMENT_SCHEDULE_SOURCE_SET,
	STATEMENT_SCHEDULE_SOURCES,
	STATEMENT_SECRET_SET,
	STATEMENT_SECRET_REBOX,
	STATEMENT_SECRET_REMOVE,
	STATEMENT_SECRETS,
	STATEMENT_SECRETS_OF_PROJECT,
	STATEMENT_SECRETS_OF_ENV,
	STATEMENT_SECRET_NEXT,
	STATEMENT_SECRET_KEY_SET,
	STATEMENT_SECRET_KEY_GET,
	STATEMENT_KEPT_NEWEST,
	STATEMENT_KEPT_OLDEST,
	STATEMENT_REMOVING,
	STATEMENT_SUCCESS_NEWER,
	STATEMENT_RUN_PIN,
	STATEMENT_RUN_SET_ARTIFACT_BYTES,
	STATEMENT_RUN_MARK,
	STATEMENT_RUN_SET_REMOVING,
	STATEMENT_DEPENDENCIES_DELETE,
	STATEMENT_ATTEMPTS_DELETE,
	STATEMENT_EVENTS_DELETE,
	STATEMENT_RUN_IMAGES_DELETE,
	STATEMENT_STEPS_DELETE,
	STATEMENT_RUN_RUNBOOK,
	STATEMENT_RUN_DELETE,
	STATEMENT_RUNBOOK_DELETE,
	STATEMENT_REMOVED_BEFORE,
	STATEMENT_REMOVED_BEHIND,
	STATEMENT_REMOVED_ADD,
	STATEMENT_REMOVED_FIND,
	STATEMENT_REMOVED_TRIM,
	STATEMENT_RUN_LAST_ID,
	STATEMENT_SIZE,
	STATEMENT_TREE_EXPECT,
	STATEMENT_TREE_USE,
	STATEMENT_TREE_TOUCH,
	STATEMENT_TREES,
	STATEMENT_TREES_YOUNGER,
	STATEMENT_TREE_NEEDED,
	STATEMENT_TREE_THERE,
	STATEMENT_TREE_MARK,
	STATEMENT_TREE_RUNS_MARK,
	STATEMENT_TREE_REMOVE,
	STATEMENT_TREE_UNUSED,
	STATEMENT_COMMITS,
	STATEMENT_MIRROR_PRUNED,
	STATEMENT_MIRROR_PRUNE,
	STATEMENT_BRANCHES,
	STATEMENT_BRANCH_GONE,
	STATEMENT_BRANCH_GONE_ADD,
	STATEMENT_BRANCH_SEEN,
	STATEMENT_BRANCH_UNUSED,
	STATEMENT_NUM,
};

struct store {
	sqlite3 *database;
	sqlite3_stmt *statements[STATEMENT_NUM];
	bool open;		     /* in a transaction */
	bool writing;		     /* inside a write: failures stick */
	int failed;		     /* first failure of the open transaction, -errno */
	struct error cause;	     /* sentence for .failed */
	bool ready;		     /* store_open() has succeeded */
	bool damaged;		     /* a damaged page was found */
	char damage[256];	     /* message of SQLite */
	struct store_backup *backup; /* the backup that is being made, NULL: none */
};

static inline void cleanup_sqlite_text_fn(char **text)
{
	sqlite3_free(*text);
}
#define cleanup_sqlite_text __attribute__((cleanup(cleanup_sqlite_text_fn)))

/** struct store_value - one bound parameter */
struct store_value {
	enum { VALUE_NUMBER, VALUE_TEXT, VALUE_BYTES, VALUE_NULL } kind;
	int64_t number;
	const char *text;
	size_t size;
};

#define NUMBER(x) ((struct store_value){.kind = VALUE_NUMBER, .number = (int64_t)(x)})
#define NUMBER_OR_NULL(x)                                                                          \
	((struct store_value){.kind = (x) ? VALUE_NUMBER : VALUE_NULL, .number = (int64_t)(x)})
#define TEXT(x) ((struct store_value){.kind = VALUE_TEXT, .text = (x) ? (x) : ""})
#define TEXT_OR_NULL(x) ((struct store_value){.kind = (x) ? VALUE_TEXT : VALUE_NULL, .text = (x)})
#define BYTES(x, n) ((struct store_value){.kind = VALUE_BYTES, .text = (x), .size = (n)})

/**
 * store_statement_start() - reset a prepared statement and bind @values
 *
 * Return: NULL after a failure, with -errno in *@ret_r.
 */
sqlite3_stmt *store_statement_start(struct store *store, enum store_statement which,
				    const struct store_value *values, size_t n_values, int *ret_r);
/**
 * store_statement_end() - reset the statement, which releases its locks. Return: 0 or -errno for @r
 * (of SQLite).
 */
int store_statement_end(struct store *store, sqlite3_stmt *statement, int r);
/**
 * store_statement_run() - run a statement without result rows, in the open transaction if there is
 * one. Return: 0 or -errno.
 */
int store_statement_run(struct store *store, enum store_statement which,
			const struct store_value *values, size_t n_values);
/** store_number_read() - read at most one number. Return: 1 and the number, 0, or -errno. */
int store_number_read(struct store *store, sqlite3_stmt *statement, uint64_t *ret_number);
/** store_write() - run a statement in the open or a new transaction. Return: 0 or -errno. */
int store_write(struct store *store, enum store_statement which, const struct store_value *values,
		size_t n_values);
/** store_errno() - translate a result code of SQLite to 0 or -errno; -EUCLEAN is damage */
int store_errno(int code);
/** store_schema_version() - the newest schema that this program supports */
uint64_t store_schema_version(void);
/** store_copy_remove() - delete an unfinished copy and its journal, which SQLite would apply */
void store_copy_remove(const char *path);
/** store_migrate() - migrate the schema to the newest version. Return: 0 or -errno with @error. */
int store_migrate(struct store *store, struct error *error);

#define WRITE(store, which, ...)                                                                   \
	store_write((store), (which), (const struct store_value[]){__VA_ARGS__},                   \
		    sizeof((const struct store_value[]){__VA_ARGS__}) /                            \
			    sizeof(struct store_value))

#define READ_START(store, which, ret_r, ...)                                                       \
	store_statement_start((store), (which), (const struct store_value[]){__VA_ARGS__},         \
			      sizeof((const struct store_value[]){__VA_ARGS__}) /                  \
				      sizeof(struct store_value),                                  \
			      (ret_r))

#endif
