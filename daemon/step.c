/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/step.h"

#include "daemon/daemon.h"

#include <errno.h>
#include <stdlib.h>

struct step_table {
	struct daemon *daemon;
	size_t n_running;
	size_t n_unacknowledged;
};

int steps_new(struct daemon *daemon, struct step_table **ret_table, struct error *error)
{
	struct step_table *table = calloc(1, sizeof(*table));

	if (!table)
		return error_set(error, ENOMEM, "out of memory");
	table->daemon = daemon;
	*ret_table = table;
	return 0;
}

struct step_table *steps_free(struct step_table *table)
{
	free(table);
	return NULL;
}

void steps_resend(struct step_table *table)
{
	struct message *message = message_new(MESSAGE_STEP_SYNCED, 0);

	if (message)
		message_put_string(message, table->daemon->instance_id);
	(void)channel_send(child_channel(table->daemon, CHILD_SCHEDULER), message);
}

void steps_relisten(struct step_table *table)
{
}

void steps_stop(struct step_table *table)
{
}

size_t steps_running(const struct step_table *table)
{
	return table->n_running;
}

size_t steps_unacknowledged(const struct step_table *table)
{
	return table->n_unacknowledged;
}
