/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_STEP_RESULT_H
#define SCHEDULER_STEP_RESULT_H

/*
 * DOC: The result of an attempt
 *
 * Translates the end of an attempt, as the daemon reports it, into the state and the reason that
 * people read, and decides whether the step waits for another attempt instead.
 */

#include "common/step_usage.h"
#include "scheduler/model/scheduler.h"

/** struct step_end - the contents of STEP_EXITED */
struct step_end {
	uint64_t result; /* enum step_result */
	uint64_t exit_code;
	uint64_t signal;
	const char *reason;
	uint64_t started_usec, ended_usec;
	uint64_t log_bytes;
	struct step_usage usage;
};

/** step_exited() - the daemon reports the end of an attempt: set the state of @step, or retry it */
void step_exited(struct step *step, const struct step_end *end);
/**
 * step_host_lost() - the host of @step ended: an interruptible step waits again, another is errored
 * with @reason
 */
void step_host_lost(struct step *step, const char *reason);
/**
 * step_not_started() - the order of @step could not be made: failed if names clash (EEXIST), else
 * errored
 */
void step_not_started(struct step *step, const struct error *error);

#endif
