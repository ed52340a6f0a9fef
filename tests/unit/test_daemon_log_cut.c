/* SPDX-License-Identifier: Apache-2.0 */

/* Logs that are longer than their limit: only head and tail take space on the disk. */

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/remove_tree.h"
#include "daemon/log_pump.h"

#include "tests/unit/cmocka_headers.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define LIMIT (2 * MIB)

struct fixture {
	struct loop *loop;
	struct log_pump *pump;
	struct log_sink *sink;
	int log_fd, index_fd; /* our own duplicates, to look at */
	int write_fds[2];
	struct log_result result;
	atomic_bool done;
};

static void pump_done(void *userdata, const struct log_result *result)
{
	struct fixture *fixture = userdata;

	fixture->result = *result;
	fixture->done = true;
	loop_exit(fixture->loop, 0);
}

static void setup(struct fixture *fixture, void **state, uint64_t limit)
{
	const enum io_engine_kind kind = *(const enum io_engine_kind *)*state;
	struct error error = ERROR_INIT;
	int out[2], err[2];

	memset(fixture, 0, sizeof(*fixture));
	assert_int_equal(loop_new(&fixture->loop), 0);
	assert_int_equal(log_pump_new(fixture->loop, kind, &fixture->pump, &error), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	(void)fcntl(out[0], F_SETPIPE_SZ, (int)LOG_PIPE_SIZE);
	fixture->log_fd = memfd_create("log", MFD_CLOEXEC);
	fixture->index_fd = memfd_create("index", MFD_CLOEXEC);
	fixture->write_fds[0] = out[1];
	fixture->write_fds[1] = err[1];
	assert_int_equal(log_pump_open(fixture->pump, dup(fixture->log_fd), dup(fixture->index_fd),
				       out[0], err[0], wall_usec(), pump_done, fixture,
				       &fixture->sink, &error),
			 0);
	log_sink_limit(fixture->sink, limit);
}

static void teardown(struct fixture *fixture)
{
	fixture->pump = log_pump_free(fixture->pump);
	fixture->loop = loop_free(fixture->loop);
	(void)close(fixture->log_fd);
	(void)close(fixture->index_fd);
}

static uint64_t on_disk(const struct fixture *fixture)
{
	struct stat log, index;

	assert_int_equal(fstat(fixture->log_fd, &log), 0);
	assert_int_equal(fstat(fixture->index_fd, &index), 0);
	return 512ULL * (uint64_t)(log.st_blocks + index.st_blocks);
}

/* The byte that is printed at @offset. */
static char pattern(uint64_t offset)
{
	return (char)(1 + (offset * 2654435761ULL >> 7) % 250);
}

struct writer {
	int fd;
	uint64_t size;
	size_t chunk;
	pthread_t thread;
};

static void *writer_run(void *userdata)
{
	struct writer *writer = userdata;
	cleanup_free char *data = malloc(writer->chunk);

	for (uint64_t at = 0; at < writer->size;) {
		size_t n = writer->size - at < writer->chunk ? (size_t)(writer->size - at)
							     : writer->chunk;

		for (size_t i = 0; i < n; i++)
			data[i] = pattern(at + i);
		if (fd_write_all(writer->fd, data, n) < 0)
			break;
		at += n;
	}
	(void)close(writer->fd);
	return NULL;
}

static void print(struct fixture *fixture, struct writer *writer, uint64_t size, size_t chunk)
{
	*writer = (struct writer){.fd = fixture->write_fds[0], .size = size, .chunk = chunk};
	(void)close(fixture->write_fds[1]);
	assert_int_equal(pthread_create(&writer->thread, NULL, writer_run, writer), 0);
}

/* Every record outside of the hole has the offset of its chunk, and there are no gaps. */
static void check_index(const struct fixture *fixture, const struct log_cut *cut, uint64_t size)
{
	struct log_index_record record;
	uint64_t number = LOG_CUT_RECORDS;
	uint64_t expected = 0;
	off_t at;

	for (;; number++) {
		if (number == cut->first_dropped && cut->end > cut->start) {
			assert_true(expected < cut->start);
			number = cut->first_kept;
			expected = cut->end;
		}
		at = (off_t)(sizeof(struct log_index_header) + number * sizeof(record));
		if (pread(fixture->index_fd, &record, sizeof(record), at) != sizeof(record))
			break;
		if (number > LOG_CUT_RECORDS && number != cut->first_kept)
			assert_true(record.offset > expected);
		else
			assert_int_equal(record.offset, expected);
		assert_int_equal(record.time_and_stream >> LOG_STREAM_SHIFT, 1);
		expected = record.offset;
	}
	assert_true(expected < size);
}

static void check_log(const struct fixture *fixture, uint64_t size, uint64_t limit)
{
	struct log_cut cut;
	struct stat status;
	char *map;

	assert_int_equal(log_cut_read(fixture->index_fd, &cut), 0);
	assert_int_equal(cut.limit, limit);
	assert_int_equal(fstat(fixture->log_fd, &status), 0);
	assert_int_equal(status.st_size, size);
	assert_int_equal(fixture->result.bytes, size);
	assert_int_equal(fixture->result.cut, cut.end - cut.start);
	assert_int_equal(fixture->result.lost, 0);
	assert_true(cut.end > cut.start);
	assert_in_range(cut.start, limit / 8, limit / 2);
	assert_true(size - cut.end >= limit / 8);
	/* beyond the limit, only partial pages at the edges of both holes may take space */
	assert_true(on_disk(fixture) <= limit + 16 * 4096);
	map = mmap(NULL, size, PROT_READ, MAP_SHARED, fixture->log_fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	for (uint64_t i = 0; i < size; i++)
		if (map[i] != (i >= cut.start && i < cut.end ? 0 : pattern(i)))
			fail_msg("byte %llu of the log is %d", (unsigned long long)i, map[i]);
	(void)munmap(map, size);
	check_index(fixture, &cut, size);
}

static void head_and_tail(void **state)
{
	struct fixture fixture;
	struct writer writer;

	setup(&fixture, state, LIMIT);
	print(&fixture, &writer, 64 * MIB, 65536);
	assert_int_equal(loop_run(fixture.loop), 0);
	(void)pthread_join(writer.thread, NULL);
	check_log(&fixture, 64 * MIB, LIMIT);
	teardown(&fixture);
}

/* With small chunks the index would be longer than the log. */
static void small_chunks(void **state)
{
	struct fixture fixture;
	struct writer writer;

	setup(&fixture, state, LOG_LIMIT_MIN);
	/* a small pipe is not throttled, so there is a chunk for every few writes */
	(void)fcntl(fixture.write_fds[0], F_SETPIPE_SZ, 4096);
	print(&fixture, &writer, 4 * MIB, 16);
	assert_int_equal(loop_run(fixture.loop), 0);
	(void)pthread_join(writer.thread, NULL);
	check_log(&fixture, 4 * MIB, LOG_LIMIT_MIN);
	teardown(&fixture);
}

static void short_enough(void **state)
{
	struct fixture fixture;
	struct writer writer;
	struct log_cut cut;

	setup(&fixture, state, LIMIT);
	print(&fixture, &writer, LIMIT - 64 * KIB, 65536);
	assert_int_equal(loop_run(fixture.loop), 0);
	(void)pthread_join(writer.thread, NULL);
	assert_int_equal(fixture.result.cut, 0);
	assert_int_equal(log_cut_read(fixture.index_fd, &cut), 0);
	assert_int_equal(cut.end, cut.start);
	check_index(&fixture, &cut, LIMIT);
	teardown(&fixture);
}

struct reader {
	const struct fixture *fixture;
	uint64_t seen, skipped;
	bool wrong, over;
	pthread_t thread;
};

/*
 * Follow the log as common/log_cut.h describes, slower than it grows: no byte of the hole may be
 * taken for output.
 */
static void *reader_run(void *userdata)
{
	struct reader *reader = userdata;
	const struct fixture *fixture = reader->fixture;
	uint64_t offset = 0;
	char data[8192];

	for (;;) {
		bool last = fixture->done;
		struct log_cut cut;
		ssize_t n;

		if (on_disk(fixture) > LIMIT + 16 * 4096)
			reader->over = true;
		if (log_cut_read(fixture->index_fd, &cut) < 0)
			continue;
		n = pread(fixture->log_fd, data, sizeof(data), (off_t)offset);
		if (log_cut_read(fixture->index_fd, &cut) < 0)
			continue;
		if (offset >= cut.start && offset < cut.end) {
			reader->skipped += cut.end - offset;
			offset = cut.end;
			continue;
		}
		if (n <= 0 && last)
			return NULL;
		if (n > 0 && offset < cut.start && offset + (uint64_t)n > cut.start)
			n = (ssize_t)(cut.start - offset);
		for (ssize_t i = 0; i < n; i++)
			reader->wrong = reader->wrong || data[i] != pattern(offset + (uint64_t)i);
		if (n > 0) {
			offset += (uint64_t)n;
			reader->seen += (uint64_t)n;
		}
	}
}

static void followed(void **state)
{
	struct fixture fixture;
	struct writer writer;
	struct reader reader = {.fixture = &fixture};

	setup(&fixture, state, LIMIT);
	assert_int_equal(pthread_create(&reader.thread, NULL, reader_run, &reader), 0);
	print(&fixture, &writer, 128 * MIB, 65536);
	assert_int_equal(loop_run(fixture.loop), 0);
	(void)pthread_join(writer.thread, NULL);
	(void)pthread_join(reader.thread, NULL);
	assert_false(reader.wrong);
	assert_false(reader.over);
	assert_int_equal(reader.seen + reader.skipped, 128 * MIB);
	check_log(&fixture, 128 * MIB, LIMIT);
	teardown(&fixture);
}

/* ---- what all logs may take ---- */

static struct log_quota_limits quota_limits;
static uint64_t own_limit; /* of project "own" */

static struct log_quota_limits limits_of(const void *userdata, const char *project)
{
	struct log_quota_limits limits = quota_limits;

	if (project)
		limits.each = strcmp(project, "own") == 0 ? own_limit : 0;
	return limits;
}

static void write_log(const char *root, const char *path, size_t size)
{
	cleanup_free char *data = calloc(1, size);
	char full[128];
	cleanup_close int fd = -1;

	(void)snprintf(full, sizeof(full), "%s/%s", root, path);
	*strrchr(full, '/') = '\0';
	assert_int_equal(make_directories(AT_FDCWD, full, 0755), 0);
	full[strlen(full)] = '/';
	fd = open(full, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	memset(data, 'x', size);
	assert_int_equal(fd_write_all(fd, data, size), 0);
	assert_int_equal(fsync(fd), 0);
}

static void quota_counts(void **state)
{
	char root[] = "/var/tmp/rbt-quota.XXXXXX";
	struct log_quota *quota;
	struct log_share *demo, *own;
	struct loop *loop;
	char path[64];

	assert_non_null(mkdtemp(root));
	assert_int_equal(loop_new(&loop), 0);
	write_log(root, "demo/1/a.1.log", 3 * MIB);
	write_log(root, "demo/2/a.1.log", 1 * MIB);
	write_log(root, "own/3/a.1.log", 2 * MIB);
	quota_limits = (struct log_quota_limits){.all = 0};
	quota = log_quota_new(loop, root, limits_of, NULL);
	assert_non_null(quota);
	demo = log_quota_share(quota, "demo");
	own = log_quota_share(quota, "own");
	assert_ptr_equal(log_quota_share(quota, "own"), own);
	log_quota_walk(quota);
	assert_false(log_share_full(demo, GIB)); /* no limit */
	quota_limits.each = 5 * MIB;
	log_quota_walk(quota);
	assert_false(log_share_full(demo, MIB - 64 * KIB));
	assert_true(log_share_full(demo, MIB + 1));
	own_limit = 8 * MIB;
	log_quota_walk(quota);
	assert_false(log_share_full(own, 6 * MIB - 64 * KIB));
	assert_true(log_share_full(own, 6 * MIB + 1));
	/* written bytes count at once */
	log_share_grow(demo, MIB);
	assert_true(log_share_full(demo, 1));
	log_share_grow(demo, -(int64_t)MIB);
	assert_false(log_share_full(demo, 1));
	/* the limit of all projects */
	quota_limits.all = 7 * MIB;
	log_quota_walk(quota);
	assert_true(log_share_full(own, MIB + 1));
	/* a walk notices removed logs, and a project that was removed takes no space */
	(void)snprintf(path, sizeof(path), "%s/demo/1/a.1.log", root);
	assert_int_equal(unlink(path), 0);
	log_quota_walk(quota);
	log_quota_walk(quota);
	assert_false(log_share_full(demo, 3 * MIB));
	assert_false(log_share_full(own, 3 * MIB));
	log_share_grow(demo, -(int64_t)GIB); /* never below nothing */
	assert_false(log_share_full(demo, 5 * MIB));
	assert_true(log_share_full(demo, 5 * MIB + 1));
	(void)log_quota_free(quota);
	(void)loop_free(loop);
	assert_int_equal(remove_tree(AT_FDCWD, root), 0);
}

/* A project is at its limit: a log of it is cut to LOG_LIMIT_MIN, which each log may have. */
static void quota_cuts(void **state)
{
	struct fixture fixture;
	struct writer writer;
	struct log_quota *quota;
	struct log_cut cut;

	quota_limits = (struct log_quota_limits){.each = 4 * MIB};
	setup(&fixture, state, 64 * MIB);
	quota = log_quota_new(fixture.loop, "/nonexistent", limits_of, NULL);
	log_quota_walk(quota);
	log_sink_share(fixture.sink, log_quota_share(quota, "demo"));
	print(&fixture, &writer, 32 * MIB, 65536);
	assert_int_equal(loop_run(fixture.loop), 0);
	(void)pthread_join(writer.thread, NULL);
	assert_true(on_disk(&fixture) <= 4 * MIB + 16 * 4096);
	assert_true(fixture.result.cut >= 28 * MIB - 64 * KIB);
	assert_int_equal(fixture.result.lost, 0);
	assert_int_equal(log_cut_read(fixture.index_fd, &cut), 0);
	check_index(&fixture, &cut, 32 * MIB);
	(void)log_quota_free(quota);
	teardown(&fixture);
}

static void text_of_the_hole(void **state)
{
	const struct log_cut cut = {.start = 100, .end = 1100};
	char text[LOG_CUT_TEXT_MAX];
	size_t n = log_cut_text(&cut, text);

	assert_int_equal(n, strlen(text));
	assert_non_null(strstr(text, "\n[runbookd: 1000 bytes are missing here"));
	assert_int_equal(text[n - 1], '\n');
}

/* Files that are not valid indexes, each for another reason. */
static void broken_index(void **state)
{
	struct log_cut cut = {.start = 100, .end = 1100, .first_dropped = 4, .first_kept = 9};
	struct log_index_header header = {LOG_INDEX_MAGIC, LOG_INDEX_VERSION, 1};
	struct log_cut read;
	int fd = memfd_create("index", MFD_CLOEXEC);

	assert_int_equal(log_cut_read(fd, &read), -EBADMSG);
	assert_int_equal(pwrite(fd, &header, sizeof(header), 0), sizeof(header));
	assert_int_equal(log_cut_read(fd, &read), -EBADMSG); /* without its records */
	assert_int_equal(log_cut_write(fd, &cut), 0);
	assert_int_equal(log_cut_read(fd, &read), 0);
	assert_int_equal(read.end, 1100);
	assert_int_equal(read.first_kept, 9);
	cut.end = UINT64_MAX;
	assert_int_equal(log_cut_write(fd, &cut), 0);
	assert_int_equal(log_cut_read(fd, &read), -EBADMSG);
	header.version = LOG_INDEX_VERSION_PLAIN;
	assert_int_equal(pwrite(fd, &header, sizeof(header), 0), sizeof(header));
	assert_int_equal(log_cut_read(fd, &read), 0);
	assert_int_equal(read.end, 0);
	header.version = 3;
	assert_int_equal(pwrite(fd, &header, sizeof(header), 0), sizeof(header));
	assert_int_equal(log_cut_read(fd, &read), -EBADMSG);
	(void)close(fd);
}

int main(void)
{
	static enum io_engine_kind kinds[] = {IO_ENGINE_URING, IO_ENGINE_EPOLL};
	int failed = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct CMUnitTest tests[] = {
			cmocka_unit_test_prestate(head_and_tail, &kinds[i]),
			cmocka_unit_test_prestate(small_chunks, &kinds[i]),
			cmocka_unit_test_prestate(short_enough, &kinds[i]),
			cmocka_unit_test_prestate(followed, &kinds[i]),
			cmocka_unit_test_prestate(quota_counts, &kinds[i]),
			cmocka_unit_test_prestate(quota_cuts, &kinds[i]),
			cmocka_unit_test_prestate(text_of_the_hole, &kinds[i]),
			cmocka_unit_test_prestate(broken_index, &kinds[i]),
		};

		failed += cmocka_run_group_tests_name(i == 0 ? "io_uring" : "epoll", tests, NULL,
						      NULL);
	}
	return failed;
}
