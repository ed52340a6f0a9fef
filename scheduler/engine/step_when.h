/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_STEP_WHEN_H
#define SCHEDULER_STEP_WHEN_H

/* What the end of a step means for those behind it. */

#include "scheduler/model/scheduler.h"

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
/** step_propagate() - @step is final: decide its dependants and its matrix, unless that was done */
void step_propagate(struct step *step);
/** run_count() - what steps know of those above them, anew from their states */
void run_count(struct run *run);
/** run_decide() - run_count(), and each pending step that need not wait becomes ready or skipped */
void run_decide(struct run *run);
/**
 * step_conditions_met() - does what started the run meet the conditions of @step?
 * @why: set to a sentence when not
 */
bool step_conditions_met(const struct step *step, struct run_changes *changes, char *why,
			 size_t size);
/** step_fail_fast_reason() - the instance of its matrix for which @step is cancelled, if any */
bool step_fail_fast_reason(const struct step *step, char *out, size_t size);

#endif
