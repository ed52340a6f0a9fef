/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_KEPT_RAW_H
#define DAEMON_KEPT_RAW_H

/*
 * Structs of d2e21e4, the last version without tags, as it left them in memory.
 * They are frozen (see sandbox/kept_raw.h): nothing here may change.
 */

#include "sandbox/kept_raw.h"

/* ---- the ledger: "rb.ledger" ---- */

#define RAW_LEDGER_MAGIC 0x4c444252u /* "RBDL" */
#define RAW_LEDGER_VERSION 1
#define RAW_LEDGER_ORDERS (1U << 20)
#define RAW_LEDGER_STEPS 65536
#define RAW_LEDGER_STEPS_AT 135168
#define RAW_LEDGER_STEP_ROOM 12288

struct raw_ledger {
	uint32_t magic, version;
	uint64_t step_size;
	char instance[33];
	uint64_t n_touched;
	uint64_t highest;
	uint64_t begun[RAW_LEDGER_ORDERS / 64];
};

struct raw_mask {
	uint64_t mask; /* a pointer of the process that wrote it */
	uint64_t n_held, n_covered, n_shown;
	uint8_t row_open;
	char held[32];
};

struct raw_log {
	struct raw_log_mask {
		uint64_t sequence;
		struct raw_mask mask;
	} masks[2][2];
	uint64_t rest_base[2];
	uint64_t admitted;
	uint64_t lost;
	int32_t error;
	uint32_t index_broken;
	uint64_t n_records;
	struct raw_record {
		uint64_t offset, time_and_stream;
	} records[512];
};

struct raw_step {
	uint32_t phase;
	uint32_t ended_by_us, cause, stopping;
	uint64_t order, run, attempt;
	char project[65];
	char slug[81];
	char name[201];
	uint64_t timeout_msec, grace_msec;
	uint64_t started_usec, ended_usec;
	uint64_t deadline_usec;
	struct raw_log log;
	struct raw_outcome outcome;
	char setup_error[256];
	struct raw_log_result {
		uint64_t bytes, lost;
		int32_t error;
	} log_result;
	struct raw_report {
		uint32_t result;
		uint64_t exit_code, signal;
		char reason[512];
	} report;
};
_Static_assert(sizeof(struct raw_step) == 10008, "frozen");

extern const struct field_table raw_ledger_fields;
extern const struct field_table raw_step_fields;

/* ---- an fd bundle: "rb.s<order>", of five descriptors, perhaps a mask, and the sandbox's ---- */

#define RAW_FD_BUNDLE_MAGIC 0x53424252u /* "RBBS" */
#define RAW_FD_BUNDLE_VERSION 1
#define RAW_FD_BUNDLE_LAYER_SIZE 65

/** struct raw_fd_bundle - followed by the layers, then by the sandbox */
struct raw_fd_bundle {
	uint32_t magic, version;
	uint64_t order;
	uint64_t n_layers, sandbox_size;
	uint64_t has_mask;
};

/* ---- the log pump's slots: "rb.journal" ---- */

#define RAW_JOURNAL_MAGIC 0x4a4c4252u /* "RBLJ" */
#define RAW_JOURNAL_VERSION 1
#define RAW_JOURNAL_HEADS_AT 16
#define RAW_JOURNAL_DATA_AT 16384
#define RAW_JOURNAL_SLOTS 64
#define RAW_JOURNAL_BUFFER 262144

struct raw_journal {
	uint32_t magic, version;
	uint64_t slot_size;
};

struct raw_slot {
	uint32_t state;
	uint32_t stream;
	uint64_t sink;
	uint64_t sequence;
	uint64_t size;
	uint64_t base;
	uint64_t at_usec;
	uint64_t masked;
	uint64_t text, text_size;
	struct raw_mask mask;
};
extern const struct field_table raw_slot_fields;

#endif
