/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_RETENTION_H
#define SCHEDULER_RETENTION_H

/*
 * DOC: Retention: what is removed, when, and how
 *
 * A *pass* walks over all runs that ended, from the newest to the oldest, some rows
 * in each turn of the loop, and carries along how many there were and how large they
 * are: of each project, and of all. What is too old, too many or too large goes. A
 * pass for space walks from the oldest to the newest instead and takes only what is
 * large (logs and artifacts), until as much is free as is to be kept free.
 *
 * Never removed: what has not ended, what is pinned, and the last success of a branch
 * that the remote has: the fetcher says which these are when it has looked at the mirror.
 *
 * What goes becomes a *removal*, of which few are under way at once: the run is
 * marked, the commit follows, the daemon removes the logs and the cacher the
 * artifacts, then the rows go (store_retention.h). The marks are in the store, so a
 * removal goes on after a restart of anyone, and a pass that was cut short begins
 * anew. Files go before rows: unlinking needs no room on a full disk, and the commit
 * that it needs first fits into what the write-ahead log has set aside
 * (store_reserve()).
 *
 *   retention_policy.c   which rule a run falls under: no state, no store
 *   retention_pass.c     walking, and when
 *   retention_remove.c   removals under way
 *   retention_trees.c    trees, uploads and mirrors: what the fetcher removes
 *   retention_reply.c    the reply to gc; what people ask for is in retention_answers.c
 */

#include "scheduler/model/scheduler.h"

struct store_kept;

/* ---- retention_policy.c ---- */

/** retention_rule_name() - "age", "count", "bytes", "space" */
const char *retention_rule_name(enum retention_rule rule);
/** retention_kind_name() - "run", "logs", "artifacts", … */
const char *retention_kind_name(enum retention_kind kind);
/** retention_limit_of() - what is in force for a kind: @own where it says something, else @all */
struct retention_limit retention_limit_of(const struct retention_policy *own,
					  const struct retention_policy *all,
					  enum retention_kind kind);
/**
 * retention_judge() - is it one too many?
 * @own:      limits of its project
 * @all:      of all projects; only bytes are looked at: age and count are each project's
 * @own_sum:  of its project, it is included
 * @all_sum:  of all projects, it is included
 * @age_usec: since it ended
 */
enum retention_rule retention_judge(const struct retention_policy *own,
				    const struct retention_policy *all, enum retention_kind kind,
				    struct retention_sum own_sum, struct retention_sum all_sum,
				    uint64_t age_usec);
/** retention_sentence() - "older than 90d", "more than 100 runs of its project", … */
void retention_sentence(const struct retention_limit *limit, enum retention_rule rule,
			enum retention_kind kind, char *out, size_t size);

/* ---- retention_pass.c ---- */

/** retention_configured() - a configuration is in force: look whether something is due */
void retention_configured(struct scheduler *scheduler);
/**
 * retention_reloaded() - another configuration is in force than before
 *
 * As retention_configured(), but a minute later: time to look at `gc --dry-run`, and to take
 * a limit back that was a mistake.
 */
void retention_reloaded(struct scheduler *scheduler);
/** retention_run_ended() - one more that a limit may concern */
void retention_run_ended(struct scheduler *scheduler);
/** retention_short() - as much as @missing says is to be made free, or enough is */
void retention_short(struct scheduler *scheduler, struct retention_short missing);
/** retention_continue() - there is room for more removals */
void retention_continue(struct scheduler *scheduler);
/** retention_clear() - forget all, at the end of the process */
void retention_clear(struct scheduler *scheduler);

/* ---- retention_remove.c ---- */

/**
 * removal_start() - @bits (enum store_removing) of a run go, of which nothing is going yet
 *
 * Marked in the open transaction; the others are asked after its commit. Return: 0
 * or -ENOMEM.
 */
int removal_start(struct scheduler *scheduler, const struct store_kept *run, uint64_t bits,
		  const char *sentence);
/** removal_find() - is something of @run being removed? */
bool removal_find(const struct scheduler *scheduler, uint64_t run);
/** removals_resume() - go on with what the store has marked, after a start */
void removals_resume(struct scheduler *scheduler);
/** removals_reask() - a new cacher does not know what its predecessor was asked */
void removals_reask(struct scheduler *scheduler);
/** removals_clear() - release memory only */
void removals_clear(struct scheduler *scheduler);

/* messages */
int retention_handle_config(struct channel *channel, struct message *message);
int retention_handle_short(struct channel *channel, struct message *message);
int retention_handle_log_removed(struct channel *channel, struct message *message);
int retention_handle_artifacts_removed(struct channel *channel, struct message *message);
int retention_handle_artifacts_measured(struct channel *channel, struct message *message);

/* ---- retention_trees.c ---- */

/**
 * retention_trees_look() - ask the fetcher to remove some of what no limit keeps
 * @space: room is wanted: what can be fetched again and no open or pinned run needs goes
 */
void retention_trees_look(struct scheduler *scheduler, bool space);
/** retention_trees_forget() - the fetcher is away: what it was asked is asked again, later */
void retention_trees_forget(struct scheduler *scheduler);
int retention_handle_tree_removed(struct channel *channel, struct message *message);
int retention_handle_mirror_pruned(struct channel *channel, struct message *message);

/* ---- retention_reply.c ---- */

/** retention_reply() - the pass that was asked for has ended: reply with what went, or would */
void retention_reply(struct scheduler *scheduler, const struct retention_pass *pass);

#endif
