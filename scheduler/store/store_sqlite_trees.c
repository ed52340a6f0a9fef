/* SPDX-License-Identifier: Apache-2.0 */
/* The store in SQLite: trees and mirrors of the fetcher, branches that the remote no longer has. */
#include "scheduler/store/store_internal.h"
#include "scheduler/store/store_retention.h"

#include "common/cleanup.h"
#include "common/limits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *column_text(sqlite3_stmt *statement, int column)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);

	return text ? text : "";
}

/* Read at most one number. Return: 1, 0 or -errno. */
static int number_read(struct store *store, sqlite3_stmt *statement, uint64_t *ret_number)
{
	int r = sqlite3_step(statement), e;
	bool found = r == SQLITE_ROW;

	if (found)
		*ret_number = (uint64_t)sqlite3_column_int64(statement, 0);
	e = store_statement_end(store, statement, r);
	return e < 0 ? e : found;
}

void store_tree_expect(struct store *store, const struct store_run *run, const char *tree)
{
	if (tree && tree[0] && run->source != RUN_SOURCE_WORKSPACE)
		(void)WRITE(store, STATEMENT_TREE_EXPECT, TEXT(run->project), TEXT(tree),
			    NUMBER(run->source == RUN_SOURCE_UPLOAD));
}

void store_tree_use(struct store *store, const struct store_run *run, uint64_t at_usec)
{
	if (run->tree && run->tree[0] && run->source != RUN_SOURCE_WORKSPACE)
		(void)WRITE(store, STATEMENT_TREE_USE, TEXT(run->project), TEXT(run->tree),
			    NUMBER(run->source == RUN_SOURCE_UPLOAD), NUMBER(at_usec));
}

void store_tree_touch(struct store *store, const struct store_run *run, uint64_t at_usec)
{
	if (run->tree && run->tree[0] && run->source != RUN_SOURCE_WORKSPACE)
		(void)WRITE(store, STATEMENT_TREE_TOUCH, TEXT(run->project), TEXT(run->tree),
			    NUMBER(at_usec));
}

int store_trees_each(struct store *store, uint64_t since_usec, uint64_t limit,
		     void (*each)(const struct store_tree *tree, void *userdata), void *userdata)
{
	int r;
	sqlite3_stmt *statement =
		READ_START(store, STATEMENT_TREES, &r, NUMBER(since_usec), NUMBER(limit));

	if (!statement)
		return r;
	while ((r = sqlite3_step(statement)) == SQLITE_ROW) {
		struct store_tree tree = {
			.project = column_text(statement, 0),
			.tree = column_text(statement, 1),
			.upload = sqlite3_column_int64(statement, 2) != 0,
			.removing = sqlite3_column_int64(statement, 3) != 0,
			.used_usec = (uint64_t)sqlite3_column_int64(statement, 4),
		};

		each(&tree, userdata);
	}
	return store_statement_end(store, statement, r);
}

int store_trees_younger(struct store *store, const struct store_tree *tree, uint64_t *ret_n)
{
	int r;
	sqlite3_stmt *statement =
		READ_START(store, STATEMENT_TREES_YOUNGER, &r, TEXT(tree->project),
			   NUMBER(tree->upload), NUMBER(tree->used_usec));

	*ret_n = 0;
	if (!statement)
		return r;
	r = number_read(store, statement, ret_n);
	return r < 0 ? r : 0;
}

int store_tree_needed(struct store *store, const struct store_tree *tree)
{
	uint64_t one;
	int r;
	sqlite3_stmt *statement =
		READ_START(store, STATEMENT_TREE_NEEDED, &r, TEXT(tree->project), TEXT(tree->tree));

	return statement ? number_read(store, statement, &one) : r;
}

int store_tree_there(struct store *store, const struct store_run *run)
{
	uint64_t one;
	int r;
	sqlite3_stmt *statement = READ_START(store, STATEMENT_TREE_THERE, &r, TEXT(run->project),
					     TEXT(run->tree), TEXT(run->view ? run->view : ""));

	return statement ? number_read(store, statement, &one) : r;
}

