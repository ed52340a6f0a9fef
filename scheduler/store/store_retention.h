/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_STORE_RETENTION_H
#define SCHEDULER_STORE_RETENTION_H

/*
 * DOC: The store, as retention sees it
 *
 * A run goes in three pieces, each in a transaction of its own, so that a crash
 * between any two of them is finished at the next start: it is marked (from then on
 * no reader sees it), its logs and artifacts are removed by the processes that own
 * them, then its rows go, some at a time. What is left is a range of numbers with a
 * date. Pages that become free are used again: the file stays as large as it was
 * when most runs were in it.
 */

#include "scheduler/store/store.h"

#include <stdio.h>

/** enum store_removing - bits: what of a run is being removed */
enum store_removing {
	STORE_REMOVING_LOGS = 1,
	STORE_REMOVING_ARTIFACTS = 2,
	STORE_REMOVING_RUN = 4, /* all of it: it is not shown any more */
};

#define STORE_BYTES_UNKNOWN UINT64_MAX

/** struct store_kept - what decides about a run; texts as in struct store_run */
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
	uint64_t log_bytes;	 /* that were not removed */
	uint64_t artifact_bytes; /* STORE_BYTES_UNKNOWN: the cacher was not asked yet */
	uint64_t logs_removed_usec, artifacts_removed_usec;
};

typedef void (*store_kept_fn)(const struct store_kept *run, void *userdata);

/** store_kept_newest_each() - runs with smaller ids than @below (0: all), newest first */
int store_kept_newest_each(struct store *store, uint64_t below, uint64_t limit, store_kept_fn each,
			   void *userdata);
/** store_kept_oldest_each() - runs with larger ids than @above, oldest first */
int store_kept_oldest_each(struct store *store, uint64_t above, uint64_t limit, store_kept_fn each,
			   void *userdata);
/** store_success_newer() - did a younger run of that branch succeed? 1, 0 or -errno */
int store_success_newer(struct store *store, const char *project, const char *ref, uint64_t run);

/** store_run_pin() - 0: it is pinned no longer */
void store_run_pin(struct store *store, uint64_t run, uint64_t at_usec);
/** store_run_set_artifact_bytes() - STORE_BYTES_UNKNOWN: ask again */
void store_run_set_artifact_bytes(struct store *store, uint64_t run, uint64_t bytes);
/**
 * store_run_mark() - @removing (bits) of it is to be removed, as of @at_usec
 *
 * With STORE_REMOVING_RUN it is not shown from now on.
 */
void store_run_mark(struct store *store, uint64_t run, uint64_t removing, uint64_t at_usec);
/** store_run_set_removing() - what is left to do of that */
void store_run_set_removing(struct store *store, uint64_t run, uint64_t removing);
/** store_removing_each() - runs above @above of which something is being removed */
int store_removing_each(struct store *store, uint64_t above, uint64_t limit, store_kept_fn each,
			void *userdata);
/**
 * store_run_delete() - up to *@rows rows of a run that is marked with STORE_REMOVING_RUN
 * @rows: less by how many it were
 *
 * The run's own goes last, with its runbook when no other run has it; its number is
 * noted as removed at @at_usec. Return: 1 when nothing of it is left, 0 when there is
 * more, or -errno.
 */
int store_run_delete(struct store *store, uint64_t run, unsigned *rows, uint64_t at_usec);
/** store_removed_find() - Return: 1 and when run @run was removed, 0 if that is not known, -errno. */
int store_removed_find(struct store *store, uint64_t run, uint64_t *ret_usec);
/** store_removed_trim() - of more than some thousand ranges, forget when the oldest were removed */
void store_removed_trim(struct store *store);
/** store_run_last_id() - the highest number that a run ever had */
int store_run_last_id(struct store *store, uint64_t *ret_run);
/** struct store_tree - a checked-out commit or an unpacked upload that the fetcher has */
struct store_tree {
	const char *project, *tree;
	bool upload;
	bool removing;	    /* the fetcher was asked to remove it */
	uint64_t used_usec; /* when it was fetched or a run with it ended; 0: no run has it (yet) */
};

/**
 * store_tree_expect() - the fetcher is asked to make @tree for @run; no-op for "" and workspaces
 *
 * It is noted before it is made, as one that no run uses. So retention removes it also when the
 * run ends before the answer, or the answer is lost. A tree that is known stays as it is.
 */
void store_tree_expect(struct store *store, const struct store_run *run, const char *tree);
/** store_tree_use() - the tree of @run is there, and was used at @at_usec; no-op without one */
void store_tree_use(struct store *store, const struct store_run *run, uint64_t at_usec);
/** store_tree_touch() - @run ended at @at_usec: its tree was used, if it is there */
void store_tree_touch(struct store *store, const struct store_run *run, uint64_t at_usec);
/** store_trees_each() - used at @since_usec or later, least recently used first */
int store_trees_each(struct store *store, uint64_t since_usec, uint64_t limit,
		     void (*each)(const struct store_tree *tree, void *userdata), void *userdata);
/** store_trees_younger() - how many of its project and kind were used later. Return: 0 or -errno. */
int store_trees_younger(struct store *store, const struct store_tree *tree, uint64_t *ret_n);
/**
 * store_tree_needed() - has a run that has not ended, or is pinned, this tree, or asks for it?
 *
 * Return: 1, 0 or -errno.
 */
int store_tree_needed(struct store *store, const struct store_tree *tree);
/**
 * store_tree_there() - has the fetcher the tree and the view of @run, and keeps them?
 *
 * A tree that was removed may be there again by another run, with another view. Return:
 * 1, 0 or -errno.
 */
int store_tree_there(struct store *store, const struct store_run *run);
/** store_tree_mark() - the fetcher is asked to remove it, with the views of all its runs */
void store_tree_mark(struct store *store, const struct store_tree *tree, uint64_t at_usec);
void store_tree_remove(struct store *store, const char *project, const char *tree);
/**
 * store_commits_write() - commits of all runs of @project, each with the NUL behind it
 *
 * Return: how many, at most @limit, or -errno.
 */
int64_t store_commits_write(struct store *store, const char *project, uint64_t limit, FILE *stream);
/**
 * store_mirror_due() - was the last look at the mirror at least @age_usec ago? Then it is now.
 *
 * Return: 1, 0 (the first look is @age_usec from now) or -errno.
 */
int store_mirror_due(struct store *store, const char *project, uint64_t now_usec,
		     uint64_t age_usec);
/**
 * store_size() - pages of the database in bytes, and how much of that is free
 */
int store_size(struct store *store, uint64_t *ret_bytes, uint64_t *ret_free);

/* ---- branches ---- */

/** store_branch_seen() - the remote has the branch @ref, a full reference, of @project */
void store_branch_seen(struct store *store, const char *project, const char *ref);
/** store_branch_gone() - had the remote no branch @ref when it was last looked? 1, 0 or -errno */
int store_branch_gone(struct store *store, const char *project, const char *ref);
/**
 * store_branches_update() - note for each branch with a success whether the remote has it
 * @there: answers that for a full reference
 *
 * A branch of which a run is open stays what it was: its push may be newer than what @there
 * knows. Return: 0 or -errno.
 */
int store_branches_update(struct store *store, const char *project,
			  bool (*there)(const char *ref, void *userdata), void *userdata);

#endif
