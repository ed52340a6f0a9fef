/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/kept_fields.h"

#include "daemon/ledger_parts.h"
#include "sandbox/kept_fields.h"

/*
 * A tag is never used again; common/fields.h explains how a line is added or removed. A
 * new line goes to the end of a table, with the next number. FIELD_MUST is only for a
 * value without which an older version must not go on.
 */

static const struct field mask[] = {
	/* .mask is not kept: it is a pointer of this process */
	{FIELD_NUMBER(1, struct mask_stream, n_held)},
	{FIELD_NUMBER(2, struct mask_stream, n_covered)},
	{FIELD_NUMBER(3, struct mask_stream, n_shown)},
	{FIELD_NUMBER(4, struct mask_stream, row_open)},
	{FIELD_BYTES(5, struct mask_stream, held)},
};
const struct field_table mask_stream_fields = FIELD_TABLE(struct mask_stream, mask);

static const struct field log_mask[] = {
	{FIELD_NUMBER(1, struct log_kept_mask, sequence)},
	{FIELD_RECORD(2, struct log_kept_mask, mask, &mask_stream_fields)},
};
static const struct field_table log_mask_fields = FIELD_TABLE(struct log_kept_mask, log_mask);

static const struct field record[] = {
	{FIELD_NUMBER(1, struct log_index_record, offset)},
	{FIELD_NUMBER(2, struct log_index_record, time_and_stream)},
};
static const struct field_table record_fields = FIELD_TABLE(struct log_index_record, record);

static const struct field log_kept[] = {
	{FIELD_RECORDS(1, struct log_kept, masks, struct log_kept_mask, &log_mask_fields)},
	{FIELD_NUMBERS(2, struct log_kept, rest_base)},
	{FIELD_NUMBER(3, struct log_kept, admitted)},
	{FIELD_NUMBER(4, struct log_kept, lost)},
	{FIELD_NUMBER(5, struct log_kept, error)},
	{FIELD_NUMBER(6, struct log_kept, index_broken)},
	{FIELD_NUMBER(7, struct log_kept, n_records)},
	{FIELD_RING(8, struct log_kept, records, struct log_index_record, &record_fields,
		    n_records)},
};
const struct field_table log_kept_fields = FIELD_TABLE(struct log_kept, log_kept);

static const struct field log_result[] = {
	{FIELD_NUMBER(1, struct log_result, bytes)},
	{FIELD_NUMBER(2, struct log_result, lost)},
	{FIELD_NUMBER(3, struct log_result, error)},
	{FIELD_NUMBER(4, struct log_result, cut)},
};
const struct field_table log_result_fields = FIELD_TABLE(struct log_result, log_result);

static const struct field report[] = {
	{FIELD_NUMBER(1, struct step_report, result)},
	{FIELD_NUMBER(2, struct step_report, exit_code)},
	{FIELD_NUMBER(3, struct step_report, signal)},
	{FIELD_TEXT(4, struct step_report, reason), .flags = FIELD_CUT},
};
const struct field_table step_report_fields = FIELD_TABLE(struct step_report, report);

static const struct field step[] = {
	{FIELD_NUMBER(1, struct ledger_step, phase)},
	{FIELD_NUMBER(2, struct ledger_step, ended_by_us)},
	{FIELD_NUMBER(3, struct ledger_step, cause)},
	{FIELD_NUMBER(4, struct ledger_step, stopping)},
	{FIELD_NUMBER(5, struct ledger_step, order)},
	{FIELD_NUMBER(6, struct ledger_step, run)},
	{FIELD_NUMBER(7, struct ledger_step, attempt)},
	{FIELD_TEXT(8, struct ledger_step, project)},
	{FIELD_TEXT(9, struct ledger_step, slug)},
	{FIELD_TEXT(10, struct ledger_step, name)},
	{FIELD_NUMBER(11, struct ledger_step, timeout_msec)},
	{FIELD_NUMBER(12, struct ledger_step, grace_msec)},
	{FIELD_NUMBER(13, struct ledger_step, started_usec)},
	{FIELD_NUMBER(14, struct ledger_step, ended_usec)},
	{FIELD_NUMBER(15, struct ledger_step, deadline_usec)},
	{FIELD_RECORD(16, struct ledger_step, log, &log_kept_fields)},
	{FIELD_RECORD(17, struct ledger_step, outcome, &sandbox_outcome_fields)},
	{FIELD_TEXT(18, struct ledger_step, setup_error), .flags = FIELD_CUT},
	{FIELD_RECORD(19, struct ledger_step, log_result, &log_result_fields)},
	{FIELD_RECORD(20, struct ledger_step, report, &step_report_fields)},
};
const struct field_table ledger_step_fields = FIELD_TABLE(struct ledger_step, step);

