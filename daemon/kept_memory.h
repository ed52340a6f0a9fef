/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_KEPT_MEMORY_H
#define DAEMON_KEPT_MEMORY_H

/* Shared memory that says itself what is in it: daemon/kept_fields.h. */

#include "daemon/kept_fields.h"

/** struct kept_layout - a blob of a description that is the layout of @table */
struct kept_layout {
	struct field_blob *blob;
	const struct field_table *table;
};

/**
 * kept_describe() - make the beginning of such memory: a struct kept_start and fields
 * @table:   of @kept, a struct kept_ledger or kept_journal
 * @layouts: to be filled in, in @kept, for this call only
 * @out:     KEPT_DESCRIBED_MAX bytes
 *
 * Return: bytes; 0 when it does not fit, or memory is short.
 */
size_t kept_describe(const struct field_table *table, void *kept, uint32_t magic,
		     const struct kept_layout *layouts, size_t n_layouts, char *out);

/** struct kept_memory - that of a predecessor, only read */
struct kept_memory {
	const uint8_t *data;
	size_t size;
};
#define cleanup_kept_memory __attribute__((cleanup(kept_memory_unmap)))

/** kept_memory_map() - Return: 0 or -errno with @error. @fd may be closed then. */
int kept_memory_map(int fd, struct kept_memory *ret_memory, struct error *error);
/** kept_memory_unmap() - also of one that was never mapped */
void kept_memory_unmap(struct kept_memory *memory);
/** kept_memory_magic() - its first word; 0 when it has none */
uint32_t kept_memory_magic(const struct kept_memory *memory);
/** kept_memory_has() - does @n times @size bytes from @at on lie in it? */
bool kept_memory_has(const struct kept_memory *memory, uint64_t at, uint64_t size, uint64_t n);
/** kept_memory_described() - read what kept_describe() of any version wrote. As fields_unpack(). */
int kept_memory_described(const struct kept_memory *memory, const struct field_table *table,
			  void *kept, struct error *error);
/** kept_layout_of() - the layout of a frozen table, malloc'ed. Return: NULL without memory. */
void *kept_layout_of(const struct field_table *table, struct field_blob *blob);

#endif
