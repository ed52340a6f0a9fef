/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_STORE_H
#define SCHEDULER_STORE_H

/*
 * DOC: The store
 *
 * What must survive: deliveries, runs with their frozen runbook, steps,
 * attempts, events, paused projects. This header knows nothing of the engine
 * behind it.
 *
 * Writes open a transaction by themselves; store_commit() ends it. A write
 * fails once and the store stays failed ("sticky"), so that callers write all
 * that belongs together and look at the result of store_commit() only. After a
 * failed commit nothing of that transaction exists, and the scheduler ends: it
 * comes back with what is on disk.
 *
 * Reads see the open transaction. Their callbacks get pointers that are valid
 * until they return; a callback must not start another read of the same kind.
 * Times are microseconds since the epoch, 0 is "not yet". Texts may be NULL.
 */

#include "common/error.h"
#include "common/step_usage.h"
#include "scheduler/store/states.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

/** enum run_stop - what cut a run short */
enum run_stop {
	RUN_STOP_NONE,
	RUN_STOP_CANCELLED,  /* somebody cancelled it */
	RUN_STOP_SUPERSEDED, /* a newer run of its concurrency group */
	RUN_STOP_TIMEOUT,    /* its own timeout */
	RUN_STOP_NUM,
};

struct store_run {
	uint64_t id;
	const char *project;
	enum run_source source;
	enum run_state state;
	const char *reason;
	const char *event;
	const char *ref;
	const char *asked; /* commit as it was asked for, "" takes what the ref names */
	const char *commit;
	const char *tree; /* id of the checked-out tree, "" while there is none */
	const char
		*view; /* the references that its steps see beside the tree, "": the tree's own */
	bool view_objects; /* the view has objects of its own: its steps see no others */
	const char *title;
	const char *actor;
	const char *name;     /* of the runbook, NULL when it has none */
	const char *findings; /* what is wrong with the runbook, one a line; NULL if nothing */
	uint64_t retry_of;    /* 0: no retry */
	uint64_t runbook;     /* id of the frozen text, 0: not known yet */
	bool cancelling;      /* somebody asked to cancel it */
	uint64_t created_usec, started_usec, ended_usec;
	uint64_t pull_request;	/* its number, 0: none */
	const char *base_ref;	/* full ref that the pull request goes to, "" for others */
	const char *before;	/* what the ref named before, "" unknown, zeros: it is new */
	bool from_fork;		/* a pull request whose commits are in another repository */
	bool unwanted;		/* "on" of its runbook does not ask for it: it was ended at once */
	bool held;		/* waits for runs of its concurrency group */
	enum run_stop stop;	/* why it is ended before its time */
	uint64_t stop_by;	/* run that superseded it, 0: none */
	uint64_t deadline_usec; /* when its timeout ends it, 0: there is none */
	uint64_t again_of;	/* run whose delivery had the same signed body, 0: none */
	/* retention: since when it is pinned, when parts of it were removed; 0: not */
	uint64_t pinned_usec;
	uint64_t logs_removed_usec, artifacts_removed_usec, tree_removed_usec;
};

#define STORE_DIGEST_SIZE 32

/**
 * struct store_delivery - a delivery that was taken; it is kept when its run is deleted
 * @run:   that it made, or that made it needless
 * @body:  digest of what was signed, NULL when @id is signed as well
 * @place: what it moved (an event and a ref), "" when it made no run
 * @after: the commit that it moved that to, "" when it did not say
 * @asked: digest of all that it asked for, NULL with an empty @place
 * @doubt: it is not known yet whether it did move that
 *
 * Digests have STORE_DIGEST_SIZE bytes.
 */
struct store_delivery {
	const char *project, *id;
	uint64_t run;
	uint64_t received_usec;
	const void *body;
	const char *place, *after;
	const void *asked;
	bool doubt;
};

