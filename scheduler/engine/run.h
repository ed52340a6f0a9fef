/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_RUN_H
#define SCHEDULER_RUN_H

/*
 * DOC: The life of a run
 *
 * A run is made from a trigger (run_new()), waits for its tree, gets its steps from its runbook and
 * ends when all of them are final, or earlier when it is stopped. While it is not final it is an
 * object in memory; soon after, only its rows remain, and run_load() makes the object again for a
 * retry. run.c makes, settles and forgets runs, run_stop.c ends them early, run_load.c loads them
 * from the store.
 */

#include "scheduler/model/scheduler.h"

/* ---- run.c ---- */

/**
 * run_new() - write a new run to the open transaction and start getting its tree
 * @row:       what is known of it; id, state and created_usec are set here
 * @upload_fd: tar of a working copy, owned; -1 for other sources
 *
 * Return: NULL when the store or memory failed.
 */
struct run *run_new(struct project *project, const struct store_run *row, int upload_fd);
/**
 * run_from_row() - make the object of a run that has its row in the store. Return: NULL without
 * memory.
 */
struct run *run_from_row(struct scheduler *scheduler, const struct store_run *row);
/** run_free() - release memory only. Return: NULL. */
struct run *run_free(struct run *run);
/** run_forget_later() - @run is final: free it at the end of the turn, if it still is */
void run_forget_later(struct run *run);
/** runs_forget() - free the runs that run_forget_later() listed */
void runs_forget(struct scheduler *scheduler);
/** run_settle() - make @run final if all of its steps are */
void run_settle(struct run *run);

/* ---- run_stop.c ---- */

/**
 * run_stop() - end @run early
 * @by: with RUN_STOP_SUPERSEDED: the newer run
 *
 * Running steps get STEP_CANCEL, waiting ones end at once. The first call sets the reason.
 * Return: how many steps this ends.
 */
size_t run_stop(struct run *run, enum run_stop why, uint64_t by);
/** run_cancel() - end @run at a person's request. Return: how many steps this ends. */
size_t run_cancel(struct run *run);
/** run_stop_reason() - write "cancelled", "superseded by run 43" or "run timeout after 2h" */
void run_stop_reason(const struct run *run, char *out, size_t size);
/** run_stop_state() - the final state of a run that was ended early */
enum run_state run_stop_state(const struct run *run);

/** run_unwanted() - end @run as one that its runbook does not want, with this reason */
void run_unwanted(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- run_load.c ---- */

/** run_load() - make the object of a run in the store. Return: NULL with @error after a failure. */
struct run *run_load(struct scheduler *scheduler, uint64_t id, struct error *error);
/**
 * runs_resume() - after a start: load all runs that are not final and go on with them. Return: 0 or
 * -errno with @error.
 */
int runs_resume(struct scheduler *scheduler, struct error *error);

#endif
