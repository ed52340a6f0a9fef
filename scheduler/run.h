/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_RUN_H
#define SCHEDULER_RUN_H

/* The life of a run and of its steps: run*.c, step*.c, freeze.c. */

#include "common/step_usage.h"
#include "scheduler/scheduler.h"

#include <limits.h>

/* ---- run.c ---- */

/**
 * run_new() - commit a new run to the open transaction and start getting its tree
 * @row:       what is known of it; id, state and created_usec are set here
 * @upload_fd: tar of a working copy, owned; -1 for other sources
 *
 * Return: NULL when the store or memory failed.
 */
struct run *run_new(struct project *project, const struct store_run *row, int upload_fd);
/** run_from_row() - the object of a run that has its row in the store. Return: NULL: no memory. */
struct run *run_from_row(struct scheduler *scheduler, const struct store_run *row);
/** run_free() - release memory only. Return: NULL. */
struct run *run_free(struct run *run);
/** run_forget_later() - it is final: release it at the end of the turn, if it still is */
void run_forget_later(struct run *run);
/** runs_forget() - release what run_forget_later() listed */
void runs_forget(struct scheduler *scheduler);
/** run_set_text() - replace one of the texts of run->row */
int run_set_text(const char **field, const char *value);
/** run_settle() - when all steps are final, make the run final too */
void run_settle(struct run *run);

/* ---- run_stop.c ---- */

/**
 * run_stop() - end @run before its time
 * @by: with RUN_STOP_SUPERSEDED: the newer run
 *
 * What runs is told to end, what waits ends at once. The first call says why.
 * Return: how many steps that ends.
 */
size_t run_stop(struct run *run, enum run_stop why, uint64_t by);
/** run_cancel() - somebody asks for that. Return: how many steps that ends. */
size_t run_cancel(struct run *run);
/** run_stop_reason() - "cancelled", "superseded by run 43", "run timeout after 2h" */
void run_stop_reason(const struct run *run, char *out, size_t size);
/** run_stop_state() - what a run that was cut short becomes */
enum run_state run_stop_state(const struct run *run);

/* ---- run_load.c ---- */

/** run_load() - bring a run of the store into memory. Return: NULL when that failed. */
struct run *run_load(struct scheduler *scheduler, uint64_t id, struct error *error);
/** runs_resume() - load everything that is not final and go on with it, after a start */
int runs_resume(struct scheduler *scheduler, struct error *error);

/* ---- freeze.c: the runbook becomes steps ---- */

/** run_freeze() - parse and keep the runbook of @run, make its steps or fail it with the findings */
void run_freeze(struct run *run, const char *text, size_t size);
/** run_freeze_again() - the same from the text that is frozen already: a retry */
void run_freeze_again(struct run *run);
/** run_start_steps() - make the steps' rows and let those without dependencies be ready */
void run_start_steps(struct run *run);
/** run_thaw() - runbook and steps in memory only, for a run that has its rows */
int run_thaw(struct run *run, struct error *error);

/* ---- steps.c ---- */

/** step_text() - what the runbook says about @step */
static inline const struct runbook_step *step_text(const struct step *step)
{
	return &step->run->runbook->steps[step->index];
}

/** steps_claim() - claim what may start now and give the orders to the outbox */
void steps_claim(struct scheduler *scheduler);
/** step_order_send() - give the order of a claimed step to the outbox */
void step_order_send(struct step *step);
/** step_cancel() - at once if it waits, by way of the daemon if it runs. Return: 1 or 0. */
size_t step_cancel(struct step *step);
/** step_release() - a ready step may start, unless its run is held: queue it, its time begins */
void step_release(struct step *step);
/**
 * step_wait_reason() - why a pending or ready step does not run yet
 *
 * Return: the same for machines ("project-limit", …); static.
 */
const char *step_wait_reason(const struct step *step, char *out, size_t size);
/** step_timeout_sec() - effective timeout */
uint64_t step_timeout_sec(const struct step *step);

/* ---- step_result.c ---- */

/** struct step_end - STEP_EXITED */
struct step_end {
	uint64_t result; /* enum step_result */
	uint64_t exit_code;
	uint64_t signal;
	const char *reason;
	uint64_t started_usec, ended_usec;
	uint64_t log_bytes;
	struct step_usage usage;
};

/** step_exited() - an attempt ended, as the daemon saw it */
void step_exited(struct step *step, const struct step_end *end);
/** step_host_lost() - its host ended: errored with @reason; what may be interrupted begins anew */
void step_host_lost(struct step *step, const char *reason);
/** step_not_started() - what it runs could not be put together: EEXIST is failed, else errored */
void step_not_started(struct step *step, const struct error *error);

/* ---- step_when.c ---- */

/** struct run_changes - what is known of the paths that changed */
struct run_changes {
	char *const *paths;
	size_t n_paths; /* SIZE_MAX: unknown */
	uint64_t steps; /* that comparing may take still, for all steps of the run */
};

