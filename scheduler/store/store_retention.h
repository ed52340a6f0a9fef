/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_STORE_RETENTION_H
#define SCHEDULER_STORE_RETENTION_H

/*
 * DOC: Retention in the store
 *
 * A run is removed in three parts, each in a transaction of its own, so that the next start
 * finishes what a crash between them left: it is marked (and hidden from readers), its logs and
 * artifacts are removed by the processes that own them, then its rows are deleted, some at a time.
 * Only a range of numbers with a date remains. Freed pages are used again: the file does not
 * shrink.
 */

#include "scheduler/store/store.h"

#include <stdio.h>

/** enum store_removing - bits: the parts of a run that are being removed */
enum store_removing {
	STORE_REMOVING_LOGS = 1,
	STORE_REMOVING_ARTIFACTS = 2,
	STORE_REMOVING_RUN = 4, /* the whole run, which is hidden */
};

#define STORE_BYTES_UNKNOWN UINT64_MAX

/** struct store_kept - what the limits of a run are compared with; texts as in struct store_run */
struct store_kept {
	uint64_t id;
	const char *project;
	enum run_state state;
	enum run_source source;
	const char *ref;
	uint64_t pull_request;
	bool unwanted;
	uint64_t ended_usec; /* 0: it has not ended */
	uint64_t pinned_usec;
	uint64_t removing;
	uint64_t log_bytes;	 /* of logs that were not removed */
	uint64_t artifact_bytes; /* STORE_BYTES_UNKNOWN: the cacher has not reported them yet */
	uint64_t logs_removed_usec, artifacts_removed_usec;
};

typedef void (*store_kept_fn)(const struct store_kept *run, void *userdata);

/** store_kept_newest_each() - read runs with smaller ids than @below (0: all), newest first */
int store_kept_newest_each(struct store *store, uint64_t below, uint64_t limit, store_kept_fn each,
			   void *userdata);
/** store_kept_oldest_each() - read runs with larger ids than @above, oldest first */
int store_kept_oldest_each(struct store *store, uint64_t above, uint64_t limit, store_kept_fn each,
			   void *userdata);
/** store_success_newer() - whether a newer run of that branch succeeded. Return: 1, 0 or -errno. */
int store_success_newer(struct store *store, const char *project, const char *ref, uint64_t run);

/** store_run_pin() - set when the run was pinned; 0: not pinned */
void store_run_pin(struct store *store, uint64_t run, uint64_t at_usec);
/** store_run_set_artifact_bytes() - STORE_BYTES_UNKNOWN: request them again */
void store_run_set_artifact_bytes(struct store *store, uint64_t run, uint64_t bytes);
/**
 * store_run_mark() - mark @removing (bits) of @run for removal, as of @at_usec
 *
 * With STORE_REMOVING_RUN the run is hidden from now on.
 */
void store_run_mark(struct store *store, uint64_t run, uint64_t removing, uint64_t at_usec);
/** store_run_set_removing() - update the parts that are still to be removed */
void store_run_set_removing(struct store *store, uint64_t run, uint64_t removing);
/** store_removing_each() - read runs above @above of which a part is being removed */
int store_removing_each(struct store *store, uint64_t above, uint64_t limit, store_kept_fn each,
			void *userdata);
/**
 * store_run_delete() - delete up to *@rows rows of a run that is marked with STORE_REMOVING_RUN
 * @rows: reduced by the number of deleted rows
 *
 * The row of the run goes last, with its runbook when no other run has it; its number is recorded
 * as removed at @at_usec. Return: 1 when nothing of it is left, 0 when there is more, or -errno.
 */
int store_run_delete(struct store *store, uint64_t run, unsigned *rows, uint64_t at_usec);
/**
 * store_removed_find() - when @run was removed. Return: 1 with the time, 0 if it is not known, or
 * -errno.
 */
