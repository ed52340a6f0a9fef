/* SPDX-License-Identifier: Apache-2.0 */
/* common/memory_pages.c: pages exist from their first use on. */
#include "tests/unit/cmocka_headers.h"

#include "common/memory_pages.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

#define PAGES 16

/* How many pages of @memory exist. */
static unsigned present(void *memory, size_t page)
{
	unsigned char each[PAGES];
	unsigned n = 0;

	assert_int_equal(mincore(memory, PAGES * page, each), 0);
	for (size_t i = 0; i < PAGES; i++)
		n += each[i] & 1;
	return n;
}

static void pages_come_with_use(void **state)
{
	static const char zeros[64];
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *memory = memory_pages_new(PAGES * page);

	assert_non_null(memory);
#ifndef __SANITIZE_ADDRESS__ /* there it is memory of calloc(3) */
	assert_int_equal(present(memory, page), 0);
	memory[5 * page] = 1;
	assert_int_equal(present(memory, page), 1);
#else
	(void)present;
#endif
	assert_memory_equal(memory + 7 * page, zeros, sizeof(zeros));
	memory_pages_free(memory, PAGES * page);
	memory_pages_free(NULL, PAGES * page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_come_with_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