void store_tree_mark(struct store *store, const struct store_tree *tree, uint64_t at_usec)
{
	(void)WRITE(store, STATEMENT_TREE_RUNS_MARK, TEXT(tree->project), TEXT(tree->tree),
		    NUMBER(at_usec));
	(void)WRITE(store, STATEMENT_TREE_MARK, TEXT(tree->project), TEXT(tree->tree));
}

void store_tree_remove(struct store *store, const char *project, const char *tree)
{
	(void)WRITE(store, STATEMENT_TREE_REMOVE, TEXT(project), TEXT(tree));
}

int64_t store_commits_write(struct store *store, const char *project, uint64_t limit, FILE *stream)
{
	int64_t n = 0;
	int r;
	sqlite3_stmt *statement =
		READ_START(store, STATEMENT_COMMITS, &r, TEXT(project), NUMBER(limit));

	if (!statement)
		return r;
	while ((r = sqlite3_step(statement)) == SQLITE_ROW) {
		const char *commit = column_text(statement, 0);

		(void)fputs(commit, stream);
		(void)fputc('\0', stream);
		n++;
	}
	r = store_statement_end(store, statement, r);
	return r < 0 ? r : n;
}

int store_mirror_due(struct store *store, const char *project, uint64_t now_usec, uint64_t age_usec)
{
	uint64_t pruned = 0;
	int r;
	sqlite3_stmt *statement = READ_START(store, STATEMENT_MIRROR_PRUNED, &r, TEXT(project));

	if (!statement)
		return r;
	r = number_read(store, statement, &pruned);
	if (r < 0 || (r > 0 && pruned <= now_usec && now_usec - pruned < age_usec))
		return r < 0 ? r : 0;
	(void)WRITE(store, STATEMENT_MIRROR_PRUNE, TEXT(project), NUMBER(now_usec));
	return r;
}

/* ---- branches ---- */

void store_branch_seen(struct store *store, const char *project, const char *ref)
{
	(void)WRITE(store, STATEMENT_BRANCH_SEEN, TEXT(project), TEXT(ref));
}

int store_branch_gone(struct store *store, const char *project, const char *ref)
{
	uint64_t number;
	int r;
	sqlite3_stmt *statement =
		READ_START(store, STATEMENT_BRANCH_GONE, &r, TEXT(project), TEXT(ref));

	return statement ? number_read(store, statement, &number) : r;
}

/* The branches with successes as NUL-terminated names, one after the other. Return: 0 or -errno. */
static int branches_read(struct store *store, const char *project, char **ret_text,
			 size_t *ret_size)
{
	FILE *stream = open_memstream(ret_text, ret_size);
	sqlite3_stmt *statement;
	int r, e;

	if (!stream)
		return -ENOMEM;
	statement = READ_START(store, STATEMENT_BRANCHES, &r, TEXT(project), NUMBER(BRANCHES_MAX));
	if (statement) {
		while ((r = sqlite3_step(statement)) == SQLITE_ROW) {
			const char *ref = column_text(statement, 0);

			(void)fwrite(ref, strlen(ref) + 1, 1, stream);
		}
		r = store_statement_end(store, statement, r);
	}
	e = fclose(stream) == 0 ? 0 : -ENOMEM;
	return r < 0 ? r : e;
}

int store_branches_update(struct store *store, const char *project,
			  bool (*there)(const char *ref, void *userdata), void *userdata)
{
	cleanup_free char *text = NULL;
	size_t size = 0;
	int r = branches_read(store, project, &text, &size);

	for (const char *ref = text; r == 0 && ref < text + size; ref += strlen(ref) + 1)
		r = WRITE(store,
			  there(ref, userdata) ? STATEMENT_BRANCH_SEEN : STATEMENT_BRANCH_GONE_ADD,
			  TEXT(project), TEXT(ref));
	return r < 0 ? r : 0;
}
