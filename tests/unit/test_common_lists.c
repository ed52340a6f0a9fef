/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of names from another process: malformed ones are errors. */
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/name_list.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/cmocka_headers.h"

static int read_list(const char *data, size_t size, struct name_list *list)
{
	cleanup_close int fd = memfd_sealed("list", data, size);

	assert_true(fd >= 0);
	return name_list_read(fd, 10000, 3, list);
}

static void test_good(void **state)
{
	static const char names[] = "a\0b\nc\0\xff\xfe";
	struct name_list list;

	assert_int_equal(read_list(names, sizeof(names), &list), 0);
	assert_int_equal(list.n_items, 3);
	assert_string_equal(list.items[0], "a");
	assert_string_equal(list.items[1], "b\nc");
	assert_string_equal(list.items[2], "\xff\xfe");
	name_list_clear(&list);
	assert_int_equal(read_list("", 0, &list), 0);
	assert_int_equal(list.n_items, 0);
	name_list_clear(&list);
}

static void test_read_twice(void **state)
{
	cleanup_close int fd = memfd_sealed("list", "x", 2);
	struct name_list list;

	/* all processes with the descriptor share the offset, which must not matter */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(name_list_read(fd, 100, 10, &list), 0);
		assert_int_equal(list.n_items, 1);
		name_list_clear(&list);
		assert_int_equal(lseek(fd, 1, SEEK_SET), 1);
	}
}

static void test_bad(void **state)
{
	static char large[PATH_MAX + 1];
	struct name_list list;
	int fds[2];

	assert_int_equal(read_list("a\0b", 3, &list), -EBADMSG);     /* not terminated */
	assert_int_equal(read_list("a\0\0b", 5, &list), -EBADMSG);   /* an empty name */
	assert_int_equal(read_list("a\0b\0c\0d", 8, &list), -E2BIG); /* too many */
	memset(large, 'x', PATH_MAX);
	assert_int_equal(read_list(large, sizeof(large), &list), -EBADMSG); /* too long */
	assert_null(list.text);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(name_list_read(fds[0], 100, 10, &list), -EBADMSG);
	assert_int_equal(name_list_read(-1, 100, 10, &list), -EBADMSG);
	close(fds[0]);
	close(fds[1]);
	fds[0] = memfd_sealed("list", "abc", 4);
	assert_int_equal(name_list_read(fds[0], 3, 10, &list), -EFBIG);
	close(fds[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_read_twice),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
