/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/step_report.h"

#include "common/cleanup.h"
#include "common/names.h"
#include "sandbox/outcome_text.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void reason_add(struct step_report *report, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void reason_add(struct step_report *report, const char *format, ...)
{
	size_t used = strlen(report->reason);
	va_list arguments;

	if (used > 0 && used + 2 < sizeof(report->reason))
		used += (size_t)snprintf(report->reason + used, sizeof(report->reason) - used,
					 "; ");
	va_start(arguments, format);
	(void)vsnprintf(report->reason + used, sizeof(report->reason) - used, format, arguments);
	va_end(arguments);
}

static void report_signal(struct step_report *report, int number)
{
	const char *name = sigabbrev_np(number);

	report->result = STEP_RESULT_SIGNALED;
	report->signal = (uint64_t)number;
	if (name)
		reason_add(report, "killed by signal %d (%s)", number, name);
	else
		reason_add(report, "killed by signal %d", number);
}

static void report_outcome(const struct step_facts *facts, struct step_report *report)
{
	const struct sandbox_outcome *outcome = &facts->outcome;

	report->result = STEP_RESULT_EXITED;
	switch (outcome->how) {
	case SANDBOX_EXITED:
		report->exit_code = (uint64_t)outcome->code;
		if (outcome->code != 0)
			reason_add(report, "exit code %d", outcome->code);
		return;
	case SANDBOX_SIGNALED:
		report_signal(report, outcome->code);
		return;
	case SANDBOX_EXEC_FAILED:
		/* the exit codes that a shell uses for this */
		report->exit_code = outcome->code == ENOENT ? 127 : 126;
		if (outcome->code == ENOENT)
			reason_add(report, "exit code 127: the command or its interpreter does not "
					   "exist in the image");
		else
			reason_add(report, "exit code 126: cannot execute the command: %s",
				   strerror(outcome->code));
		return;
	case SANDBOX_LOST:
		break;
	}
	report->result = STEP_RESULT_SIGNALED;
	report->signal = SIGKILL;
	reason_add(report, "killed from outside: the sandbox ended without a status");
}

static void report_cause(const struct step_facts *facts, struct step_report *report)
{
	char text[64];

	report->result = facts->cause;
	if (facts->outcome.how == SANDBOX_EXITED)
		report->exit_code = (uint64_t)facts->outcome.code;
	else
		report->signal = facts->outcome.how == SANDBOX_SIGNALED
					 ? (uint64_t)facts->outcome.code
					 : SIGKILL;
	if (facts->cause == STEP_RESULT_TIMEOUT) {
		text_duration(text, sizeof(text), facts->timeout_msec);
		reason_add(report, "timeout after %s", text);
	} else {
		reason_add(report,
			   facts->stopping ? "cancelled: runbookd was stopped" : "cancelled");
	}
}

static void report_memory(const struct step_facts *facts, struct step_report *report)
{
	char text[256];

	report->result = STEP_RESULT_MEMORY;
	report->signal = SIGKILL;
	sandbox_outcome_memory(&facts->outcome, text, sizeof(text));
	reason_add(report, "%s", text);
}

/* Limits that the step hit: they may explain why the command failed without a message. */
static void report_hint(const struct step_facts *facts, struct step_report *report)
{
	char text[256];

	sandbox_outcome_hint(&facts->outcome, text, sizeof(text));
	if (text[0] != '\0')
		reason_add(report, "%s", text);
}

void step_report_make(const struct step_facts *facts, struct step_report *report)
{
	bool succeeded = facts->outcome.how == SANDBOX_EXITED && facts->outcome.code == 0;

	*report = (struct step_report){.exit_code = 0};
	if (facts->ended_by_us) {
		report_cause(facts, report);
	} else if (facts->setup_error[0] != '\0') {
		report->result = STEP_RESULT_SANDBOX;
		reason_add(report, "cannot build the sandbox: %s", facts->setup_error);
	} else if (facts->outcome.memory_limit && !succeeded) {
		report_memory(facts, report);
	} else {
		report_outcome(facts, report);
	}
	if (!succeeded)
		report_hint(facts, report);
	if (facts->log.cut > 0)
		reason_add(report,
			   "the log is cut: %llu of its %llu bytes, in the middle, were dropped "
			   "(StepLog=, Logs=)",
			   (unsigned long long)facts->log.cut,
			   (unsigned long long)facts->log.bytes);
	if (facts->log.lost > 0)
		reason_add(report, "the log is incomplete: %llu bytes could not be written (%s)",
			   (unsigned long long)facts->log.lost, strerror(facts->log.error));
	else if (facts->log.error != 0)
		reason_add(report, "the log may be incomplete: %s", strerror(facts->log.error));
}
