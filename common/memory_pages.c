/* SPDX-License-Identifier: Apache-2.0 */
#include "common/memory_pages.h"

#include <stdlib.h>
#include <sys/mman.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

#ifdef __SANITIZE_ADDRESS__ /* it looks for pointers in memory of malloc(3) only */

void *memory_pages_new(size_t size)
{
	return calloc(1, size);
}

void memory_pages_free(void *pages, size_t size)
{
	free(pages);
}

#else

void *memory_pages_new(size_t size)
{
	void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return pages == MAP_FAILED ? NULL : pages;
}

void memory_pages_free(void *pages, size_t size)
{
	if (pages)
		(void)munmap(pages, size);
}

#endif