/**
 * struct store_fetch_wait - a run whose tree could not be had and is asked for again
 * @outcome: what went wrong, in a word
 * @error:   and in a sentence
 * @first_usec, @since_usec: when it went wrong, and when it began to go wrong in this way
 */
struct store_fetch_wait {
	uint64_t run;
	const char *outcome, *error;
	uint64_t tries;
	uint64_t first_usec, since_usec, next_usec;
};

/** struct store_schedule - one entry of "on.schedule" of a project's default branch */
struct store_schedule {
	const char *project;
	const char *cron, *timezone, *branch; /* as in the file; "" where it says nothing */
	uint64_t last_usec;		      /* everything up to this time is done or given up */
};

struct store_step {
	uint64_t run;
	uint64_t index;
	const char *name;
	const char *slug;
	const char *image;
	enum step_state state;
	const char *reason;
	uint64_t attempt; /* the current one, from 1 */
	uint64_t ready_usec;
	uint64_t budget;       /* attempt from which the automatic ones are counted */
	uint64_t max_attempts; /* automatic ones, from 1 */
	bool allow_failure;
	bool unmet; /* skipped for a condition that looks at what started the run */
};

struct store_attempt {
	uint64_t order; /* 0: that attempt was never claimed */
	uint64_t run, step, attempt;
	const char *instance;
	enum step_state state;
	const char *reason;
	int64_t exit_code; /* -1: none */
	uint64_t signal;   /* 0: none */
	const char *container;
	uint64_t claimed_usec, started_usec, ended_usec;
	uint64_t log_bytes;
	bool cancelling; /* somebody asked to cancel it */
	struct step_usage usage;
};

struct store_event {
	uint64_t id;
	uint64_t run;
	const char *step; /* slug, NULL for an event of the run itself */
	uint64_t attempt; /* 0 for an event of the run itself */
	const char *from, *to;
	const char *reason;
	uint64_t at_usec;
};

/** struct store_secret - a secret as it is kept: the box is opaque here, see secret_crypt.h */
struct store_secret {
	const char *project, *env, *name;
	const char *key; /* id of the key it is encrypted with */
	const void *box;
	size_t size;
	uint64_t changed_usec;
};

/** struct store_secret_key - the key that all secrets are encrypted with, and how to prove it */
struct store_secret_key {
	const char *id;
	const void *proof;
	size_t size;
	uint64_t since_usec;
};

/* ---- life ---- */

/**
 * store_open() - open or make the store at @path and bring its schema up to date
 *
 * Return: 0, or -errno with @error set and the store left as it is: -EPROTO, a
 * newer version than this program knows; -EUCLEAN, damaged or files are missing.
 * What else fails may be better at the next try.
 */
int store_open(const char *path, struct store **ret_store, struct error *error);
/** store_close() - an open transaction is rolled back. Return: NULL. */
struct store *store_close(struct store *store);
/** store_commit() - make everything written durable; no-op when nothing was */
int store_commit(struct store *store, struct error *error);
/** store_damaged() - was a damaged page met? store_close() then leaves word for the next start. */
bool store_damaged(const struct store *store);
/** store_dirty() - is a transaction open? */
bool store_dirty(const struct store *store);

/* ---- writes ---- */

/** store_run_add() - insert @run (its id is ignored). Return: the new id, 0 after a failure. */
uint64_t store_run_add(struct store *store, const struct store_run *run);
/** store_run_set_state() - state, reason and times */
void store_run_set_state(struct store *store, const struct store_run *run);
/** store_run_set_tree() - what fetching found out: commit, tree, title, actor, findings, ref, view */
void store_run_set_tree(struct store *store, const struct store_run *run);
/** store_run_set_runbook() - frozen runbook and its name */
void store_run_set_runbook(struct store *store, uint64_t run, uint64_t runbook, const char *name);
void store_run_set_cancelling(struct store *store, uint64_t run, bool cancelling);
/** store_run_set_limits() - unwanted, held, stop, stop_by and deadline_usec */
void store_run_set_limits(struct store *store, const struct store_run *run);
/** store_fetch_wait_set() - insert or replace that of its run */
void store_fetch_wait_set(struct store *store, const struct store_fetch_wait *wait);
void store_fetch_wait_clear(struct store *store, uint64_t run);
/**
 * store_schedules_set() - what @project's default branch asks for, in place of what it did
 * @run:    that it was learnt from
 * @branch: full ref of the default branch
 */
