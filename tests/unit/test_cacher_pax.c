/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/cmocka_headers.h"

/* no library has the client, so its files are compiled in here */
#include "cacher/client_pax_read.c"
#include "cacher/client_pax_write.c"
#include "cacher/client_sparse.c"

#include "common/fdio.h"
#include "common/remove_tree.h"

#include <sys/mman.h>

struct fixture {
	char path[64];
	int dir_fd, archive_fd;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	strcpy(fixture->path, "/tmp/rbt-pax.XXXXXX");
	assert_non_null(mkdtemp(fixture->path));
	fixture->dir_fd = open(fixture->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(fixture->dir_fd, "in", 0755), 0);
	assert_int_equal(mkdirat(fixture->dir_fd, "out", 0755), 0);
	fixture->archive_fd = memfd_create("archive", MFD_CLOEXEC);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	close(fixture->archive_fd);
	close(fixture->dir_fd);
	assert_int_equal(remove_tree(AT_FDCWD, fixture->path), 0);
	free(fixture);
	return 0;
}

static int archive_sink(void *userdata, const void *data, size_t size)
{
	return fd_write_all(*(int *)userdata, data, size);
}

static int unpack(struct fixture *fixture, struct error *error)
{
	cleanup_close int out = openat(fixture->dir_fd, "out", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(lseek(fixture->archive_fd, 0, SEEK_SET) == 0);
	return pax_read_directory(fixture->archive_fd, out, error);
}

/* Write an entry that our own client would not write. */
static void hostile_entry(struct fixture *fixture, char type, const char *path, const char *link,
			  uint64_t size, const char *content)
{
	struct error error = ERROR_INIT;
	struct writer writer = {.sink = archive_sink,
				.userdata = &fixture->archive_fd,
				.error = &error,
				.name = "test"};

	assert_int_equal(write_header(&writer, type, path, link, size, 0644, 0), 0);
	if (content) {
		assert_int_equal(archive_sink(writer.userdata, content, strlen(content)), 0);
		assert_int_equal(sink_padding(&writer, strlen(content)), 0);
	}
}

static void hostile_end(struct fixture *fixture)
{
	static const char zeros[1024];

	assert_int_equal(archive_sink(&fixture->archive_fd, zeros, sizeof(zeros)), 0);
}

static void expect_refused(struct fixture *fixture)
{
	struct error error = ERROR_INIT;
	struct stat status;

	hostile_end(fixture);
	assert_true(unpack(fixture, &error) < 0);
	assert_true(error.number != 0 && error.text[0]);
	assert_int_equal(fstatat(fixture->dir_fd, "escaped", &status, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(ftruncate(fixture->archive_fd, 0), 0);
	assert_int_equal(remove_tree(fixture->dir_fd, "out"), 0);
	assert_int_equal(mkdirat(fixture->dir_fd, "out", 0755), 0);
	assert_true(lseek(fixture->archive_fd, 0, SEEK_SET) == 0);
}

static void test_climbing_names(void **state)
{
	static const char *const names[] = {"../escaped", "a/../../escaped", "..",   "/tmp/escaped",
					    "",		  "./../escaped",    "a/..", "//escaped"};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		hostile_entry(fixture, '0', names[i], "", 1, "x");
		expect_refused(fixture);
	}
}

static void test_links_out(void **state)
{
	struct fixture *fixture = *state;

	/* a file through a symbolic link of the archive */
	hostile_entry(fixture, '2', "link", "..", 0, NULL);
	hostile_entry(fixture, '0', "link/escaped", "", 1, "x");
	expect_refused(fixture);
	hostile_entry(fixture, '2', "link", "/", 0, NULL);
	hostile_entry(fixture, '5', "link/escaped", "", 0, NULL);
	expect_refused(fixture);
	/* hard links to files outside */
	hostile_entry(fixture, '1', "hard", "/etc/passwd", 0, NULL);
	expect_refused(fixture);
	hostile_entry(fixture, '1', "hard", "../in", 0, NULL);
	expect_refused(fixture);
	hostile_entry(fixture, '2', "link", "/etc", 0, NULL);
	hostile_entry(fixture, '1', "hard", "link/passwd", 0, NULL);
	expect_refused(fixture);
	/* over an existing file, in particular a link */
	hostile_entry(fixture, '2', "twice", "../escaped", 0, NULL);
	hostile_entry(fixture, '0', "twice", "", 1, "x");
	expect_refused(fixture);
	hostile_entry(fixture, '0', "twice", "", 1, "x");
	hostile_entry(fixture, '0', "twice", "", 1, "y");
	expect_refused(fixture);
}

static void test_odd_entries(void **state)
{
	struct fixture *fixture = *state;

	for (const char *type = "346SLKDMVX"; *type; type++) {
		hostile_entry(fixture, *type, "node", "", 0, NULL);
		expect_refused(fixture);
	}
	hostile_entry(fixture, '0', "short", "", 100000, "too little");
	expect_refused(fixture);
	hostile_entry(fixture, '0', "huge", "", 077777777777ULL, "x");
	expect_refused(fixture);
	hostile_entry(fixture, 'x', "PaxHeader", "", PAX_HEADER_MAX + 1, "x");
	expect_refused(fixture);
}

static void test_extended_headers(void **state)
{
	static const char *const bad[] = {
		"5 path=a\n",  /* length too small for itself */
		"99 path=a\n", /* longer than the header */
		"0 path=a\n",
		"path=a\n",
		"-1 path=a\n",
		"11 path=ab",
		"9 path a\n",
		"17 size=-1234567\n",
		"32 size=99999999999999999999999\n",
		"14 mtime=1,50\n",
		"99999999999999999999 path=a\n",
	};
	struct fixture *fixture = *state;
	struct entry entry;
	unsigned set;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		memset(&entry, 0, sizeof(entry));
		set = 0;
		assert_true(parse_extended(&entry, &set, bad[i], strlen(bad[i])) < 0);
		hostile_entry(fixture, 'x', "PaxHeader", "", strlen(bad[i]), bad[i]);
		hostile_entry(fixture, '0', "file", "", 1, "x");
		expect_refused(fixture);
	}
	set = 0;
	assert_int_equal(parse_extended(&entry, &set, "10 path=a\n17 mtime=-1.25\n", 10), 0);
	hostile_entry(fixture, 'x', "PaxHeader", "", 19, "19 path=../escaped\n");
	hostile_entry(fixture, '0', "file", "", 1, "x");
	expect_refused(fixture);
}

static void test_times(void **state)
{
	struct timespec time;

	assert_int_equal(parse_time("12.5", 4, &time), 0);
	assert_int_equal(time.tv_sec, 12);
	assert_int_equal(time.tv_nsec, 500000000);
	assert_int_equal(parse_time("-12.25", 6, &time), 0);
	assert_int_equal(time.tv_sec, -13);
	assert_int_equal(time.tv_nsec, 750000000);
	assert_int_equal(parse_time("7.1234567891234", 15, &time), 0);
	assert_int_equal(time.tv_nsec, 123456789);
	assert_true(parse_time("", 0, &time) < 0);
	assert_true(parse_time("-", 1, &time) < 0);
	assert_true(parse_time("1.x", 3, &time) < 0);
}

/* Every prefix of a good archive is refused, without harm. */
static void test_truncated(void **state)
{
	struct fixture *fixture = *state;
	cleanup_close int in = openat(fixture->dir_fd, "in", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int file = openat(in, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	struct error error = ERROR_INIT;
	off_t size;

	assert_int_equal(fd_write_all(file, "contents", 8), 0);
	assert_int_equal(symlinkat("file", in, "link"), 0);
	assert_int_equal(mkdirat(in, "sub", 0700), 0);
	assert_int_equal(pax_write_directory(in, "in", archive_sink, &fixture->archive_fd, &error),
			 0);
	size = lseek(fixture->archive_fd, 0, SEEK_CUR);
	assert_true(size % PAX_BLOCK == 0);
	assert_int_equal(unpack(fixture, &error), 0);
	for (off_t cut = size - 2 * PAX_BLOCK - 1; cut >= 0; cut -= 100) {
		assert_int_equal(remove_tree(fixture->dir_fd, "out"), 0);
		assert_int_equal(mkdirat(fixture->dir_fd, "out", 0755), 0);
		assert_int_equal(ftruncate(fixture->archive_fd, cut), 0);
		assert_true(unpack(fixture, &error) < 0);
	}
}

static int failing_sink(void *userdata, const void *data, size_t size)
{
	return -EPIPE;
}

static void test_writer_errors(void **state)
{
	struct fixture *fixture = *state;
	cleanup_close int in = openat(fixture->dir_fd, "in", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct error error = ERROR_INIT;

	assert_int_equal(pax_write_directory(in, "in", failing_sink, NULL, &error), -EPIPE);
	assert_int_equal(error.number, 0);
	assert_int_equal(mkfifoat(in, "fifo", 0644), 0);
	assert_int_equal(pax_write_directory(in, "in", archive_sink, &fixture->archive_fd, &error),
			 -EINVAL);
	assert_non_null(strstr(error.text, "in/fifo"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_climbing_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_links_out, setup, teardown),
		cmocka_unit_test_setup_teardown(test_odd_entries, setup, teardown),
		cmocka_unit_test_setup_teardown(test_extended_headers, setup, teardown),
		cmocka_unit_test(test_times),
		cmocka_unit_test_setup_teardown(test_truncated, setup, teardown),
		cmocka_unit_test_setup_teardown(test_writer_errors, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