/** step_passed() - it succeeded, or failed and may */
bool step_passed(const struct step *step);
/** step_hopeless() - as things are above it, it would be skipped */
bool step_hopeless(const struct step *step);
/** step_propagate() - after @step became final: dependants, its matrix, then the run */
void step_propagate(struct step *step);
/** run_count() - what steps know of those above them, anew from their states */
void run_count(struct run *run);
/** run_decide() - that, and every pending step that need not wait becomes ready or skipped */
void run_decide(struct run *run);
/**
 * step_conditions_met() - does what started the run meet the conditions of @step?
 * @why: set to a sentence when not
 */
bool step_conditions_met(const struct step *step, struct run_changes *changes, char *why,
			 size_t size);
/** step_fail_fast_reason() - the instance of its matrix for which @step is cancelled, if any */
bool step_fail_fast_reason(const struct step *step, char *out, size_t size);

/* ---- step_retry.c ---- */

/** step_retry() - new attempt of a final step and of what was skipped because of it */
int step_retry(struct step *step, struct error *error);
/**
 * run_retry_failed() - the same for all steps of a final run that did not succeed
 *
 * A run that never had steps is fetched again.
 *
 * Return: how many of them there are, -EBUSY with @error.
 */
int run_retry_failed(struct run *run, struct error *error);
/** step_attempt_again() - an attempt ended: make another one if `attempts` allows. Return: did it? */
bool step_attempt_again(struct step *step);
/** step_interrupted() - an interruptible step was cut off by us: it waits again */
void step_interrupted(struct step *step);

/* ---- payload.c ---- */

/**
 * step_payload_fd() - command and environment of @step
 * @image:       NULL for "host"
 * @ret_mask_fd: what must not be seen in its log, for the caller to close; untouched when
 *               there is nothing
 *
 * Return: sealed memfd; -EEXIST when a secret is called like a variable, or
 * another -errno.
 */
int step_payload_fd(const struct step *step, const struct image_record *image, int *ret_mask_fd,
		    struct error *error);
/** step_container_id() - "<project>-<run>-<slug>-<attempt>" */
void step_container_id(const struct step *step, char *out, size_t size);

/* ---- step_place.c ---- */

/** struct step_place - where a step works, and as whom */
struct step_place {
	char workdir[PATH_MAX]; /* absolute; "": the workspace */
	uint32_t uid, gid;
};

/**
 * step_place_find() - by what the step says, else by its image
 * @image: NULL for "host"
 *
 * Return: 0, or -errno with @error: the image does not know the user.
 */
int step_place_find(const struct step *step, const struct image_record *image,
		    struct step_place *ret_place, struct error *error);
/**
 * step_workdir() - `workdir:` as an absolute path without ".", ".." and empty parts
 *
 * What is relative begins in the workspace. Return: 0 or -ENAMETOOLONG.
 */
int step_workdir(const char *workdir, char *out, size_t size);
/** step_user_name() - for $USER: NULL when only a number is known. @out: room for a name. */
const char *step_user_name(const struct step *step, const struct image_record *image, char *out,
			   size_t size);

/* ---- source.c: where the tree comes from ---- */

/** source_start() - ask for the tree of @run, or queue the question */
void source_start(struct run *run);
/** source_stop() - nobody waits for it any more; no-op when nobody did */
void source_stop(struct run *run);
/** source_failed() - the tree cannot be had: the run is errored with @sentence */
void source_failed(struct run *run, enum fetch_outcome outcome, const char *sentence);
/**
 * source_again() - a final run that never had steps is pending again, its tree is asked for
 *
 * Return: 0, -EBUSY with @error when that would lead to nothing.
 */
int source_again(struct run *run, struct error *error);
/** source_objects() - which objects of git the steps of @run see, of a run that has its tree */
enum step_objects source_objects(const struct run *run);
/**
 * struct source_tree - what was found out about a tree
 * @commit, @title, @author: what the fetcher found; "" where there is nothing
 * @default_branch: of the repository, a full ref, "" where nobody knows
 * @view: the references beside the tree, "" where there are none
 * @view_objects: it has objects of its own
 * @runbook_fd: runbook.yml, stays the caller's; -1 when the tree has none
 * @paths_fd:   changed paths, stays the caller's; -1 when they are not known
 * @misnamed:   a file that looks like a runbook.yml which the tree has not; "" for none
 */
struct source_tree {
	const char *commit, *title, *author, *default_branch, *view;
	bool view_objects;
	int runbook_fd, paths_fd;
	const char *misnamed;
};

/** source_continue() - nothing of the project is being removed any more: ask for what waits */
void source_continue(struct project *project);
/** source_arrived() - the tree is there */
void source_arrived(struct run *run, const struct source_tree *tree);
/** sources_reask() - the fetcher came back or went away: open questions start over */
void sources_reask(struct scheduler *scheduler, bool may_ask);

#endif
