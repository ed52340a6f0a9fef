/* SPDX-License-Identifier: Apache-2.0 */
/* The store in SQLite: secrets. The values are ciphertext; nothing here can decrypt them. */
#include "scheduler/store/store_internal.h"

void store_secret_set(struct store *store, const struct store_secret *secret)
{
	(void)WRITE(store, STATEMENT_SECRET_SET, TEXT(secret->project), TEXT(secret->env),
		    TEXT(secret->name), TEXT(secret->key), BYTES(secret->box, secret->size),
		    NUMBER(secret->changed_usec));
}

void store_secret_rebox(struct store *store, const struct store_secret *secret)
{
	(void)WRITE(store, STATEMENT_SECRET_REBOX, TEXT(secret->project), TEXT(secret->env),
		    TEXT(secret->name), TEXT(secret->key), BYTES(secret->box, secret->size));
}

void store_secret_remove(struct store *store, const char *project, const char *env,
			 const char *name)
{
	(void)WRITE(store, STATEMENT_SECRET_REMOVE, TEXT(project), TEXT(env), TEXT(name));
}

void store_secret_key_set(struct store *store, const struct store_secret_key *key)
{
	(void)WRITE(store, STATEMENT_SECRET_KEY_SET, TEXT(key->id), BYTES(key->proof, key->size),
		    NUMBER(key->since_usec));
}

static const char *text_or_empty(sqlite3_stmt *statement, int column)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);

	return text ? text : "";
}

static void row_secret(sqlite3_stmt *statement, store_secret_fn each, void *userdata)
{
	struct store_secret secret = {
		.project = text_or_empty(statement, 0),
		.env = text_or_empty(statement, 1),
		.name = text_or_empty(statement, 2),
		.key = text_or_empty(statement, 3),
		.box = sqlite3_column_blob(statement, 4),
		.size = (size_t)sqlite3_column_bytes(statement, 4),
		.changed_usec = (uint64_t)sqlite3_column_int64(statement, 5),
	};

	each(&secret, userdata);
}

int store_secrets_each(struct store *store, const char *project, const char *env,
		       store_secret_fn each, void *userdata)
{
	sqlite3_stmt *statement;
	int r;

	if (project && env)
		statement =
			READ_START(store, STATEMENT_SECRETS_OF_ENV, &r, TEXT(project), TEXT(env));
	else if (project)
		statement = READ_START(store, STATEMENT_SECRETS_OF_PROJECT, &r, TEXT(project));
	else
		statement = store_statement_start(store, STATEMENT_SECRETS, NULL, 0, &r);
	if (!statement)
		return r;
	while ((r = sqlite3_step(statement)) == SQLITE_ROW)
		row_secret(statement, each, userdata);
	return store_statement_end(store, statement, r);
}

/* End a read of at most one row; its last step gave @code. Return: 1 for a row, 0, or -errno. */
static int one_row_end(struct store *store, sqlite3_stmt *statement, int code)
{
	int r = store_statement_end(store, statement, code);

	return r < 0 ? r : code == SQLITE_ROW;
}

int store_secret_next(struct store *store, const char *project, const char *env, const char *name,
		      store_secret_fn each, void *userdata)
{
	sqlite3_stmt *statement;
	int r;

	statement =
		READ_START(store, STATEMENT_SECRET_NEXT, &r, TEXT(project), TEXT(env), TEXT(name));
	if (!statement)
		return r;
	r = sqlite3_step(statement);
	if (r == SQLITE_ROW)
		row_secret(statement, each, userdata);
	return one_row_end(store, statement, r);
}

int store_secret_key_get(struct store *store, store_secret_key_fn each, void *userdata)
{
	sqlite3_stmt *statement;
	int r;

	statement = store_statement_start(store, STATEMENT_SECRET_KEY_GET, NULL, 0, &r);
	if (!statement)
		return r;
	r = sqlite3_step(statement);
	if (r == SQLITE_ROW) {
		struct store_secret_key key = {
			.id = text_or_empty(statement, 0),
			.proof = sqlite3_column_blob(statement, 1),
			.size = (size_t)sqlite3_column_bytes(statement, 1),
			.since_usec = (uint64_t)sqlite3_column_int64(statement, 2),
		};

		each(&key, userdata);
	}
	return one_row_end(store, statement, r);
}