int store_removed_find(struct store *store, uint64_t run, uint64_t *ret_usec);
/** store_removed_trim() - above some thousand ranges, forget the dates of the oldest */
void store_removed_trim(struct store *store);
/** store_run_last_id() - the highest number that a run ever had. Return: 0 or -errno. */
int store_run_last_id(struct store *store, uint64_t *ret_run);
/** struct store_tree - a checked-out commit or an unpacked upload of the fetcher */
struct store_tree {
	const char *project, *tree;
	bool upload;
	bool removing; /* its removal was requested from the fetcher */
	uint64_t
		used_usec; /* when it was fetched, or a run with it ended; 0: no run has it (yet) */
};

/**
 * store_tree_expect() - the fetcher gets a request to make @tree for @run; no-op for "" and
 * workspaces
 *
 * The tree is recorded before it is made, as one that no run uses. So retention also removes it
 * when the run ends before the reply, or the reply is lost. A known tree stays as it is.
 */
void store_tree_expect(struct store *store, const struct store_run *run, const char *tree);
/** store_tree_use() - the tree of @run exists, and was used at @at_usec; no-op without one */
void store_tree_use(struct store *store, const struct store_run *run, uint64_t at_usec);
/** store_tree_touch() - @run ended at @at_usec, the last use of its tree, if that exists */
void store_tree_touch(struct store *store, const struct store_run *run, uint64_t at_usec);
/** store_trees_each() - read trees used at @since_usec or later, least recently used first */
int store_trees_each(struct store *store, uint64_t since_usec, uint64_t limit,
		     void (*each)(const struct store_tree *tree, void *userdata), void *userdata);
/**
 * store_trees_younger() - how many trees of the same project and kind were used later. Return: 0 or
 * -errno.
 */
int store_trees_younger(struct store *store, const struct store_tree *tree, uint64_t *ret_n);
/**
 * store_tree_needed() - whether an open or pinned run has or requests this tree
 *
 * Return: 1, 0 or -errno.
 */
int store_tree_needed(struct store *store, const struct store_tree *tree);
/**
 * store_tree_there() - whether the fetcher has the tree and the view of @run, and no removal is
 * open
 *
 * A removed tree may exist again because of another run, with another view. Return: 1, 0 or -errno.
 */
int store_tree_there(struct store *store, const struct store_run *run);
/** store_tree_mark() - its removal is requested from the fetcher, with the views of all its runs */
void store_tree_mark(struct store *store, const struct store_tree *tree, uint64_t at_usec);
/** store_tree_remove() - delete the row of a removed tree */
void store_tree_remove(struct store *store, const char *project, const char *tree);
/**
 * store_commits_write() - write the commits of all runs of @project, each with its NUL
 *
 * Return: how many, at most @limit, or -errno.
 */
int64_t store_commits_write(struct store *store, const char *project, uint64_t limit, FILE *stream);
/**
 * store_mirror_due() - whether the mirror was last examined at least @age_usec ago; if so, record
 * now
 *
 * Return: 1, 0 (also at the first call, which starts the interval) or -errno.
 */
int store_mirror_due(struct store *store, const char *project, uint64_t now_usec,
		     uint64_t age_usec);
/** store_size() - bytes of the database, and of its free pages. Return: 0 or -errno. */
int store_size(struct store *store, uint64_t *ret_bytes, uint64_t *ret_free);

/* ---- branches ---- */

/** store_branch_seen() - record that the remote has the branch @ref, a full reference */
void store_branch_seen(struct store *store, const char *project, const char *ref);
/**
 * store_branch_gone() - whether the remote lacked @ref when it was last examined. Return: 1, 0 or
 * -errno.
 */
int store_branch_gone(struct store *store, const char *project, const char *ref);
/**
 * store_branches_update() - record for each branch with a success whether the remote has it
 * @there: whether a full reference exists there
 *
 * A branch with an open run is left alone: its push may be newer than what @there knows.
 * Return: 0 or -errno.
 */
int store_branches_update(struct store *store, const char *project,
			  bool (*there)(const char *ref, void *userdata), void *userdata);

#endif
