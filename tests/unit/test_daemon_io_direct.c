/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/cmocka_headers.h"

#include "daemon/io_direct.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BEGIN 5000000000u /* any time */
#define SEC 1000000u

struct fixture {
	char path[64];
	struct io_direct direct;
	size_t page;
};

static void vmstat(const struct fixture *fixture, const char *text)
{
	FILE *file = fopen(fixture->path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* @dirty: pages, of which 10 are being written already; the threshold is 200 */
static void vmstat_dirty(const struct fixture *fixture, unsigned dirty)
{
	char text[256];

	(void)snprintf(text, sizeof(text),
		       "nr_free_pages 7\nnr_dirty %u\nnr_writeback 10\nnr_writeback_temp 999\n"
		       "nr_dirty_threshold 400\nnr_dirty_background_threshold 200\npgpgin 1\n",
		       dirty - 10);
	vmstat(fixture, text);
}

static int setup(void **state)
{
	static struct fixture fixture;
	int fd;

	strcpy(fixture.path, "/tmp/rbt-vmstat.XXXXXX");
	fd = mkstemp(fixture.path);
	assert_true(fd >= 0);
	(void)close(fd);
	fixture.page = (size_t)sysconf(_SC_PAGESIZE);
	vmstat_dirty(&fixture, 100);
	io_direct_open(&fixture.direct, fixture.path);
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	io_direct_close(&fixture->direct);
	return unlink(fixture->path);
}

/* Half of what is left below the threshold may be written before the next look. */
static void test_threshold(void **state)
{
	struct fixture *fixture = *state;
	struct io_direct *direct = &fixture->direct;
	size_t page = fixture->page;

	assert_false(io_direct_may(direct, 51 * page, BEGIN));
	assert_true(io_direct_may(direct, 50 * page, BEGIN + IO_DIRECT_LOOK_USEC));
	assert_false(io_direct_may(direct, 1, BEGIN + IO_DIRECT_LOOK_USEC)); /* before a look */
	assert_true(io_direct_may(direct, 40 * page, BEGIN + 2 * IO_DIRECT_LOOK_USEC));
	/* this one exceeds the rest, which brings a look */
	assert_true(io_direct_may(direct, 40 * page, BEGIN + 2 * IO_DIRECT_LOOK_USEC));
	vmstat_dirty(fixture, 200);
	assert_false(io_direct_may(direct, 40 * page, BEGIN + 2 * IO_DIRECT_LOOK_USEC));
	vmstat_dirty(fixture, 100);
	assert_false(io_direct_may(direct, 1, BEGIN + 3 * IO_DIRECT_LOOK_USEC - 1));
	assert_true(io_direct_may(direct, 1, BEGIN + 3 * IO_DIRECT_LOOK_USEC));
}

/* Without numbers, no write is made at once. */
static void test_unknown(void **state)
{
	static const char *const texts[] = {
		"",
		"nr_dirty 1\nnr_writeback 1\n",
		"nr_dirty_background_threshold 200\n",
		"nr_dirty 1\nnr_dirty_background_threshold 200\n",
	};
	struct fixture *fixture = *state;
	struct io_direct none;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		vmstat(fixture, texts[i]);
		assert_false(io_direct_may(&fixture->direct, 1, BEGIN + i * SEC));
	}
	io_direct_open(&none, "/tmp/rbt-there-is-no-such-file");
	assert_false(io_direct_may(&none, 1, BEGIN));
	io_direct_close(&none);
}

/* After a write that waited there is a pause, and a longer one after the next. */
static void test_pause(void **state)
{
	struct fixture *fixture = *state;
	struct io_direct *direct = &fixture->direct;
	uint64_t now = BEGIN;

	io_direct_wrote(direct, IO_DIRECT_SLOW_USEC, true, now);
	io_direct_wrote(direct, SEC, false, now); /* others had the processor */
	assert_true(io_direct_may(direct, 1, now));
	for (uint64_t pause = 1; pause <= 128; pause *= 2) {
		uint64_t most = (pause < 64 ? pause : 64) * SEC;

		io_direct_wrote(direct, IO_DIRECT_SLOW_USEC + 1, true, now);
		assert_false(io_direct_may(direct, 1, now + most - 1));
		assert_true(io_direct_may(direct, 1, now + most));
		now += most;
	}
	now += 65 * (uint64_t)SEC; /* the disk was fast all the while */
	io_direct_wrote(direct, IO_DIRECT_SLOW_USEC + 1, true, now);
	assert_true(io_direct_may(direct, 1, now + SEC));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_threshold, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pause, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
