/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/kept_fields.h"

/* Tags are never reused; see common/fields.h for how to add or remove a line. */

static const struct field limits[] = {
	{FIELD_NUMBER(1, struct sandbox_limits, memory)},
	{FIELD_NUMBER(2, struct sandbox_limits, pids)},
	{FIELD_NUMBER(3, struct sandbox_limits, cpu_milli)},
};
const struct field_table sandbox_limits_fields = FIELD_TABLE(struct sandbox_limits, limits);

/* Figures of newer versions are skipped without harm. */
static const struct field usage[] = {
	{FIELD_NUMBER(1, struct step_usage, known)},
	{FIELD_NUMBERS(2, struct step_usage, values), .flags = FIELD_CUT},
};
const struct field_table step_usage_fields = FIELD_TABLE(struct step_usage, usage);

static const struct field outcome[] = {
	{FIELD_NUMBER(1, struct sandbox_outcome, how)},
	{FIELD_NUMBER(2, struct sandbox_outcome, code)},
	{FIELD_NUMBER(3, struct sandbox_outcome, memory_limit)},
	{FIELD_NUMBER(4, struct sandbox_outcome, memory_scope)},
	{FIELD_NUMBER(5, struct sandbox_outcome, steps_memory)},
	{FIELD_NUMBER(6, struct sandbox_outcome, forks_refused)},
	{FIELD_NUMBER(7, struct sandbox_outcome, disk_full)},
	{FIELD_RECORD(8, struct sandbox_outcome, usage, &step_usage_fields)},
	{FIELD_RECORD(9, struct sandbox_outcome, limits, &sandbox_limits_fields)},
	{FIELD_RECORD(10, struct sandbox_outcome, run_limits, &sandbox_limits_fields)},
	{FIELD_NUMBER(11, struct sandbox_outcome, disk)},
};
const struct field_table sandbox_outcome_fields = FIELD_TABLE(struct sandbox_outcome, outcome);

static const struct field network[] = {
	{FIELD_NUMBER(1, struct host_network_kept, index)},
	{FIELD_TEXT(2, struct host_network_kept, group)},
	{FIELD_NUMBER(3, struct host_network_kept, bridge)},
	{FIELD_NUMBER(4, struct host_network_kept, next_index)},
	{FIELD_NUMBER(5, struct host_network_kept, member)},
	{FIELD_NUMBER(6, struct host_network_kept, slot)},
	{FIELD_NUMBER(7, struct host_network_kept, hosts_head)},
};
const struct field_table host_network_kept_fields = FIELD_TABLE(struct host_network_kept, network);

static const struct field kept[] = {
	{FIELD_BLOB(1, struct kept_sandbox, fds)},
	{FIELD_NUMBER(2, struct kept_sandbox, pid)},
	{FIELD_NUMBER(3, struct kept_sandbox, slot)},
	{FIELD_TEXT(4, struct kept_sandbox, run)},
	{FIELD_TEXT(5, struct kept_sandbox, id)},
	{FIELD_RECORD(6, struct kept_sandbox, in_force, &sandbox_outcome_fields)},
	{FIELD_RECORD(7, struct kept_sandbox, network, &host_network_kept_fields)},
	{FIELD_NUMBER(8, struct kept_sandbox, rule_bytes)},
	{FIELD_BLOB(9, struct kept_sandbox, allow)},
	{FIELD_BLOB(10, struct kept_sandbox, only)},
	{FIELD_NUMBER(11, struct kept_sandbox, ids_first)},
	{FIELD_NUMBER(12, struct kept_sandbox, ids_range)},
};
const struct field_table kept_sandbox_fields = FIELD_TABLE(struct kept_sandbox, kept);
