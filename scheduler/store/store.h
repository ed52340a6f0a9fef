/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_STORE_H
#define SCHEDULER_STORE_H

/*
 * DOC: The store
 *
 * The store keeps what must survive the process: deliveries, runs with their frozen runbooks,
 * steps, attempts, events, schedules, secrets, paused projects. This header hides the database
 * behind it.
 *
 * Writes open a transaction by themselves; store_commit() ends it. After a failed write the store
 * stays failed ("sticky"), so that callers write everything that belongs together and only check
 * the result of store_commit(). After a failed commit nothing of that transaction exists, and the
 * scheduler ends; the next process loads what is on disk.
 *
 * Reads see the open transaction. Pointers in a callback are valid until it returns; a callback
 * must not start another read of the same kind. Times are microseconds since the epoch, 0 is "not
 * yet". Texts may be NULL.
 */

#include "common/error.h"
#include "common/step_usage.h"
#include "scheduler/store/states.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

/** enum run_stop - why a run was cut short */
enum run_stop {
	RUN_STOP_NONE,
	RUN_STOP_CANCELLED,  /* at a person's request */
	RUN_STOP_SUPERSEDED, /* by a newer run of its concurrency group */
	RUN_STOP_TIMEOUT,    /* by its own timeout */
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
	const char *asked; /* commit that was requested; "": the one that the ref names */
	const char *commit;
	const char *tree; /* id of the checked-out tree; "" while there is none */
	const char *view; /* references that the steps see beside the tree; "": those of the tree */
	bool view_objects; /* the view has objects of its own, and the steps see no others */
	const char *title;
	const char *actor;
	const char *name;     /* of the runbook, NULL: none */
	const char *findings; /* of the runbook, one a line; NULL: none */
	uint64_t retry_of;    /* 0: not a retry */
	uint64_t runbook;     /* id of the frozen text, 0: not known yet */
	bool cancelling;      /* a person requested to cancel it */
	uint64_t created_usec, started_usec, ended_usec;
	uint64_t pull_request; /* number, 0: none */
	const char *base_ref;  /* full ref that the pull request goes to, "" for others */
	const char *before;    /* commit that the ref named before; "": unknown, zeros: it is new */
	bool from_fork;	       /* a pull request whose commits are in another repository */
	bool unwanted;	       /* "on" of its runbook does not ask for it: it was ended at once */
	bool held;	       /* waits for runs of its concurrency group */
	enum run_stop stop;    /* why it was cut short */
	uint64_t stop_by;      /* run that superseded it, 0: none */
	uint64_t deadline_usec; /* end of its timeout, 0: none */
	uint64_t again_of;	/* run of an earlier delivery with the same signed body, 0: none */
	/* retention: when it was pinned, and when parts of it were removed; 0: not */
	uint64_t pinned_usec;
	uint64_t logs_removed_usec, artifacts_removed_usec, tree_removed_usec;
};

#define STORE_DIGEST_SIZE 32

/**
 * struct store_delivery - an accepted delivery; it is kept when its run is deleted
 * @run:   the run that it made, or whose existence made it a duplicate
 * @body:  digest of the signed body; NULL when @id is signed as well
 * @place: its subject (an event and a ref); "" when it made no run
 * @after: the commit that its subject moved to; "" when the delivery did not name one
 * @asked: digest of everything that must be equal in a duplicate; NULL with an empty @place
 * @doubt: whether it moved its subject is not known yet
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
 * struct store_fetch_wait - a run whose fetch failed and is retried
 * @outcome: the kind of failure, as a word
 * @error:   the failure, as a sentence
 * @first_usec, @since_usec: first failure; first failure of the current kind
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
	const char *cron, *timezone, *branch; /* as in the file; "" where it has none */
	uint64_t last_usec;		      /* all times up to this one are done or given up */
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
	bool condition_failed; /* skipped for a condition on what started the run */
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
	bool cancelling; /* a person requested to cancel it */
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

/** struct store_secret - an encrypted secret; the box is opaque here, see secret_crypt.h */
struct store_secret {
	const char *project, *env, *name;
	const char *key; /* id of the key */
	const void *box;
	size_t size;
	uint64_t changed_usec;
};

/** struct store_secret_key - the key that all secrets are encrypted with, and its proof */
struct store_secret_key {
	const char *id;
	const void *proof;
	size_t size;
	uint64_t since_usec;
};

/* ---- opening, committing, closing ---- */

/**
 * store_open() - open or create the store at @path and migrate its schema
 *
 * Return: 0, or -errno with @error set and the store unchanged: -EPROTO when a newer version wrote
 * it; -EUCLEAN when it is damaged or files are missing. Other errors may be temporary.
 */
