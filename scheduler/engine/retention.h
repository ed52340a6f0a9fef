/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_RETENTION_H
#define SCHEDULER_RETENTION_H

/*
 * DOC: Retention: what is removed, when, and how
 *
 * A *pass* visits all runs that ended, from the newest to the oldest, some rows in each turn of the
 * loop. It adds up their number and size, for each project and for all, and removes what is too
 * old, too many or too large. A pass for space visits from the oldest to the newest instead and
 * removes only what is large (logs and artifacts), until the configured space is free.
 *
 * Never removed: runs that have not ended, pinned runs, and the last success of a branch that the
 * remote has. The fetcher reports these branches when it has examined the mirror.
 *
 * Each removed part is a *removal*, of which few are under way at once: the run is marked, the
 * commit follows, the daemon removes the logs and the cacher the artifacts, then the rows are
 * deleted (store_retention.h). The marks are in the store, so a removal goes on after a restart of
 * any process, and an interrupted pass starts again. Files are removed before rows: unlinking
 * needs no space on a full disk, and the commit before it fits into the reserve of the write-ahead
 * log (store_reserve.h).
 *
 *   retention_policy.c   which rule a run falls under: no state, no store
 *   retention_pass.c     the visit of all runs, and when it starts
 *   retention_remove.c   removals under way
 *   retention_trees.c    trees, uploads and mirrors, which the fetcher removes
 *   retention_reply.c    the reply to gc; the requests of people are in retention_answers.c
 */

#include "scheduler/model/scheduler.h"

struct store_kept;

/* ---- retention_policy.c ---- */

/** retention_rule_name() - "age", "count", "bytes", "space" */
const char *retention_rule_name(enum retention_rule rule);
/** retention_kind_name() - "run", "logs", "artifacts", … */
const char *retention_kind_name(enum retention_kind kind);
/** retention_limit_of() - the limit in force for @kind: of @own where it is set, else of @all */
struct retention_limit retention_limit_of(const struct retention_policy *own,
					  const struct retention_policy *all,
					  enum retention_kind kind);
/**
 * retention_judge() - the rule by which a run, or a part of it, is removed
 * @own:      limits of its project
 * @all:      limits of all projects; only bytes count: age and count are limits of a project
 * @own_sum:  of its project, this one included
 * @all_sum:  of all projects, this one included
 * @age_usec: since it ended
 *
 * Return: RETENTION_KEEP when no limit is exceeded.
 */
enum retention_rule retention_judge(const struct retention_policy *own,
				    const struct retention_policy *all, enum retention_kind kind,
				    struct retention_sum own_sum, struct retention_sum all_sum,
				    uint64_t age_usec);
/** retention_sentence() - write the reason, such as "older than 90d" */
void retention_sentence(const struct retention_limit *limit, enum retention_rule rule,
			enum retention_kind kind, char *out, size_t size);

/* ---- retention_pass.c ---- */

/** retention_configured() - a configuration is in force: start a pass when one is due */
void retention_configured(struct scheduler *scheduler);
/**
 * retention_reloaded() - the configuration was changed by a reload
 *
 * As retention_configured(), but a minute later: time to look at `gc --dry-run` and to correct a
 * wrong limit.
 */
void retention_reloaded(struct scheduler *scheduler);
/** retention_run_ended() - another run has ended, so that a limit may be exceeded */
void retention_run_ended(struct scheduler *scheduler);
/**
 * retention_short() - the daemon reports that @missing bytes must be freed; 0: there is enough
 * space
 */
void retention_short(struct scheduler *scheduler, struct retention_short missing);
/** retention_continue() - fewer removals are under way: the pass may go on */
void retention_continue(struct scheduler *scheduler);
/** retention_clear() - release memory, at the end of the process */
void retention_clear(struct scheduler *scheduler);

/* ---- retention_remove.c ---- */

/**
 * removal_start() - remove @bits (enum store_removing) of @run, of which no part is being removed
 *
 * The mark is written to the open transaction; the owners of the files get their requests after its
 * commit. Return: 0 or -ENOMEM.
 */
int removal_start(struct scheduler *scheduler, const struct store_kept *run, uint64_t bits,
		  const char *sentence);
/** removal_find() - whether a part of @run is being removed */
bool removal_find(const struct scheduler *scheduler, uint64_t run);
/** removals_resume() - after a start: go on with the removals that the store has marked */
void removals_resume(struct scheduler *scheduler);
/** removals_reask() - a new cacher is connected: send it the open requests again */
void removals_reask(struct scheduler *scheduler);
/** removals_clear() - release memory only */
void removals_clear(struct scheduler *scheduler);

/* retention_handle_*() - handlers of messages. Return: 0 or -errno, which closes the channel. */
int retention_handle_config(struct channel *channel, struct message *message);
int retention_handle_short(struct channel *channel, struct message *message);
/** retention_handle_log_removed(), retention_handle_artifacts_*() - replies of daemon and cacher */
int retention_handle_log_removed(struct channel *channel, struct message *message);
int retention_handle_artifacts_removed(struct channel *channel, struct message *message);
int retention_handle_artifacts_measured(struct channel *channel, struct message *message);

/* ---- retention_trees.c ---- */

/**
 * retention_trees_look() - request the removal of some trees that no limit keeps
 * @space: space is needed: remove what can be fetched again and no open or pinned run needs
 */
void retention_trees_look(struct scheduler *scheduler, bool space);
/** retention_trees_forget() - the fetcher is away: its open requests are made again later */
void retention_trees_forget(struct scheduler *scheduler);
/** retention_handle_tree_removed(), retention_handle_mirror_pruned() - replies of the fetcher */
int retention_handle_tree_removed(struct channel *channel, struct message *message);
int retention_handle_mirror_pruned(struct channel *channel, struct message *message);

/* ---- retention_reply.c ---- */

/**
 * retention_reply() - reply to the person who requested @pass, which has ended, with what was or
 * would be removed
 */
void retention_reply(struct scheduler *scheduler, const struct retention_pass *pass);

#endif
