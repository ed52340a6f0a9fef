/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/status.h"

/* Tags are never reused; see common/fields.h for how to add or remove a line. */
static const struct field status[] = {
	{FIELD_NUMBER(1, struct sandbox_status, how)},
	{FIELD_NUMBER(2, struct sandbox_status, code)},
	{FIELD_NUMBER(3, struct sandbox_status, no_files_left)},
	{FIELD_NUMBER(4, struct sandbox_status, cpu_user_usec)},
	{FIELD_NUMBER(5, struct sandbox_status, cpu_system_usec)},
	{FIELD_NUMBER(6, struct sandbox_status, process_peak)},
	{FIELD_NUMBER(7, struct sandbox_status, disk_bytes)},
	{FIELD_NUMBER(8, struct sandbox_status, disk_free)},
	{FIELD_TEXT(9, struct sandbox_status, text), .flags = FIELD_CUT},
};
const struct field_table sandbox_status_fields = FIELD_TABLE(struct sandbox_status, status);