static const struct field head[] = {
	{FIELD_TEXT(1, struct ledger_head, instance)},
	{FIELD_NUMBER(2, struct ledger_head, n_touched)},
	{FIELD_NUMBER(3, struct ledger_head, highest)},
};
const struct field_table ledger_head_fields = FIELD_TABLE(struct ledger_head, head);

static const struct field ledger[] = {
	{FIELD_BLOB(1, struct kept_ledger, head_layout)},
	{FIELD_BLOB(2, struct kept_ledger, step_layout)},
	{FIELD_NUMBER(3, struct kept_ledger, head_at)},
	{FIELD_NUMBER(4, struct kept_ledger, head_size)},
	{FIELD_NUMBER(5, struct kept_ledger, begun_at)},
	{FIELD_NUMBER(6, struct kept_ledger, n_orders)},
	{FIELD_NUMBER(7, struct kept_ledger, steps_at)},
	{FIELD_NUMBER(8, struct kept_ledger, step_size)},
	{FIELD_NUMBER(9, struct kept_ledger, n_steps)},
};
const struct field_table kept_ledger_fields = FIELD_TABLE(struct kept_ledger, ledger);

static const struct field slot[] = {
	{FIELD_NUMBER(1, struct log_slot_head, state)},
	{FIELD_NUMBER(2, struct log_slot_head, stream)},
	{FIELD_NUMBER(3, struct log_slot_head, sink)},
	{FIELD_NUMBER(4, struct log_slot_head, sequence)},
	{FIELD_NUMBER(5, struct log_slot_head, size)},
	{FIELD_NUMBER(6, struct log_slot_head, base)},
	{FIELD_NUMBER(7, struct log_slot_head, at_usec)},
	{FIELD_NUMBER(8, struct log_slot_head, masked)},
	{FIELD_NUMBER(9, struct log_slot_head, text)},
	{FIELD_NUMBER(10, struct log_slot_head, text_size)},
	{FIELD_RECORD(11, struct log_slot_head, mask, &mask_stream_fields)},
};
const struct field_table log_slot_fields = FIELD_TABLE(struct log_slot_head, slot);

static const struct field journal[] = {
	{FIELD_BLOB(1, struct kept_journal, slot_layout)},
	{FIELD_NUMBER(2, struct kept_journal, heads_at)},
	{FIELD_NUMBER(3, struct kept_journal, head_size)},
	{FIELD_NUMBER(4, struct kept_journal, n_slots)},
	{FIELD_NUMBER(5, struct kept_journal, data_at)},
	{FIELD_NUMBER(6, struct kept_journal, buffer_size)},
};
const struct field_table kept_journal_fields = FIELD_TABLE(struct kept_journal, journal);

static const struct field fd_bundle[] = {
	{FIELD_NUMBER(1, struct kept_fd_bundle, order)},
	{FIELD_BLOB(2, struct kept_fd_bundle, layers)},
	{FIELD_BLOB(3, struct kept_fd_bundle, fds)},
	{FIELD_BLOB(4, struct kept_fd_bundle, sandbox)},
};
const struct field_table kept_fd_bundle_fields = FIELD_TABLE(struct kept_fd_bundle, fd_bundle);
