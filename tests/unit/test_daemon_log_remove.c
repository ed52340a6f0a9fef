/* SPDX-License-Identifier: Apache-2.0 */
/* Removing logs: only those of one run, some at a time, through no symbolic link. */
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/remove_tree.h"
#include "daemon/log_remove.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/cmocka_headers.h"

struct fixture {
	char dir[64];
	int fd;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	(void)snprintf(fixture->dir, sizeof(fixture->dir), "/tmp/runbook-logs-XXXXXX");
	assert_non_null(mkdtemp(fixture->dir));
	fixture->fd = open(fixture->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fixture->fd >= 0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	(void)close(fixture->fd);
	assert_int_equal(remove_tree(AT_FDCWD, fixture->dir), 0);
	free(fixture);
	return 0;
}

static void file(const struct fixture *fixture, const char *path)
{
	int fd = openat(fixture->fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	(void)close(fd);
}

static bool there(const struct fixture *fixture, const char *path)
{
	return faccessat(fixture->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void some_at_a_time(void **state)
{
	struct fixture *fixture = *state;
	char path[64];
	int calls = 0, r;

	assert_int_equal(make_directories(fixture->fd, "p/7", 0755), 0);
	assert_int_equal(make_directories(fixture->fd, "p/8", 0755), 0);
	file(fixture, "p/8/s.1.log");
	for (int i = 0; i < 25; i++) {
		(void)snprintf(path, sizeof(path), "p/7/s.%d.log", i);
		file(fixture, path);
	}
	do {
		r = log_remove_some(fixture->fd, "p", 7, 10);
		assert_in_range(r, 0, 1);
		calls++;
	} while (r == 0);
	assert_int_equal(calls, 3);
	assert_false(there(fixture, "p/7"));
	assert_true(there(fixture, "p/8/s.1.log"));
	/* a second time, and in a project that never had logs */
	assert_int_equal(log_remove_some(fixture->fd, "p", 7, 10), 1);
	assert_int_equal(log_remove_some(fixture->fd, "q", 7, 10), 1);
}

static void no_link_is_followed(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(make_directories(fixture->fd, "other/9", 0755), 0);
	assert_int_equal(make_directories(fixture->fd, "p/3", 0755), 0);
	file(fixture, "other/9/precious");
	assert_int_equal(symlinkat("other", fixture->fd, "q"), 0);
	assert_int_equal(symlinkat("../other/9", fixture->fd, "p/2"), 0);
	assert_int_equal(symlinkat("../../other/9/precious", fixture->fd, "p/3/s.1.log"), 0);
	assert_int_equal(log_remove_some(fixture->fd, "q", 9, 10), -ELOOP);
	assert_int_equal(log_remove_some(fixture->fd, "p", 2, 10), -ELOOP);
	/* a link in the place of a log is removed, but not its target */
	assert_int_equal(log_remove_some(fixture->fd, "p", 3, 10), 1);
	assert_true(there(fixture, "other/9/precious"));
	assert_false(there(fixture, "p/3"));
}

static void what_is_no_log_stays(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(make_directories(fixture->fd, "p/4/directory", 0755), 0);
	file(fixture, "p/4/s.1.log");
	assert_int_equal(log_remove_some(fixture->fd, "p", 4, 10), -ENOTEMPTY);
	assert_true(there(fixture, "p/4/directory"));
	assert_false(there(fixture, "p/4/s.1.log"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(some_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(no_link_is_followed, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_log_stays, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
