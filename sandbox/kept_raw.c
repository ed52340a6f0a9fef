/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/kept_raw.h"

#include "common/cleanup.h"

#include <errno.h>

/* Each member has its tag from sandbox/kept_fields.c or sandbox/status_fields.c. */

static const struct field limits[] = {
	{FIELD_NUMBER(1, struct raw_limits, memory)},
	{FIELD_NUMBER(2, struct raw_limits, pids)},
	{FIELD_NUMBER(3, struct raw_limits, cpu_milli)},
};
static const struct field_table limits_fields = FIELD_TABLE(struct raw_limits, limits);

static const struct field usage[] = {
	{FIELD_NUMBER(1, struct raw_usage, known)},
	{FIELD_NUMBERS(2, struct raw_usage, values)},
};
static const struct field_table usage_fields = FIELD_TABLE(struct raw_usage, usage);

static const struct field outcome[] = {
	{FIELD_NUMBER(1, struct raw_outcome, how)},
	{FIELD_NUMBER(2, struct raw_outcome, code)},
	{FIELD_NUMBER(3, struct raw_outcome, memory_limit)},
	{FIELD_NUMBER(4, struct raw_outcome, memory_scope)},
	{FIELD_NUMBER(5, struct raw_outcome, steps_memory)},
	{FIELD_NUMBER(6, struct raw_outcome, forks_refused)},
	{FIELD_NUMBER(7, struct raw_outcome, disk_full)},
	{FIELD_RECORD(8, struct raw_outcome, usage, &usage_fields)},
	{FIELD_RECORD(9, struct raw_outcome, limits, &limits_fields)},
	{FIELD_RECORD(10, struct raw_outcome, run_limits, &limits_fields)},
	{FIELD_NUMBER(11, struct raw_outcome, disk)},
};
const struct field_table raw_outcome_fields = FIELD_TABLE(struct raw_outcome, outcome);

static const struct field network[] = {
	{FIELD_NUMBER(1, struct raw_network, index)},
	{FIELD_TEXT(2, struct raw_network, group)},
	{FIELD_NUMBER(3, struct raw_network, bridge)},
	{FIELD_NUMBER(4, struct raw_network, next_index)},
	{FIELD_NUMBER(5, struct raw_network, member)},
	{FIELD_NUMBER(6, struct raw_network, slot)},
	{FIELD_NUMBER(7, struct raw_network, hosts_head)},
};
static const struct field_table network_fields = FIELD_TABLE(struct raw_network, network);

/* Slot, descriptors and rules had other formats, which sandbox/persist.c converts. */
static const struct field sandbox[] = {
	{FIELD_NUMBER(2, struct raw_sandbox, pid)},
	{FIELD_TEXT(4, struct raw_sandbox, run)},
	{FIELD_TEXT(5, struct raw_sandbox, id)},
	{FIELD_RECORD(6, struct raw_sandbox, in_force, &raw_outcome_fields)},
	{FIELD_RECORD(7, struct raw_sandbox, network, &network_fields)},
};
const struct field_table raw_sandbox_fields = FIELD_TABLE(struct raw_sandbox, sandbox);

static const struct field status[] = {
	{FIELD_NUMBER(1, struct raw_status, how)},
	{FIELD_NUMBER(2, struct raw_status, code)},
	{FIELD_NUMBER(3, struct raw_status, no_files_left)},
	{FIELD_NUMBER(4, struct raw_status, cpu_user_usec)},
	{FIELD_NUMBER(5, struct raw_status, cpu_system_usec)},
	{FIELD_NUMBER(6, struct raw_status, process_peak)},
	{FIELD_NUMBER(7, struct raw_status, disk_bytes)},
	{FIELD_NUMBER(8, struct raw_status, disk_free)},
	{FIELD_TEXT(9, struct raw_status, text)},
};
const struct field_table raw_status_fields = FIELD_TABLE(struct raw_status, status);

int raw_convert(const struct field_table *raw, const void *source, const struct field_table *table,
		void *object, struct error *error)
{
	size_t size = fields_layout(raw, NULL, 0);
	cleanup_free void *layout = malloc(size);

	if (!layout)
		return error_set(error, ENOMEM, "out of memory");
	(void)fields_layout(raw, layout, size);
	return fields_convert(layout, size, source, raw->size, table, object, error);
}
