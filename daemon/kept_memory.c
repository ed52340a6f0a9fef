/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/kept_memory.h"

#include "common/cleanup.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

void *kept_layout_of(const struct field_table *table, struct field_blob *blob)
{
	size_t size = fields_layout(table, NULL, 0);
	void *layout = malloc(size);

	if (!layout)
		return NULL;
	(void)fields_layout(table, layout, size);
	*blob = (struct field_blob){.data = layout, .size = size};
	return layout;
}

size_t kept_describe(const struct field_table *table, void *kept, uint32_t magic,
		     const struct kept_layout *layouts, size_t n_layouts, char *out)
{
	struct kept_start start = {.magic = magic};
	const size_t room = KEPT_DESCRIBED_MAX - sizeof(start);
	bool made = true;
	size_t size = 0;

	for (size_t i = 0; i < n_layouts; i++)
		made = kept_layout_of(layouts[i].table, layouts[i].blob) && made;
	if (made)
		size = fields_pack(table, kept, out + sizeof(start), room);
	for (size_t i = 0; i < n_layouts; i++)
		free((void *)(uintptr_t)layouts[i].blob->data);
	if (size == 0 || size > room)
		return 0;
	start.size = (uint32_t)size;
	memcpy(out, &start, sizeof(start));
	return sizeof(start) + size;
}

int kept_memory_map(int fd, struct kept_memory *ret_memory, struct error *error)
{
	struct stat st;
	void *data;

	if (fstat(fd, &st) < 0)
		return error_errno(error, errno, "cannot look at the state of a predecessor");
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(struct kept_start))
		return error_set(error, EBADMSG, "the state of a predecessor is too short");
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (data == MAP_FAILED)
		return error_errno(error, errno, "cannot map the state of a predecessor");
	/* it may contain output from before it was masked */
	(void)madvise(data, (size_t)st.st_size, MADV_DONTDUMP);
	*ret_memory = (struct kept_memory){.data = data, .size = (size_t)st.st_size};
	return 0;
}

void kept_memory_unmap(struct kept_memory *memory)
{
	if (memory->data)
		(void)munmap((void *)(uintptr_t)memory->data, memory->size);
	memory->data = NULL;
}

uint32_t kept_memory_magic(const struct kept_memory *memory)
{
	uint32_t magic = 0;

	if (memory->size >= sizeof(magic))
		memcpy(&magic, memory->data, sizeof(magic));
	return magic;
}

bool kept_memory_has(const struct kept_memory *memory, uint64_t at, uint64_t size, uint64_t n)
{
	uint64_t all;

	return !__builtin_mul_overflow(size, n, &all) && at <= memory->size &&
	       all <= memory->size - at;
}

int kept_memory_described(const struct kept_memory *memory, const struct field_table *table,
			  void *kept, struct error *error)
{
	struct kept_start start;

	memcpy(&start, memory->data, sizeof(start));
	if (!kept_memory_has(memory, sizeof(start), start.size, 1))
		return error_set(error, EBADMSG, "the state of a predecessor is cut off");
	return fields_unpack(table, memory->data + sizeof(start), start.size, kept, error);
}
