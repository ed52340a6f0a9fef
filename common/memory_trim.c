/* SPDX-License-Identifier: Apache-2.0 */
#include "common/memory_trim.h"

#include <elf.h>
#include <link.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Were relocations written into its code? They would be lost. */
static bool code_relocated(const struct dl_phdr_info *object)
{
	for (size_t i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &object->dlpi_phdr[i];
		const ElfW(Dyn) *entry = (const void *)(object->dlpi_addr + header->p_vaddr);

		if (header->p_type != PT_DYNAMIC)
			continue;
		for (; entry->d_tag != DT_NULL; entry++) {
			if (entry->d_tag == DT_TEXTREL ||
			    (entry->d_tag == DT_FLAGS && entry->d_un.d_val & DF_TEXTREL))
				return true;
		}
		return false;
	}
	return true; /* a static program, or the kernel's vdso: nothing is known of it */
}

static int object_trim(struct dl_phdr_info *object, size_t size, void *userdata)
{
	const uintptr_t mask = (uintptr_t)sysconf(_SC_PAGESIZE) - 1;

	if (code_relocated(object))
		return 0;
	for (size_t i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &object->dlpi_phdr[i];
		uintptr_t start = object->dlpi_addr + header->p_vaddr;
		uintptr_t end = start + header->p_memsz;

		/* what is writable has data, also where it is protected after relocation */
		if (header->p_type != PT_LOAD || (header->p_flags & PF_W))
			continue;
		start &= ~mask;
		end = (end + mask) & ~mask;
		(void)madvise((void *)start, end - start, MADV_DONTNEED);
	}
	return 0;
}

void memory_trim(void)
{
	(void)malloc_trim(0);
	(void)dl_iterate_phdr(object_trim, NULL);
}
