/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_RUN_H
#define SCHEDULER_RUN_H

/* The life of a run: run.c, run_stop.c, run_load.c. */

#include "scheduler/model/scheduler.h"

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

/** run_unwanted() - end @run as one that its runbook does not want, for this reason */
void run_unwanted(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- run_load.c ---- */

/** run_load() - bring a run of the store into memory. Return: NULL when that failed. */
struct run *run_load(struct scheduler *scheduler, uint64_t id, struct error *error);
/** runs_resume() - load everything that is not final and go on with it, after a start */
int runs_resume(struct scheduler *scheduler, struct error *error);

#endif