void store_schedules_set(struct store *store, const char *project, uint64_t run, const char *branch,
			 const struct store_schedule *schedules, size_t n_schedules);
/** store_schedule_set_last() - only last_usec is written */
void store_schedule_set_last(struct store *store, const struct store_schedule *schedule);
/** store_runbook_add() - keep a text once, however many runs have it. Return: its id, 0 failed. */
uint64_t store_runbook_add(struct store *store, const char *text, size_t size);
/** store_delivery_add() - remember @delivery; its id must be new in its project */
void store_delivery_add(struct store *store, const struct store_delivery *delivery);
/** store_delivery_confirm() - what made @run did move @place */
void store_delivery_confirm(struct store *store, const char *project, const char *place,
			    uint64_t run);
/**
 * store_deliveries_prune() - forget deliveries that came before @before_usec, the oldest first
 * @limit: forget no more than so many at once
 *
 * Return: how many that were, 0 after a failure.
 */
uint64_t store_deliveries_prune(struct store *store, uint64_t before_usec, uint64_t limit);
void store_step_add(struct store *store, const struct store_step *step);
void store_dependency_add(struct store *store, uint64_t run, uint64_t step, uint64_t depends_on);
/** store_step_set() - state, reason, attempt, its budget and ready time of one step */
void store_step_set(struct store *store, const struct store_step *step);
/** store_attempt_add() - a claim. Return: its order number, 0 after a failure. */
uint64_t store_attempt_add(struct store *store, const struct store_attempt *attempt);
void store_attempt_started(struct store *store, uint64_t order, const char *container,
			   uint64_t at_usec);
/** store_attempt_ended() - result of attempt->order */
void store_attempt_ended(struct store *store, const struct store_attempt *attempt);
/** store_attempt_cancel() - somebody asked to cancel what runs as @order */
void store_attempt_cancel(struct store *store, uint64_t order);
/** store_event_add() - append. Return: its id, 0 after a failure. */
uint64_t store_event_add(struct store *store, const struct store_event *event);
/** store_run_image_add() - for @run, @name means the image @id */
void store_run_image_add(struct store *store, uint64_t run, const char *name, const char *id);
void store_pause(struct store *store, const char *project, bool paused, uint64_t at_usec);
/** store_secret_set() - insert or replace */
void store_secret_set(struct store *store, const struct store_secret *secret);
/** store_secret_rebox() - another key and box for a secret that is there; its time stays */
void store_secret_rebox(struct store *store, const struct store_secret *secret);
void store_secret_remove(struct store *store, const char *project, const char *env,
			 const char *name);
void store_secret_key_set(struct store *store, const struct store_secret_key *key);

/* ---- reads: 0 or -errno; each() functions call back once for each row ---- */

typedef void (*store_run_fn)(const struct store_run *run, void *userdata);
/** @attempt is the step's current attempt, its order is 0 when it was never claimed */
typedef void (*store_step_fn)(const struct store_step *step, const struct store_attempt *attempt,
			      void *userdata);
typedef void (*store_dependency_fn)(uint64_t step, uint64_t depends_on, void *userdata);
typedef void (*store_attempt_fn)(const struct store_attempt *attempt, void *userdata);
typedef void (*store_event_fn)(const struct store_event *event, void *userdata);
typedef void (*store_text_fn)(const char *text, void *userdata);

/** store_delivery_find() - Return: 1 and the run, 0 if it is new, or -errno. */
int store_delivery_find(struct store *store, const char *project, const char *delivery,
			uint64_t *ret_run);
