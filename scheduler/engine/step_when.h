/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_STEP_WHEN_H
#define SCHEDULER_STEP_WHEN_H

/*
 * DOC: Consequences of the end of a step
 *
 * A step is settled when it is final and all steps above it are settled: from then on nothing
 * changes that its dependants depend on. A dependant that wants its dependencies to succeed is
 * skipped as soon as one of them does not. One that looks for failures waits until all of them are
 * settled, because a failure anywhere above counts.
 *
 *   when: success   every dependency succeeded, or failed with allow_failure
 *   when: failure   a step above failed or errored without allow_failure
 *   when: always    either
 *
 * A cancelled or skipped step has neither succeeded nor failed. In a cancelled run nothing is
 * decided here: all of its steps are final at once.
 *
 * The conditions on what started the run (event, branch, paths) never change; they are evaluated
 * when the steps are made, and the result is stored.
 */

#include "scheduler/model/scheduler.h"

/** struct run_changes - the changed paths of a run */
struct run_changes {
	char *const *paths;
	size_t n_paths; /* SIZE_MAX: unknown */
	uint64_t steps; /* budget of comparisons for all steps of the run */
};

/** step_passed() - whether @step succeeded, or failed with allow_failure */
bool step_passed(const struct step *step);
/** step_hopeless() - whether @step would be skipped as the steps above it are now */
bool step_hopeless(const struct step *step);
/**
 * step_propagate() - @step is final: decide its dependants and its matrix, unless that was done
 * before
 */
void step_propagate(struct step *step);
/**
 * run_count() - compute n_missing, bad_above, failed_above and the like of all steps from their
 * states
 */
void run_count(struct run *run);
/** run_decide() - run_count(), then make each pending step that need not wait ready or skipped */
void run_decide(struct run *run);
/**
 * step_conditions_met() - whether event, branch and paths of the run meet the conditions of @step
 * @why: a sentence when they do not
 */
bool step_conditions_met(const struct step *step, struct run_changes *changes, char *why,
			 size_t size);
/**
 * step_fail_fast_reason() - write which instance of its matrix caused the cancelling of @step.
 * Return: false if none did.
 */
bool step_fail_fast_reason(const struct step *step, char *out, size_t size);

#endif
