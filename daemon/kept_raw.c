/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/kept_raw.h"

/* Each member has the tag that daemon/kept_fields.c has for it. */

static const struct field head[] = {
	{FIELD_TEXT(1, struct raw_ledger, instance)},
	{FIELD_NUMBER(2, struct raw_ledger, n_touched)},
	{FIELD_NUMBER(3, struct raw_ledger, highest)},
};
const struct field_table raw_ledger_fields = FIELD_TABLE(struct raw_ledger, head);

static const struct field mask[] = {
	{FIELD_NUMBER(1, struct raw_mask, n_held)},  {FIELD_NUMBER(2, struct raw_mask, n_covered)},
	{FIELD_NUMBER(3, struct raw_mask, n_shown)}, {FIELD_NUMBER(4, struct raw_mask, row_open)},
	{FIELD_BYTES(5, struct raw_mask, held)},
};
static const struct field_table mask_fields = FIELD_TABLE(struct raw_mask, mask);

static const struct field log_mask[] = {
	{FIELD_NUMBER(1, struct raw_log_mask, sequence)},
	{FIELD_RECORD(2, struct raw_log_mask, mask, &mask_fields)},
};
static const struct field_table log_mask_fields = FIELD_TABLE(struct raw_log_mask, log_mask);

static const struct field record[] = {
	{FIELD_NUMBER(1, struct raw_record, offset)},
	{FIELD_NUMBER(2, struct raw_record, time_and_stream)},
};
static const struct field_table record_fields = FIELD_TABLE(struct raw_record, record);

static const struct field log_kept[] = {
	{FIELD_RECORDS(1, struct raw_log, masks, struct raw_log_mask, &log_mask_fields)},
	{FIELD_NUMBERS(2, struct raw_log, rest_base)},
	{FIELD_NUMBER(3, struct raw_log, admitted)},
	{FIELD_NUMBER(4, struct raw_log, lost)},
	{FIELD_NUMBER(5, struct raw_log, error)},
	{FIELD_NUMBER(6, struct raw_log, index_broken)},
	{FIELD_NUMBER(7, struct raw_log, n_records)},
	{FIELD_RING(8, struct raw_log, records, struct raw_record, &record_fields, n_records)},
};
static const struct field_table log_fields = FIELD_TABLE(struct raw_log, log_kept);

static const struct field result[] = {
	{FIELD_NUMBER(1, struct raw_log_result, bytes)},
	{FIELD_NUMBER(2, struct raw_log_result, lost)},
	{FIELD_NUMBER(3, struct raw_log_result, error)},
};
static const struct field_table result_fields = FIELD_TABLE(struct raw_log_result, result);

static const struct field report[] = {
	{FIELD_NUMBER(1, struct raw_report, result)},
	{FIELD_NUMBER(2, struct raw_report, exit_code)},
	{FIELD_NUMBER(3, struct raw_report, signal)},
	{FIELD_TEXT(4, struct raw_report, reason)},
};
static const struct field_table report_fields = FIELD_TABLE(struct raw_report, report);

static const struct field step[] = {
	{FIELD_NUMBER(1, struct raw_step, phase)},
	{FIELD_NUMBER(2, struct raw_step, ended_by_us)},
	{FIELD_NUMBER(3, struct raw_step, cause)},
	{FIELD_NUMBER(4, struct raw_step, stopping)},
	{FIELD_NUMBER(5, struct raw_step, order)},
	{FIELD_NUMBER(6, struct raw_step, run)},
	{FIELD_NUMBER(7, struct raw_step, attempt)},
	{FIELD_TEXT(8, struct raw_step, project)},
	{FIELD_TEXT(9, struct raw_step, slug)},
	{FIELD_TEXT(10, struct raw_step, name)},
	{FIELD_NUMBER(11, struct raw_step, timeout_msec)},
	{FIELD_NUMBER(12, struct raw_step, grace_msec)},
	{FIELD_NUMBER(13, struct raw_step, started_usec)},
	{FIELD_NUMBER(14, struct raw_step, ended_usec)},
	{FIELD_NUMBER(15, struct raw_step, deadline_usec)},
	{FIELD_RECORD(16, struct raw_step, log, &log_fields)},
	{FIELD_RECORD(17, struct raw_step, outcome, &raw_outcome_fields)},
	{FIELD_TEXT(18, struct raw_step, setup_error)},
	{FIELD_RECORD(19, struct raw_step, log_result, &result_fields)},
	{FIELD_RECORD(20, struct raw_step, report, &report_fields)},
};
const struct field_table raw_step_fields = FIELD_TABLE(struct raw_step, step);

static const struct field slot[] = {
	{FIELD_NUMBER(1, struct raw_slot, state)},
	{FIELD_NUMBER(2, struct raw_slot, stream)},
	{FIELD_NUMBER(3, struct raw_slot, sink)},
	{FIELD_NUMBER(4, struct raw_slot, sequence)},
	{FIELD_NUMBER(5, struct raw_slot, size)},
	{FIELD_NUMBER(6, struct raw_slot, base)},
	{FIELD_NUMBER(7, struct raw_slot, at_usec)},
	{FIELD_NUMBER(8, struct raw_slot, masked)},
	{FIELD_NUMBER(9, struct raw_slot, text)},
	{FIELD_NUMBER(10, struct raw_slot, text_size)},
	{FIELD_RECORD(11, struct raw_slot, mask, &mask_fields)},
};
const struct field_table raw_slot_fields = FIELD_TABLE(struct raw_slot, slot);
