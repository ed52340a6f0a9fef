/* SPDX-License-Identifier: Apache-2.0 */
/* common/memory_trim.c: what is given back, and that all of it still works afterwards. */
#include "tests/unit/cmocka_headers.h"

#include "common/memory_trim.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

#define CHUNKS 4096
#define CHUNK_BYTES 1024

/* KiB of the mappings whose first line contains @what that are present. */
static unsigned long present_kib(const char *what)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	unsigned long sum = 0, kib;
	bool wanted = false;
	char line[512];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Rss: %lu kB", &kib) == 1)
			sum += wanted ? kib : 0;
		else if (strchr(line, '-') && strchr(line, ':') && !strstr(line, " kB"))
			wanted = strstr(line, what) != NULL;
	}
	(void)fclose(file);
	return sum;
}

/* Constants with addresses in them, which the dynamic linker wrote and then protected. */
static const char *const relocated[] = {"one", "two", "three"};
static int (*const calls[])(const char *, const char *) = {strcmp, strcasecmp};

/* Map all pages of the C library's code, of which the kernel may have taken some away. */
static void map_code(void)
{
	FILE *file = fopen("/proc/self/maps", "re");
	unsigned long begin, end;
	char line[512], rights[8];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (strstr(line, "libc.so") &&
		    sscanf(line, "%lx-%lx %7s", &begin, &end, rights) == 3 && rights[2] == 'x')
			assert_int_equal(madvise((void *)begin, end - begin, MADV_POPULATE_READ),
					 0);
	}
	(void)fclose(file);
}

static void code_is_unmapped(void **state)
{
	unsigned long before, after;

	map_code();
	before = present_kib("libc.so");
	memory_trim();
	after = present_kib("libc.so");
	assert_true(before > 500);
	/* reading smaps itself needs some code again */
	assert_true(after < before);
}

#ifndef __SANITIZE_ADDRESS__ /* it has a malloc(3) of its own */
static void free_memory_is_returned(void **state)
{
	static char *chunks[CHUNKS];
	unsigned long before;

	for (size_t i = 0; i < CHUNKS; i++) {
		chunks[i] = malloc(CHUNK_BYTES);
		assert_non_null(chunks[i]);
		memset(chunks[i], 1, CHUNK_BYTES);
	}
	/* the last one stays, so that free() alone cannot shrink the heap */
	for (size_t i = 0; i + 1 < CHUNKS; i++)
		free(chunks[i]);
	before = present_kib("[heap]");
	memory_trim();
	assert_true(before > CHUNKS * CHUNK_BYTES / 1024 / 2);
	assert_true(present_kib("[heap]") < before / 2);
	free(chunks[CHUNKS - 1]);
}
#endif

static void everything_still_works(void **state)
{
	char text[32];

	memory_trim();
	assert_string_equal(relocated[2], "three");
	assert_int_equal(calls[0]("a", "a"), 0);
	assert_int_equal(calls[1]("a", "A"), 0);
	(void)snprintf(text, sizeof(text), "%.2f", 2.5);
	assert_string_equal(text, "2.50");
	memory_trim();
	memory_trim();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(code_is_unmapped),
#ifndef __SANITIZE_ADDRESS__
		cmocka_unit_test(free_memory_is_returned),
#endif
		cmocka_unit_test(everything_still_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