int store_open(const char *path, struct store **ret_store, struct error *error);
/** store_close() - roll back an open transaction and close. Return: NULL. */
struct store *store_close(struct store *store);
/** store_commit() - make all writes durable; no-op without any. Return: 0 or -errno with @error. */
int store_commit(struct store *store, struct error *error);
/**
 * store_damaged() - whether a damaged page was found; store_close() then records it for the next
 * start
 */
bool store_damaged(const struct store *store);
/** store_dirty() - whether a transaction is open */
bool store_dirty(const struct store *store);

/* ---- writes ---- */

/** store_run_add() - insert @run (its id is ignored). Return: the new id, 0 after a failure. */
uint64_t store_run_add(struct store *store, const struct store_run *run);
/** store_run_set_state() - update state, reason and times */
void store_run_set_state(struct store *store, const struct store_run *run);
/**
 * store_run_set_tree() - update what the fetch brought: commit, tree, title, actor, findings, ref,
 * view
 */
void store_run_set_tree(struct store *store, const struct store_run *run);
/** store_run_set_runbook() - set the frozen runbook and its name */
void store_run_set_runbook(struct store *store, uint64_t run, uint64_t runbook, const char *name);
/** store_run_set_cancelling() - set whether a person requested to cancel @run */
void store_run_set_cancelling(struct store *store, uint64_t run, bool cancelling);
/** store_run_set_limits() - update unwanted, held, stop, stop_by and deadline_usec */
void store_run_set_limits(struct store *store, const struct store_run *run);
/** store_fetch_wait_set(), store_fetch_wait_clear() - insert or replace a run's row; delete it */
void store_fetch_wait_set(struct store *store, const struct store_fetch_wait *wait);
void store_fetch_wait_clear(struct store *store, uint64_t run);
/**
 * store_schedules_set() - replace the schedules of @project's default branch
 * @run:    the run whose runbook has them
 * @branch: full ref of the default branch
 */
void store_schedules_set(struct store *store, const char *project, uint64_t run, const char *branch,
			 const struct store_schedule *schedules, size_t n_schedules);
/** store_schedule_set_last() - update last_usec only */
void store_schedule_set_last(struct store *store, const struct store_schedule *schedule);
/**
 * store_runbook_add() - store a text once, however many runs have it. Return: its id, 0 after a
 * failure.
 */
uint64_t store_runbook_add(struct store *store, const char *text, size_t size);
/** store_delivery_add() - insert @delivery; its id must be new in its project */
void store_delivery_add(struct store *store, const struct store_delivery *delivery);
/** store_delivery_confirm() - the doubted delivery that made @run did move @place */
void store_delivery_confirm(struct store *store, const char *project, const char *place,
			    uint64_t run);
/**
 * store_deliveries_prune() - delete the oldest deliveries that came before @before_usec
 * @limit: delete at most this many
 *
 * Return: the number of deleted rows, 0 after a failure.
 */
uint64_t store_deliveries_prune(struct store *store, uint64_t before_usec, uint64_t limit);
/*
 * store_step_add(), store_dependency_add() - insert a step; insert an edge between two steps of
 * @run
 */
void store_step_add(struct store *store, const struct store_step *step);
void store_dependency_add(struct store *store, uint64_t run, uint64_t step, uint64_t depends_on);
/** store_step_set() - update state, reason, attempt, budget and ready time of a step */
void store_step_set(struct store *store, const struct store_step *step);
/** store_attempt_add() - insert a claim. Return: its order number, 0 after a failure. */
uint64_t store_attempt_add(struct store *store, const struct store_attempt *attempt);
/** store_attempt_started() - set the container name and start time of @order */
void store_attempt_started(struct store *store, uint64_t order, const char *container,
			   uint64_t at_usec);
/** store_attempt_ended() - set the result of attempt->order */
void store_attempt_ended(struct store *store, const struct store_attempt *attempt);
/** store_attempt_cancel() - a person requested to cancel @order */
void store_attempt_cancel(struct store *store, uint64_t order);
/** store_event_add() - append an event. Return: its id, 0 after a failure. */
uint64_t store_event_add(struct store *store, const struct store_event *event);
/** store_run_image_add() - in @run, the image name @name stands for @id */
void store_run_image_add(struct store *store, uint64_t run, const char *name, const char *id);
/** store_pause() - pause @project or end the pause */
void store_pause(struct store *store, const char *project, bool paused, uint64_t at_usec);
/** store_secret_set() - insert or replace */
void store_secret_set(struct store *store, const struct store_secret *secret);
/** store_secret_rebox() - replace key and box of an existing secret; its time of change stays */
void store_secret_rebox(struct store *store, const struct store_secret *secret);
/* store_secret_remove(), store_secret_key_set() - delete a secret; insert or replace the key */
void store_secret_remove(struct store *store, const char *project, const char *env,
			 const char *name);
