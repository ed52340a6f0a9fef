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
 *   retention_answers.c  gc, pin, unpin, and what is said of a run that is gone
 */

#include "common/limits.h"
#include "common/loop.h"
#include "common/retention.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct message;
struct channel;
struct project;
struct request;
struct run;
struct scheduler;
struct store_kept;

#define RETENTION_NO_LIMIT UINT64_MAX
#define RETENTION_LIMITS (3 * RETENTION_NUM)
#define REMOVALS_MAX 64 /* under way at once */

/** struct retention_limit - 0 in a project: that of all; RETENTION_NO_LIMIT: none */
struct retention_limit {
	uint64_t age_sec, count, bytes;
};

struct retention_policy {
	struct retention_limit kinds[RETENTION_NUM];
};

/** enum retention_rule - why something goes */
enum retention_rule {
	RETENTION_KEEP,
	RETENTION_AGE,
	RETENTION_COUNT,
	RETENTION_BYTES,
	RETENTION_SPACE,
	RETENTION_RULES,
};

/** struct retention_sum - what was met on the way so far, this one included */
struct retention_sum {
	uint64_t count, bytes;
};

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

/** what a pass counts of each project: runs, their logs, their artifacts, unwanted ones */
enum retention_counted {
	COUNTED_RUNS,
	COUNTED_LOGS,
	COUNTED_ARTIFACTS,
	COUNTED_UNWANTED,
	COUNTED_NUM,
};

/** struct retention_sums - of one project; void unless @pass is that of the pass under way */
struct retention_sums {
	uint64_t pass;
	struct retention_sum sums[COUNTED_NUM];
};

struct retention_pass;
struct removal;
struct tree_removal;

/** struct retention_short - bytes that are missing to what is to be kept free, 0: none are */
struct retention_short {
	uint64_t logs, state; /* where logs are; where artifacts and trees are */
	bool one;	      /* both are one file system */
};

/** struct retention - part of struct scheduler */
struct retention {
	struct loop_timer timer;
	struct retention_pass *pass; /* under way, NULL: none */
	uint64_t pass_serial;
	uint64_t passed_usec, pass_took_usec; /* monotonic: end of the last one, and its work */
	uint64_t held_usec; /* monotonic: until then only a request or want of room begins a pass */
	bool ended;	    /* a run did, since the last pass began */
	struct retention_short missing;
	bool helpless; /* nothing is left that could go for it: said once */
	/* a person's request for a pass, that waits or is being done */
	bool wanted, wanted_dry;
	uint64_t wanted_serial, wanted_generation;
	/* removals */
	struct removal *first, *last;
	size_t n_removals;
	bool resuming;	  /* not all that the store has marked is among them yet */
	uint64_t resumed; /* number of the last one that was taken from there */
	struct loop_timer delete_timer;
	struct tree_removal *trees; /* questions to the fetcher that are open */
	uint64_t trees_cursor;	    /* how far the trees were looked at, by their last use */
	size_t n_measuring;	    /* questions to the cacher that are open */
};

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
 * removal_start() - @bits (enum store_removing) of a run go
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

/* ---- retention_answers.c ---- */

/** retention_reply() - the request for a pass was fulfilled: tell what went, or would */
void retention_reply(struct scheduler *scheduler, const struct retention_pass *pass);

#endif
