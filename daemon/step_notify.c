/* SPDX-License-Identifier: Apache-2.0 */

/* Log lines for people, and messages to the scheduler, about a step. */

#include "common/cleanup.h"
#include "common/message_ids.h"
#include "common/messages/steps.h"
#include "daemon/daemon.h"
#include "daemon/step_table.h"

#include <stdio.h>

void step_log(const struct step *step, enum log_level level, const char *message_id,
	      const char *text)
{
	char run[24], attempt[24], exit_code[24];
	const struct log_field fields[] = {
		{"MESSAGE_ID", message_id},
		{"RUNBOOK_PROJECT", step->order.project},
		{"RUNBOOK_RUN", run},
		{"RUNBOOK_STEP", step->order.name},
		{"RUNBOOK_ATTEMPT", attempt},
		{"RUNBOOK_CONTAINER", step->container},
		{"RUNBOOK_EXIT_CODE", step->phase == STEP_ENDED ? exit_code : NULL},
	};

	(void)snprintf(run, sizeof(run), "%llu", (unsigned long long)step->order.run);
	(void)snprintf(attempt, sizeof(attempt), "%llu", (unsigned long long)step->order.attempt);
	(void)snprintf(exit_code, sizeof(exit_code), "%llu",
		       (unsigned long long)step->report.exit_code);
	log_fields(level, fields, ARRAY_SIZE(fields), "%s: %s", step->container, text);
}

/* A scheduler that has not greeted yet gets all steps after its HELLO (steps_resend()). */
void step_send(struct step_table *table, struct message *message)
{
	(void)link_send(table->daemon, CHILD_SCHEDULER, message);
}

void step_send_started(const struct step *step)
{
	step_send(step->table,
		  MESSAGE_NEW(step_started, 0, .order = step->order.order,
			      .container = step->container, .started_usec = step->started_usec));
}

void step_send_exited(const struct step *step)
{
	struct message_step_figure figures[STEP_USAGE_NUM];
	size_t n = step_usage_figures(&step->facts.outcome.usage, figures);

	step_send(step->table,
		  MESSAGE_NEW(step_exited, 0, .order = step->order.order,
			      .result = step->report.result, .exit_code = step->report.exit_code,
			      .signal = step->report.signal, .reason = step->report.reason,
			      .started_usec = step->started_usec, .ended_usec = step->ended_usec,
			      .log_bytes = step->facts.log.bytes, .figures = figures,
			      .n_figures = n));
}