void store_secret_key_set(struct store *store, const struct store_secret_key *key);

/* ---- reads: 0 or -errno; each() functions call back once for each row ---- */

typedef void (*store_run_fn)(const struct store_run *run, void *userdata);
/** @attempt is the step's current attempt; its order is 0 when it was never claimed */
typedef void (*store_step_fn)(const struct store_step *step, const struct store_attempt *attempt,
			      void *userdata);
typedef void (*store_dependency_fn)(uint64_t step, uint64_t depends_on, void *userdata);
typedef void (*store_attempt_fn)(const struct store_attempt *attempt, void *userdata);
typedef void (*store_event_fn)(const struct store_event *event, void *userdata);
typedef void (*store_text_fn)(const char *text, void *userdata);

/**
 * store_delivery_find() - look up a delivery by its id. Return: 1 and its run, 0 if it is new, or
 * -errno.
 */
int store_delivery_find(struct store *store, const char *project, const char *delivery,
			uint64_t *ret_run);
/** store_delivery_find_body() - the first delivery with this digest; result as above */
int store_delivery_find_body(struct store *store, const char *project, const void *body,
			     uint64_t *ret_run);
typedef void (*store_delivery_fn)(const struct store_delivery *delivery, void *userdata);
/**
 * store_delivery_last() - the newest delivery that moved @place (@doubt: or may have); as
 * store_run_get()
 */
int store_delivery_last(struct store *store, const char *project, const char *place, bool doubt,
			store_delivery_fn each, void *userdata);
/** store_run_get() - read one run. Return: 1 after one callback, 0 if there is none, or -errno. */
int store_run_get(struct store *store, uint64_t run, store_run_fn each, void *userdata);
/**
 * store_runs_each() - read runs, newest first
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
/** store_fetch_wait_get() - the retries of @run; as store_run_get() */
int store_fetch_wait_get(struct store *store, uint64_t run, store_fetch_wait_fn each,
			 void *userdata);
/** store_run_counts() - count the runs of each state */
int store_run_counts(struct store *store, uint64_t counts[RUN_STATE_NUM]);
/*
 * store_steps_each(), store_dependencies_each(), store_attempts_each() - read the rows of @run, in
 * the order of steps
 */
int store_steps_each(struct store *store, uint64_t run, store_step_fn each, void *userdata);
int store_dependencies_each(struct store *store, uint64_t run, store_dependency_fn each,
			    void *userdata);
int store_attempts_each(struct store *store, uint64_t run, store_attempt_fn each, void *userdata);
/** store_events_each() - read events in order; @run 0 for all runs, only ids above @after */
int store_events_each(struct store *store, uint64_t run, uint64_t after, uint64_t limit,
		      store_event_fn each, void *userdata);
/** store_event_last() - id of the youngest event, 0 if there is none */
int store_event_last(struct store *store, uint64_t *ret_id);
/**
 * store_runbook_get() - read a frozen text; @ret_text is malloc'ed and NUL-terminated. Return: 0,
 * -ENOENT or -errno.
 */
int store_runbook_get(struct store *store, uint64_t runbook, char **ret_text, size_t *ret_size);
/** store_run_images_each() - read the image names that are fixed for @run */
int store_run_images_each(struct store *store, uint64_t run,
			  void (*each)(const char *name, const char *id, void *userdata),
			  void *userdata);
/** store_paused_each() - read the names of paused projects */
int store_paused_each(struct store *store, store_text_fn each, void *userdata);
typedef void (*store_schedule_fn)(const struct store_schedule *schedule, void *userdata);
/** store_schedules_each() - read the schedules of all projects */
int store_schedules_each(struct store *store, store_schedule_fn each, void *userdata);
/** store_schedule_sources_each() - the run and branch that each project's schedules are from */
int store_schedule_sources_each(struct store *store,
				void (*each)(const char *project, uint64_t run, const char *branch,
					     void *userdata),
				void *userdata);

typedef void (*store_secret_fn)(const struct store_secret *secret, void *userdata);
typedef void (*store_secret_key_fn)(const struct store_secret_key *key, void *userdata);

/**
 * store_secrets_each() - read secrets in order; @env NULL: all of them, @project NULL: of all
 * projects
 */
int store_secrets_each(struct store *store, const char *project, const char *env,
		       store_secret_fn each, void *userdata);
/** store_secret_next() - the first secret after this place. Return: 1, 0 at the end, or -errno. */
int store_secret_next(struct store *store, const char *project, const char *env, const char *name,
		      store_secret_fn each, void *userdata);
/**
 * store_secret_key_get() - read the key in use. Return: 1 after one callback, 0 if there is none,
 * or -errno.
 */
int store_secret_key_get(struct store *store, store_secret_key_fn each, void *userdata);

#endif
