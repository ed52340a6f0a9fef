/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_STATES_H
#define SCHEDULER_STATES_H

/*
 * DOC: States of runs and steps
 *
 *   run:  pending -> running -> succeeded | failed | errored | cancelled
 *         pending -> failed (bad runbook) | errored (no fetch) | cancelled
 *         pending -> succeeded (no step of it is for this run)
 *         final   -> running (one of its steps is retried)
 *         final   -> pending (a run that never had steps is fetched again; not after success)
 *   step: pending -> ready -> running -> succeeded | failed | errored | cancelled
 *         pending -> skipped (a dependency did not succeed) | cancelled
 *         ready   -> errored (no image, or more than any host has) | cancelled
 *         final   -> pending (retry: a new attempt)
 *
 * "failed" is the user's doing (command, timeout, limit, runbook), "errored" is ours (image
 * missing, host lost, fetch failed). The tables of what is allowed are in states.c.
 */

#include <stdbool.h>
#include <stdint.h>

enum run_state {
	RUN_STATE_PENDING,
	RUN_STATE_RUNNING,
	RUN_STATE_SUCCEEDED,
	RUN_STATE_FAILED,
	RUN_STATE_ERRORED,
	RUN_STATE_CANCELLED,
	RUN_STATE_NUM,
};

enum step_state {
	STEP_STATE_PENDING,
	STEP_STATE_READY,
	STEP_STATE_RUNNING,
	STEP_STATE_SKIPPED,
	STEP_STATE_SUCCEEDED,
	STEP_STATE_FAILED,
	STEP_STATE_ERRORED,
	STEP_STATE_CANCELLED,
	STEP_STATE_NUM,
};

/** enum run_source - where the tree of a run comes from; stored by its name */
enum run_source {
	RUN_SOURCE_FETCH,     /* the fetcher checks a commit out */
	RUN_SOURCE_WORKSPACE, /* a directory that the configuration names */
	RUN_SOURCE_UPLOAD,    /* a person uploaded a working copy */
	RUN_SOURCE_NUM,
};

/** run_state_name(), step_state_name() - "pending", …; "invalid" outside the enum */
const char *run_state_name(enum run_state state);
const char *step_state_name(enum step_state state);
/** run_state_parse(), step_state_parse() - the state called @name, …_STATE_NUM when there is none */
enum run_state run_state_parse(const char *name);
enum step_state step_state_parse(const char *name);

/** run_state_final(), step_state_final() - whether the state only changes by a retry */
bool run_state_final(enum run_state state);
bool step_state_final(enum step_state state);

/** run_state_allowed(), step_state_allowed() - whether the change from @from to @to is allowed */
bool run_state_allowed(enum run_state from, enum run_state to);
bool step_state_allowed(enum step_state from, enum step_state to);

/** run_source_name() - "fetch", …; "invalid" outside the enum */
const char *run_source_name(enum run_source source);
/** run_source_parse() - the source called @name. Return: RUN_SOURCE_NUM when there is none. */
enum run_source run_source_parse(const char *name);

#endif
