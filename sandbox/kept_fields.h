/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_KEPT_FIELDS_H
#define SANDBOX_KEPT_FIELDS_H

/*
 * DOC: Records of a sandbox for other versions
 *
 * Tables (common/fields.h) of records that one version of this library writes and another
 * reads: a running sandbox as sandbox_persist() describes it, and the status that runbook-init,
 * which belongs to the version that started the step, writes when the command has ended.
 */

#include "common/fields.h"
#include "sandbox/host_network.h"
#include "sandbox/sandbox.h"
#include "sandbox/status.h"

/* First word of a record; records of d2e21e4 began otherwise: sandbox/kept_raw.h. */
#define SANDBOX_KEPT_MAGIC 0x324b5352u /* "RSK2" */

/** enum sandbox_kept_fd - kinds of descriptors; the numbers are stored, so never reuse one */
enum sandbox_kept_fd {
	KEPT_PIDFD = 0,
	KEPT_STATUS = 1,
	KEPT_RUN = 2,
	KEPT_GROUP = 3,
	KEPT_IMAGE = 4,
	KEPT_NETNS = 5,
	KEPT_NETWORK = 6, /* and the next two numbers */
	KEPT_FDS = KEPT_NETWORK + NETWORK_KEPT_FDS,
};
_Static_assert(KEPT_FDS <= SANDBOX_KEPT_FDS_MAX, "no room for the descriptors");

/** struct kept_sandbox - behind SANDBOX_KEPT_MAGIC, as a message of fields */
struct kept_sandbox {
	struct field_blob fds; /* a uint16_t for each descriptor: enum sandbox_kept_fd */
	int32_t pid;
	uint32_t slot; /* index of its slot of user ids, plus one; 0: none */
	char run[SANDBOX_ID_MAX + 1];
	char id[SANDBOX_ID_MAX + 1];
	struct sandbox_outcome in_force;
	struct host_network_kept network;
	uint32_t rule_bytes; /* of one rule: NETWORK_RULE_BYTES of the version that wrote it */
	struct field_blob allow, only;
	uint32_t ids_first, ids_range; /* host ids of its slot */
};

extern const struct field_table kept_sandbox_fields;
extern const struct field_table sandbox_outcome_fields;
extern const struct field_table sandbox_limits_fields;
extern const struct field_table step_usage_fields;
extern const struct field_table host_network_kept_fields;

#endif
