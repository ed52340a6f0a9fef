/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits on kernels without swap accounting. Plain directories stand in for groups, so neither
 * privilege nor controllers are needed.
 */
#include "sandbox/host_group.h"
#include "tests/unit/cmocka_headers.h"

#include "common/cleanup.h"
#include "common/remove_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADING "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"

static char directory[] = "/tmp/rbt-unit.XXXXXX";
static char swaps[sizeof(directory) + 8];
static int group_fd = -1;

static void write_file(const char *name, const char *text)
{
	cleanup_close int fd =
		openat(group_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void check_file(const char *name, const char *wanted)
{
	cleanup_close int fd = openat(group_fd, name, O_RDONLY | O_CLOEXEC);
	char text[64] = "";

	assert_true(fd >= 0 && read(fd, text, sizeof(text) - 1) >= 0);
	assert_string_equal(text, wanted);
}

static struct cgroup_host host_with(bool required)
{
	return (struct cgroup_host){
		.own_fd = -1, .group_fd = -1, .memory = true, .required = required, .swaps = swaps};
}

static void test_swap_unlimited(void **state)
{
	static const struct {
		const char *swaps; /* NULL: the kernel has no such file */
		bool problem;
	} cases[] = {
		{NULL, false},
		{"", false},
		{HEADING, false},
		{HEADING "/dev/zram0 partition\t1048572\t0\t100\n", true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cgroup_host strict = host_with(true), lax = host_with(false);
		struct error error = ERROR_INIT;

		(void)unlinkat(group_fd, "swaps", 0);
		if (cases[i].swaps)
			write_file("swaps", cases[i].swaps);
		assert_int_equal(cgroup_step_limit(&lax, group_fd, "memory.swap.max", 0, &error),
				 0);
		assert_int_equal(cgroup_step_limit(&strict, group_fd, "memory.swap.max", 0, &error),
				 cases[i].problem ? -ENOTSUP : 0);
		assert_int_equal(strstr(error.text, "swapaccount=1") != NULL, cases[i].problem);
		cgroup_host_check_swap(&lax, group_fd);
		assert_int_equal(strstr(lax.warning, "swapoff") != NULL, cases[i].problem);
		/* without the controller there is no memory limit to exceed */
		strict.memory = false;
		cgroup_host_check_swap(&strict, group_fd);
		assert_string_equal(strict.warning, "");
	}
}

static void test_swap_limited(void **state)
{
	struct cgroup_host host = host_with(true);
	struct error error = ERROR_INIT;

	write_file("swaps", HEADING "/dev/zram0 partition\t1048572\t0\t100\n");
	write_file("memory.swap.max", "");
	(void)snprintf(host.warning, sizeof(host.warning), "another");
	cgroup_host_check_swap(&host, group_fd);
	assert_string_equal(host.warning, "another");
	assert_int_equal(cgroup_step_limit(&host, group_fd, "memory.swap.max", 0, &error), 0);
	check_file("memory.swap.max", "0");
	(void)unlinkat(group_fd, "memory.swap.max", 0);
	cgroup_host_check_swap(&host, group_fd);
	assert_memory_equal(host.warning, "another; cannot", strlen("another; cannot"));
}

static void test_other_limits(void **state)
{
	struct cgroup_host host = host_with(false);
	struct error error = ERROR_INIT;

	write_file("cpu.max", "");
	assert_int_equal(cgroup_step_limit(&host, group_fd, "cpu.max", 150000, &error), 0);
	check_file("cpu.max", "150000 100000");
	assert_int_equal(cgroup_step_limit(&host, group_fd, "memory.max", 1, &error), -ENOENT);
	assert_non_null(strstr(error.text, "memory.max"));
}

static int setup(void **state)
{
	if (!mkdtemp(directory))
		return -1;
	(void)snprintf(swaps, sizeof(swaps), "%s/swaps", directory);
	group_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return group_fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)close(group_fd);
	return remove_tree(AT_FDCWD, directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_swap_unlimited),
		cmocka_unit_test(test_swap_limited),
		cmocka_unit_test(test_other_limits),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
