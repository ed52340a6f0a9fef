/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_KEPT_RAW_H
#define SANDBOX_KEPT_RAW_H

/*
 * DOC: Records of versions before tags
 *
 * d2e21e4 and earlier versions wrote their C structs as bytes. Those structs are frozen here,
 * under names of their own, with tables that give each member the tag that it has today, so
 * that the same reader understands them. Nothing here may change; tests/golden/kept has bytes
 * that d2e21e4 wrote.
 */

#include "common/fields.h"

#include <stdint.h>

/** struct raw_outcome - struct sandbox_outcome of d2e21e4 */
struct raw_outcome {
	uint32_t how;
	int32_t code;
	uint8_t memory_limit;
	uint32_t memory_scope;
	uint64_t steps_memory;
	uint64_t forks_refused;
	uint8_t disk_full;
	struct raw_usage {
		uint64_t known;
		uint64_t values[12];
	} usage;
	struct raw_limits {
		uint64_t memory, pids, cpu_milli;
	} limits, run_limits;
	uint64_t disk;
};
_Static_assert(sizeof(struct raw_outcome) == 200, "frozen");
extern const struct field_table raw_outcome_fields;

#define RAW_SANDBOX_MAGIC 0x4b534252u /* "RBSK" */
#define RAW_SANDBOX_VERSION 1
#define RAW_SANDBOX_NO_SLOT 4094
/* host ids of slots before records named them */
#define RAW_SANDBOX_IDS_FIRST 0x70000000U
#define RAW_SANDBOX_IDS_RANGE 0x10000U

/** struct raw_sandbox - followed by the rules of allow, then of only, 24 bytes each */
struct raw_sandbox {
	uint32_t magic, version;
	uint64_t size; /* of this structure */
	int32_t pid;
	uint32_t slot;
	uint32_t fds; /* bit i: kind i (enum sandbox_kept_fd) is passed, in this order */
	uint32_t n_allow, n_only;
	char run[201];
	char id[201];
	struct raw_outcome in_force;
	struct raw_network {
		uint32_t index;
		char group[201];
		int32_t bridge;
		uint32_t next_index, member, slot;
		uint64_t hosts_head;
	} network;
};
extern const struct field_table raw_sandbox_fields;

#define RAW_STATUS_MAGIC 0x32534252u /* "RBS2" */

/** struct raw_status - status that runbook-init of d2e21e4 writes */
struct raw_status {
	uint32_t magic;
	int32_t how, code;
	uint32_t no_files_left;
	uint64_t cpu_user_usec, cpu_system_usec;
	uint64_t process_peak;
	uint64_t disk_bytes, disk_free;
	char text[200];
};
_Static_assert(sizeof(struct raw_status) == 256, "frozen");
extern const struct field_table raw_status_fields;

/** raw_convert() - like fields_convert(), from a struct described by @raw */
int raw_convert(const struct field_table *raw, const void *source, const struct field_table *table,
		void *object, struct error *error);

#endif
