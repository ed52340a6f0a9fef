/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_STEP_REPORT_H
#define DAEMON_STEP_REPORT_H

/*
 * DOC: The report of a step
 *
 * Turns the facts about a step that has ended (exit status, limits that were hit, lost
 * output) into its result and a sentence for people. A function of its arguments alone:
 * tests/unit/test_daemon_parts.c has the cases.
 */

#include "common/limits.h"
#include "common/step.h"
#include "daemon/log_pump.h"
#include "sandbox/sandbox.h"

#include <stdbool.h>
#include <stdint.h>

/** struct step_facts - what is known of a step whose sandbox has ended */
struct step_facts {
	struct sandbox_outcome outcome;
	struct log_result log;
	enum step_result cause; /* STEP_RESULT_TIMEOUT or _CANCELLED when we ended it */
	bool ended_by_us;
	bool stopping; /* … because runbookd stops */
	uint64_t timeout_msec;
	char setup_error[256]; /* why the sandbox could not start the command; "" if it did */
};

/** struct step_report - the part of STEP_EXITED that is about the result */
struct step_report {
	enum step_result result;
	uint64_t exit_code;
	uint64_t signal;
	char reason[REASON_MAX]; /* for people; "" if there is nothing to explain */
};

/** step_report_make() - the report that follows from @facts. Cannot fail. */
void step_report_make(const struct step_facts *facts, struct step_report *report);

#endif
