/* SPDX-License-Identifier: Apache-2.0 */

/* What is said about a step: to people, and to the scheduler. */

#include "common/cleanup.h"
#include "common/message_ids.h"
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

/* Before its greeting the scheduler does not know our configuration; it gets everything then. */
void step_send(struct step_table *table, struct message *message)
{
	(void)link_send(table->daemon, CHILD_SCHEDULER, message);
}

void step_send_started(const struct step *step)
{
	struct message *message = message_new(MESSAGE_STEP_STARTED, 0);

	if (!message)
		return;
	message_put_u64(message, step->order.order);
	message_put_string(message, step->container);
	message_put_u64(message, step->started_usec);
	step_send(step->table, message);
}

void step_send_exited(const struct step *step)
{
	struct message *message = message_new(MESSAGE_STEP_EXITED, 0);

	if (!message)
		return;
	message_put_u64(message, step->order.order);
	message_put_u64(message, step->report.result);
	message_put_u64(message, step->report.exit_code);
	message_put_u64(message, step->report.signal);
	message_put_string(message, step->report.reason);
	message_put_u64(message, step->started_usec);
	message_put_u64(message, step->ended_usec);
	message_put_u64(message, step->facts.log.bytes);
	step_usage_put(message, &step->facts.outcome.usage);
	step_send(step->table, message);
}
