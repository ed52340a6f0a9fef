/* SPDX-License-Identifier: Apache-2.0 */
/* Secret values to mask in a log, in the format for the daemon. */
#include "tests/unit/cmocka_headers.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/step_mask.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct step_mask_value three[] = {
	{"first", 5},
	{"", 0},
	{"with\0NUL\n", 9},
};

static void test_round_trip(void **state)
{
	int fd = step_mask_new(three, ARRAY_SIZE(three));
	struct step_mask mask;
	char byte = 'x';

	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(pwrite(fd, &byte, 1, 0), -1);
	assert_true(step_mask_acceptable(fd));
	assert_int_equal(step_mask_map(fd, &mask), 0);
	(void)close(fd);
	assert_int_equal(mask.n_values, ARRAY_SIZE(three));
	for (size_t i = 0; i < ARRAY_SIZE(three); i++) {
		assert_int_equal(mask.values[i].size, three[i].size);
		assert_memory_equal(mask.values[i].data, three[i].data, three[i].size);
	}
	step_mask_unmap(&mask);
	assert_null(mask.values);
	step_mask_unmap(&mask);
}

static void test_none(void **state)
{
	int fd = step_mask_new(NULL, 0);
	struct step_mask mask;

	assert_true(fd >= 0);
	assert_int_equal(step_mask_map(fd, &mask), 0);
	assert_int_equal(mask.n_values, 0);
	step_mask_unmap(&mask);
	(void)close(fd);
}

static void test_limits(void **state)
{
	cleanup_free char *bytes = calloc(1, STEP_MASK_VALUE_MAX + 1);
	cleanup_free struct step_mask_value *values =
		calloc(STEP_MASK_VALUES_MAX + 1, sizeof(*values));
	struct step_mask mask;
	int fd;

	assert_non_null(bytes);
	assert_non_null(values);
	for (size_t i = 0; i <= STEP_MASK_VALUES_MAX; i++)
		values[i] = (struct step_mask_value){bytes, 1};
	assert_int_equal(step_mask_new(values, STEP_MASK_VALUES_MAX + 1), -E2BIG);
	values[0].size = STEP_MASK_VALUE_MAX + 1;
	assert_int_equal(step_mask_new(values, 1), -E2BIG);
	for (size_t i = 0; i < 17; i++)
		values[i].size = STEP_MASK_VALUE_MAX;
	assert_int_equal(step_mask_new(values, 17), -E2BIG); /* 1 MiB and 64 KiB */
	/* the maximum: 16 full ones, then empty ones */
	for (size_t i = 16; i < STEP_MASK_VALUES_MAX; i++)
		values[i].size = 0;
	fd = step_mask_new(values, STEP_MASK_VALUES_MAX);
	assert_true(fd >= 0);
	assert_int_equal(step_mask_map(fd, &mask), 0);
	assert_int_equal(mask.n_values, STEP_MASK_VALUES_MAX);
	step_mask_unmap(&mask);
	(void)close(fd);
}

/* Makes a sealed memfd with @data. */
static int map_bytes(const void *data, size_t size)
{
	cleanup_close int fd = memfd_sealed("test", data, size);
	struct step_mask mask = {.values = NULL};
	int r;

	assert_true(fd >= 0);
	r = step_mask_map(fd, &mask);
	step_mask_unmap(&mask);
	return r;
}

static void test_every_cut_and_every_flip(void **state)
{
	cleanup_close int fd = step_mask_new(three, ARRAY_SIZE(three));
	struct step_mask_value values[8];
	cleanup_free char *copy = NULL;
	char *data;
	size_t size;

	assert_int_equal(fd_read_file(fd, 1024, &data, &size), 0);
	copy = malloc(size + 1);
	assert_non_null(copy);
	for (size_t cut = 0; cut < size; cut++)
		assert_int_equal(map_bytes(data, cut), -EBADMSG);
	memcpy(copy, data, size);
	copy[size] = '\0';
	assert_int_equal(map_bytes(copy, size + 1), -EBADMSG);
	assert_int_equal(map_bytes(data, size), 0);
	/* whatever the fields are, values are within the bytes */
	for (size_t at = 0; at < size * 8; at++) {
		int n;

		memcpy(copy, data, size);
		copy[at / 8] = (char)(copy[at / 8] ^ 1 << at % 8);
		n = step_mask_parse(copy, size, values, ARRAY_SIZE(values));
		for (int i = 0; i < n; i++) {
			assert_true((const char *)values[i].data >= copy);
			assert_true((const char *)values[i].data + values[i].size <= copy + size);
		}
	}
	assert_int_equal(step_mask_parse(data, size, values, 2), -E2BIG);
	free(data);
}

static void test_unsealed_is_refused(void **state)
{
	cleanup_close int good = step_mask_new(three, ARRAY_SIZE(three));
	cleanup_close int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	cleanup_close int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct step_mask mask;
	char *data;
	size_t size;

	assert_int_equal(fd_read_file(good, 1024, &data, &size), 0);
	assert_int_equal(fd_write_all(fd, data, size), 0);
	free(data);
	assert_false(step_mask_acceptable(fd));
	assert_int_equal(step_mask_map(fd, &mask), -EBADMSG);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK), 0);
	assert_int_equal(step_mask_map(fd, &mask), -EBADMSG);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	assert_int_equal(step_mask_map(fd, &mask), 0);
	step_mask_unmap(&mask);
	assert_int_equal(step_mask_map(null, &mask), -EBADMSG);
	assert_int_equal(step_mask_map(-1, &mask), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_every_cut_and_every_flip),
		cmocka_unit_test(test_unsealed_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
