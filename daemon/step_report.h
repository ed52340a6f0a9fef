/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_STEP_REPORT_H
#define DAEMON_STEP_REPORT_H

/* From what happened to a step to what people read about it. No side effects. */

#include "common/limits.h"
#include "common/step.h"
#include "daemon/log_pump.h"
#include "sandbox/sandbox.h"

#include <stdbool.h>
#include <stdint.h>

/** struct step_facts - everything that is known when a sandbox has ended */
struct step_facts {
	struct sandbox_outcome outcome;
	struct log_result log;
	enum step_result cause; /* STEP_RESULT_TIMEOUT or _CANCELLED when we ended it */
	bool ended_by_us;
	bool stopping; /* … because the daemon stops */
	uint64_t timeout_msec;
	char setup_error[256]; /* why the sandbox never came to the command; "" if it did */
};

/** struct step_report - what STEP_EXITED says */
struct step_report {
	enum step_result result;
	uint64_t exit_code;
	uint64_t signal;
	char reason[REASON_MAX];
};

void step_report_make(const struct step_facts *facts, struct step_report *report);

#endif