/** store_delivery_find_body() - the first run whose delivery had this digest; as above */
int store_delivery_find_body(struct store *store, const char *project, const void *body,
			     uint64_t *ret_run);
typedef void (*store_delivery_fn)(const struct store_delivery *delivery, void *userdata);
/** store_delivery_last() - the newest that moved @place (@doubt: or may have); as store_run_get() */
int store_delivery_last(struct store *store, const char *project, const char *place, bool doubt,
			store_delivery_fn each, void *userdata);
/** store_run_get() - Return: 1 after one call back, 0 if there is none, or -errno. */
int store_run_get(struct store *store, uint64_t run, store_run_fn each, void *userdata);
/**
 * store_runs_each() - newest first
 * @project: NULL for all
 * @below:   only runs with smaller ids; 0 for all
 */
int store_runs_each(struct store *store, const char *project, uint64_t below, uint64_t limit,
		    store_run_fn each, void *userdata);
/** store_run_last() - the newest run of @project that is not unwanted; as store_run_get() */
int store_run_last(struct store *store, const char *project, store_run_fn each, void *userdata);
/** store_runs_open_each() - runs that are not final, oldest first */
int store_runs_open_each(struct store *store, store_run_fn each, void *userdata);
typedef void (*store_fetch_wait_fn)(const struct store_fetch_wait *wait, void *userdata);
/** store_fetch_wait_get() - that of @run; as store_run_get() */
int store_fetch_wait_get(struct store *store, uint64_t run, store_fetch_wait_fn each,
			 void *userdata);
int store_run_counts(struct store *store, uint64_t counts[RUN_STATE_NUM]);
int store_steps_each(struct store *store, uint64_t run, store_step_fn each, void *userdata);
int store_dependencies_each(struct store *store, uint64_t run, store_dependency_fn each,
			    void *userdata);
int store_attempts_each(struct store *store, uint64_t run, store_attempt_fn each, void *userdata);
/** store_events_each() - in order; @run 0 for all runs, only ids above @after */
int store_events_each(struct store *store, uint64_t run, uint64_t after, uint64_t limit,
		      store_event_fn each, void *userdata);
/** store_event_last() - id of the youngest event, 0 if there is none */
int store_event_last(struct store *store, uint64_t *ret_id);
/** store_runbook_get() - @ret_text is malloc'ed and NUL-terminated. Return: 0, -ENOENT, -errno. */
int store_runbook_get(struct store *store, uint64_t runbook, char **ret_text, size_t *ret_size);
int store_run_images_each(struct store *store, uint64_t run,
			  void (*each)(const char *name, const char *id, void *userdata),
			  void *userdata);
int store_paused_each(struct store *store, store_text_fn each, void *userdata);
typedef void (*store_schedule_fn)(const struct store_schedule *schedule, void *userdata);
int store_schedules_each(struct store *store, store_schedule_fn each, void *userdata);
/** store_schedule_source_each() - which run each project's schedules come from, and its branch */
int store_schedule_sources_each(struct store *store,
				void (*each)(const char *project, uint64_t run, const char *branch,
					     void *userdata),
				void *userdata);

typedef void (*store_secret_fn)(const struct store_secret *secret, void *userdata);
typedef void (*store_secret_key_fn)(const struct store_secret_key *key, void *userdata);

/** store_secrets_each() - in order; @env NULL: of all, @project NULL: of all projects */
int store_secrets_each(struct store *store, const char *project, const char *env,
		       store_secret_fn each, void *userdata);
/** store_secret_next() - the first one behind this place. Return: 1, 0 at the end, or -errno. */
int store_secret_next(struct store *store, const char *project, const char *env, const char *name,
		      store_secret_fn each, void *userdata);
/** store_secret_key_get() - Return: 1 after one call back, 0 if there is none, or -errno. */
int store_secret_key_get(struct store *store, store_secret_key_fn each, void *userdata);

#endif
