/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_STEP_RESULT_H
#define SCHEDULER_STEP_RESULT_H

/* What became of an attempt. */

#include "common/step_usage.h"
#include "scheduler/model/scheduler.h"

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

#endif
