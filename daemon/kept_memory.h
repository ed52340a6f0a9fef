/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_KEPT_MEMORY_H
#define DAEMON_KEPT_MEMORY_H

/*
 * DOC: Shared memory that describes itself
 *
 * Ledger and journal are shared memory that outlives its process and may be read by another
 * version. It begins with a description: where which array is, and the layout (tags, offsets,
 * sizes) of its structs. The writer makes that here once; a reader maps the memory of its
 * predecessor, reads the description, and converts struct by struct
 * (daemon/kept_fields.h, common/fields.h). The memory of a predecessor is never changed.
 */

#include "daemon/kept_fields.h"

/** struct kept_layout - a member of a description that is to be the layout of @table */
struct kept_layout {
	struct field_blob *blob;
	const struct field_table *table;
};

/**
 * kept_describe() - make the description: a struct kept_start and fields
 * @table:   the table of @kept, a struct kept_ledger or kept_journal
 * @layouts: members of @kept that this sets; they are valid during the call only
 * @out:     KEPT_DESCRIBED_MAX bytes
 *
 * Return: bytes in @out; 0 when it does not fit, or without memory.
 */
size_t kept_describe(const struct field_table *table, void *kept, uint32_t magic,
		     const struct kept_layout *layouts, size_t n_layouts, char *out);

/** struct kept_memory - the memory of a predecessor, mapped read-only */
struct kept_memory {
	const uint8_t *data;
	size_t size;
};
#define cleanup_kept_memory __attribute__((cleanup(kept_memory_unmap)))

/** kept_memory_map() - map @fd, which may be closed afterwards. Return: 0; -errno with @error. */
int kept_memory_map(int fd, struct kept_memory *ret_memory, struct error *error);
/** kept_memory_unmap() - all zeroes, and memory that is unmapped already, are fine */
void kept_memory_unmap(struct kept_memory *memory);
/** kept_memory_magic() - its first four bytes; 0 when it is shorter */
uint32_t kept_memory_magic(const struct kept_memory *memory);
/** kept_memory_has() - are @n times @size bytes at offset @at within the memory? */
bool kept_memory_has(const struct kept_memory *memory, uint64_t at, uint64_t size, uint64_t n);
/**
 * kept_memory_described() - read the description that kept_describe() of any version made
 *
 * Blobs of @kept point into @memory. Return: as fields_unpack(), with @error.
 */
int kept_memory_described(const struct kept_memory *memory, const struct field_table *table,
			  void *kept, struct error *error);
/**
 * kept_layout_of() - the layout of @table, for memory of a version that did not describe itself
 * @blob: set to the layout
 *
 * Return: the bytes of @blob, malloc'ed for the caller; NULL without memory.
 */
void *kept_layout_of(const struct field_table *table, struct field_blob *blob);

#endif
