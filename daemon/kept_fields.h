/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_KEPT_FIELDS_H
#define DAEMON_KEPT_FIELDS_H

/*
 * DOC: State that outlives runbookd, field by field
 *
 * The tables (common/fields.h) of all state that one runbookd leaves in the fd store
 * and another reads, of this version, an older or a newer one. To keep one more value,
 * add it to its struct, and a line with the next free tag to the table of that struct in
 * kept_fields.c; then UPDATE=1 build/tests/test_daemon_kept writes the golden bytes of
 * the new format beside the old ones (tests/golden/kept/README.md). Enumerators that are
 * kept have numbers that never change; an older version refuses one that it does not
 * know (ledger_step_known()).
 *
 *   ledger     shared memory that is changed in place: structs of the version that made it,
 *              behind a description of where their fields are. A successor with another
 *              layout converts it to a ledger of its own (ledger_adopt.c)
 *   journal    the same with the slots of the log pump (log_journal_adopt.c)
 *   fd bundle  written once: a message of fields (step_fd_bundle.c) that contains the
 *              sandbox's
 */

#include "common/fields.h"
#include "daemon/ledger.h"
#include "daemon/log_journal.h"
#include "daemon/step_persist.h"

/** struct kept_fd_bundle - behind KEPT_FD_BUNDLE_MAGIC */
struct kept_fd_bundle {
	uint64_t order;
	struct field_blob layers;  /* ids of the image's layers, each with a NUL */
	struct field_blob fds;	   /* a uint16_t for each descriptor: enum step_fd_kind */
	struct field_blob sandbox; /* as supervise_persist() described it */
};

#define KEPT_FD_BUNDLE_MAGIC 0x32424252u /* "RBB2" */
#define KEPT_LEDGER_MAGIC 0x324c4252u	 /* "RBL2" */
#define KEPT_JOURNAL_MAGIC 0x324a4252u	 /* "RBJ2" */

#define KEPT_DESCRIBED_MAX 16384 /* bytes of the description at the start of shared memory */

/** struct kept_start - the first bytes of shared memory; the fields of the description follow */
struct kept_start {
	uint32_t magic;
	uint32_t size; /* bytes of these fields */
};

/** struct kept_ledger - description of the memory of a ledger; written once; offsets in bytes */
struct kept_ledger {
	struct field_blob head_layout, step_layout;
	uint64_t head_at, head_size;
	uint64_t begun_at, n_orders; /* a bit for each order */
	uint64_t steps_at, step_size, n_steps;
};

/** struct kept_journal - description of the memory with the log pump's slots */
struct kept_journal {
	struct field_blob slot_layout;
	uint64_t heads_at, head_size, n_slots;
	uint64_t data_at, buffer_size; /* each slot has two buffers: masked output, raw output */
};

extern const struct field_table kept_fd_bundle_fields;
extern const struct field_table kept_ledger_fields;
extern const struct field_table kept_journal_fields;
extern const struct field_table ledger_head_fields;
extern const struct field_table ledger_step_fields;
extern const struct field_table log_kept_fields;
extern const struct field_table log_result_fields;
extern const struct field_table step_report_fields;
extern const struct field_table log_slot_fields;
extern const struct field_table mask_stream_fields;

#endif
