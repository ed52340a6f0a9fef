/* SPDX-License-Identifier: Apache-2.0 */

/* Logs and indexes that a crash cut off at any byte, and the register that names them. */

#include "tests/unit/cmocka_headers.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/remove_tree.h"
#include "daemon/log_pump.h"
#include "daemon/log_register.h"
#include "daemon/log_repair.h"
#include "daemon/step.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNKS 5
#define CHUNK 7 /* bytes */
#define LOG_SIZE (CHUNKS * CHUNK)
#define INDEX_SIZE (sizeof(struct log_index_header) + CHUNKS * sizeof(struct log_index_record))

static struct {
	char path[64];
	int dir_fd;
	char log[LOG_SIZE];
	struct {
		struct log_index_header header;
		struct log_index_record records[CHUNKS];
	} index;
} fixture;

static int setup(void **state)
{
	(void)snprintf(fixture.path, sizeof(fixture.path), "/tmp/rbtest-repair-XXXXXX");
	assert_non_null(mkdtemp(fixture.path));
	fixture.dir_fd = open(fixture.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fixture.dir_fd >= 0);
	memset(fixture.log, 'x', sizeof(fixture.log));
	fixture.index.header =
		(struct log_index_header){LOG_INDEX_MAGIC, LOG_INDEX_VERSION_PLAIN, 1000};
	for (size_t i = 0; i < CHUNKS; i++)
		fixture.index.records[i] =
			(struct log_index_record){i * CHUNK, (1 + i % 2) << LOG_STREAM_SHIFT | i};
	return 0;
}

static int teardown(void **state)
{
	(void)close(fixture.dir_fd);
	assert_int_equal(remove_tree(AT_FDCWD, fixture.path), 0);
	return 0;
}

static void put_file(const char *name, const void *data, size_t size)
{
	cleanup_close int fd =
		openat(fixture.dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, data, size), 0);
}

static size_t get_file(const char *name, void *data, size_t room)
{
	cleanup_close int fd = openat(fixture.dir_fd, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	assert_true(fd >= 0);
	n = fd_read_all(fd, data, room);
	assert_true(n >= 0);
	return (size_t)n;
}

static int repair(bool power_cut, struct log_repaired *repaired)
{
	struct error error = ERROR_INIT;
	int r = log_repair(fixture.dir_fd, "a.1", power_cut, repaired, &error);

	assert_true(r >= 0);
	return r;
}

/* Check what is true after every repair. */
static void check_repaired(size_t log_size)
{
	char log[LOG_SIZE * 2];
	struct log_repaired repaired;
	struct {
		struct log_index_header header;
		struct log_index_record records[CHUNKS + LOG_CUT_RECORDS + 1];
	} index;
	size_t size = get_file("a.1.idx", &index, sizeof(index));
	size_t n = (size - sizeof(index.header)) / sizeof(index.records[0]);
	/* an index that was made anew has the records of a hole, and no hole */
	size_t skip = index.header.version == LOG_INDEX_VERSION ? LOG_CUT_RECORDS : 0;

	assert_int_equal(get_file("a.1.log", log, sizeof(log)), log_size);
	assert_memory_equal(log, fixture.log, log_size);
	assert_int_equal((size - sizeof(index.header)) % sizeof(index.records[0]), 0);
	assert_int_equal(index.header.magic, LOG_INDEX_MAGIC);
	assert_int_equal(n > skip, log_size > 0);
	for (size_t i = 0; i < skip; i++)
		assert_int_equal(index.records[i].offset, 0);
	for (size_t i = skip; i < n; i++) {
		assert_true(index.records[i].offset < log_size);
		assert_true(i == skip ? index.records[i].offset == 0
				      : index.records[i].offset > index.records[i - 1].offset);
	}
	assert_int_equal(repair(true, &repaired), 0); /* a second repair has nothing to do */
}

static void every_cut(void **state)
{
	for (size_t log_size = 0; log_size <= LOG_SIZE; log_size++) {
		for (size_t index_size = 0; index_size <= INDEX_SIZE; index_size++) {
			struct log_index_record kept[CHUNKS];
			size_t whole = index_size < sizeof(struct log_index_header)
					       ? 0
					       : (index_size - sizeof(struct log_index_header)) /
							 sizeof(struct log_index_record);
			struct log_repaired repaired;

			put_file("a.1.log", fixture.log, log_size);
			put_file("a.1.idx", &fixture.index, index_size);
			(void)repair(log_size % 2 == 0, &repaired);
			assert_int_equal(repaired.zeroes, 0);
			check_repaired(log_size);
			/* records that were valid are still there */
			if (whole > (log_size + CHUNK - 1) / CHUNK)
				whole = (log_size + CHUNK - 1) / CHUNK;
			if (whole == 0)
				continue;
			assert_int_equal(repaired.index_made, false);
			{
				cleanup_close int fd =
					openat(fixture.dir_fd, "a.1.idx", O_RDONLY | O_CLOEXEC);

				assert_int_equal(pread(fd, kept, sizeof(kept),
						       sizeof(struct log_index_header)),
						 whole * sizeof(kept[0]));
			}
			assert_memory_equal(kept, fixture.index.records, whole * sizeof(kept[0]));
		}
	}
}

static void right_ones_stay(void **state)
{
	struct log_repaired repaired;
	struct stat before, after;

	put_file("a.1.log", fixture.log, LOG_SIZE);
	put_file("a.1.idx", &fixture.index, INDEX_SIZE);
	assert_int_equal(fstatat(fixture.dir_fd, "a.1.idx", &before, 0), 0);
	assert_int_equal(repair(true, &repaired), 0);
	assert_int_equal(fstatat(fixture.dir_fd, "a.1.idx", &after, 0), 0);
	assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof(before.st_mtim));
}

static void zeroes_at_the_end(void **state)
{
	static char big[200000];
	struct log_repaired repaired;
	char log[LOG_SIZE + 10] = "";

	memcpy(log, fixture.log, LOG_SIZE);
	put_file("a.1.log", log, LOG_SIZE + 10);
	put_file("a.1.idx", &fixture.index, INDEX_SIZE);
	assert_int_equal(repair(false, &repaired), 0); /* printed by the step itself */
	assert_int_equal(repair(true, &repaired), 1);
	assert_int_equal(repaired.zeroes, 10);
	check_repaired(LOG_SIZE);
	/* zeroes of several blocks */
	big[0] = 'x';
	put_file("a.1.log", big, sizeof(big));
	assert_int_equal(repair(true, &repaired), 1);
	assert_int_equal(repaired.zeroes, sizeof(big) - 1);
	check_repaired(1);
	/* only zeroes: the log becomes empty, and so does its index */
	put_file("a.1.log", big + 1, sizeof(big) - 1);
	assert_int_equal(repair(true, &repaired), 1);
	check_repaired(0);
}

/* ---- logs that were cut ---- */

#define BLOCK 65536U /* of the file system, or more */
#define CUT_SIZE (6 * (uint64_t)BLOCK)

static const struct log_index_record cut_records[] = {
	{0, 1ULL << LOG_STREAM_SHIFT},	       /* 3 */
	{BLOCK / 2, 1ULL << LOG_STREAM_SHIFT}, /* 4: the head ends behind it */
	{0, 0},				       /* 5 to 7: within the hole */
	{0, 0},
	{0, 0},
	{4 * BLOCK, 2ULL << LOG_STREAM_SHIFT}, /* 8 */
	{5 * BLOCK, 1ULL << LOG_STREAM_SHIFT}, /* 9 */
};

/* Make a log with head and tail of 'x' around a hole, and an index in which @cut is noted. */
static void put_cut(const struct log_cut *cut)
{
	static char block[2 * BLOCK];
	struct {
		struct log_index_header header;
		struct log_index_record cut[LOG_CUT_RECORDS];
		struct log_index_record records[ARRAY_SIZE(cut_records)];
	} index = {.header = {LOG_INDEX_MAGIC, LOG_INDEX_VERSION, 1000}};

	log_cut_records(cut, index.cut);
	memcpy(index.records, cut_records, sizeof(cut_records));
	memset(block, 'x', sizeof(block));
	put_file("a.1.log", block, BLOCK);
	{
		cleanup_close int fd = openat(fixture.dir_fd, "a.1.log", O_WRONLY | O_CLOEXEC);

		assert_int_equal(pwrite(fd, block, sizeof(block), 4 * BLOCK), sizeof(block));
	}
	put_file("a.1.idx", &index, sizeof(index));
}

static struct log_cut get_cut(void)
{
	cleanup_close int fd = openat(fixture.dir_fd, "a.1.idx", O_RDONLY | O_CLOEXEC);
	struct log_cut cut;

	assert_int_equal(log_cut_read(fd, &cut), 0);
	return cut;
}

static void cut_ones_stay(void **state)
{
	const struct log_cut right = {BLOCK, 4 * BLOCK, 5, 8, 1000000, LOG_INDEX_VERSION};
	struct log_repaired repaired;
	struct log_cut cut;
	struct stat st;

	put_cut(&right);
	assert_int_equal(repair(false, &repaired), 0);
	assert_int_equal(repair(true, &repaired), 0);
	cut = get_cut();
	assert_int_equal(cut.start, right.start);
	assert_int_equal(cut.end, right.end);
	assert_int_equal(cut.first_dropped, right.first_dropped);
	assert_int_equal(cut.first_kept, right.first_kept);
	assert_int_equal(cut.limit, right.limit);
	assert_int_equal(fstatat(fixture.dir_fd, "a.1.log", &st, 0), 0);
	assert_int_equal(st.st_size, CUT_SIZE);
	assert_true(st.st_blocks * 512 < (off_t)CUT_SIZE); /* the hole was not filled */
	assert_int_equal(fstatat(fixture.dir_fd, "a.1.idx", &st, 0), 0);
	assert_int_equal(st.st_size, 16 * (1 + LOG_CUT_RECORDS + ARRAY_SIZE(cut_records)));
}

/* The hole reached the disk, but its note in the index did not, or only an earlier one. */
static void cut_is_found(void **state)
{
	const struct log_cut noted[] = {
		{0, 0, 0, 0, 1000000, LOG_INDEX_VERSION},
		{BLOCK, 2 * BLOCK, 5, 6, 1000000, LOG_INDEX_VERSION},
	};
	struct log_repaired repaired;

	for (size_t i = 0; i < ARRAY_SIZE(noted); i++) {
		struct log_cut cut;

		put_cut(&noted[i]);
		assert_int_equal(repair(true, &repaired), 1);
		cut = get_cut();
		assert_int_equal(cut.start, BLOCK);
		assert_int_equal(cut.end, 4 * BLOCK);
		assert_int_equal(cut.limit, 1000000);
		assert_int_equal(repair(true, &repaired), 0);
	}
	/* nothing of the index reached the disk */
	put_cut(&noted[0]);
	put_file("a.1.idx", "", 0);
	assert_int_equal(repair(true, &repaired), 1);
	assert_true(repaired.index_made);
	assert_int_equal(get_cut().start, BLOCK);
	assert_int_equal(get_cut().end, 4 * BLOCK);
}

/* The noted hole is beyond the end of the log as it reached the disk. */
static void cut_is_clipped(void **state)
{
	const struct log_cut noted = {BLOCK, 4 * BLOCK, 5, 8, 1000000, LOG_INDEX_VERSION};
	struct log_repaired repaired;

	put_cut(&noted);
	{
		cleanup_close int fd = openat(fixture.dir_fd, "a.1.log", O_WRONLY | O_CLOEXEC);

		assert_int_equal(ftruncate(fd, BLOCK), 0);
	}
	assert_int_equal(repair(false, &repaired), 1);
	assert_int_equal(get_cut().start, BLOCK);
	assert_int_equal(get_cut().end, BLOCK);
	assert_int_equal(repaired.index_dropped, 5 * sizeof(struct log_index_record));
	assert_int_equal(repair(true, &repaired), 0);
}

/* An index that ends between two bytes of a record that the hole has dropped. */
static void cut_index_is_torn(void **state)
{
	const struct log_cut noted = {BLOCK, 4 * BLOCK, 5, 8, 1000000, LOG_INDEX_VERSION};
	const off_t torn = 16 * (1 + 6) + 8;
	struct log_repaired repaired;
	struct stat st;

	put_cut(&noted);
	{
		cleanup_close int fd = openat(fixture.dir_fd, "a.1.idx", O_WRONLY | O_CLOEXEC);

		assert_int_equal(ftruncate(fd, torn), 0);
	}
	assert_int_equal(repair(false, &repaired), 1);
	assert_int_equal(repaired.index_dropped, 8);
	assert_int_equal(fstatat(fixture.dir_fd, "a.1.idx", &st, 0), 0);
	assert_int_equal(st.st_size, torn - 8);
	assert_int_equal(get_cut().end, noted.end);
	assert_int_equal(repair(true, &repaired), 0);
}

/* The noted hole is empty or not valid: only a hole in the file itself counts. */
static void cut_is_noted_elsewhere(void **state)
{
	const struct log_cut noted[] = {
		{5 * BLOCK, 5 * BLOCK, 5, 8, 1000000, LOG_INDEX_VERSION},
		{9 * BLOCK, 9 * BLOCK, 5, 8, 1000000, LOG_INDEX_VERSION},
		{5 * BLOCK, 4 * BLOCK, 5, 8, 1000000, LOG_INDEX_VERSION},
	};
	struct log_repaired repaired;

	for (size_t i = 0; i < ARRAY_SIZE(noted); i++) {
		put_cut(&noted[i]);
		assert_int_equal(repair(true, &repaired), 1);
		assert_int_equal(get_cut().start, BLOCK);
		assert_int_equal(get_cut().end, 4 * BLOCK);
		assert_int_equal(repaired.index_dropped, 0);
		assert_int_equal(repair(true, &repaired), 0);
	}
}

/* A cut with record numbers beyond the size of any file: the index is not valid. */
static void cut_of_far_records(void **state)
{
	const struct log_cut noted = {BLOCK, 4 * BLOCK, 1ULL << 61, 0, 1000000, LOG_INDEX_VERSION};
	struct log_repaired repaired;

	put_cut(&noted);
	assert_int_equal(repair(true, &repaired), 1);
	assert_true(repaired.index_made);
	assert_int_equal(get_cut().start, BLOCK);
	assert_int_equal(get_cut().end, 4 * BLOCK);
	assert_int_equal(repair(true, &repaired), 0);
}

static void records_that_are_wrong(void **state)
{
	static const struct log_index_record wrong[] = {
		{0, 0},				       /* zeroes of a power cut */
		{3 * CHUNK, 0},			       /* no stream */
		{3 * CHUNK, 3ULL << LOG_STREAM_SHIFT}, /* nor this */
		{CHUNK, 1ULL << LOG_STREAM_SHIFT},     /* backwards */
		{LOG_SIZE, 1ULL << LOG_STREAM_SHIFT},  /* behind the end */
	};
	struct log_repaired repaired;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct log_index_record saved = fixture.index.records[3];

		fixture.index.records[3] = wrong[i];
		put_file("a.1.log", fixture.log, LOG_SIZE);
		put_file("a.1.idx", &fixture.index, INDEX_SIZE);
		fixture.index.records[3] = saved;
		assert_int_equal(repair(false, &repaired), 1);
		assert_int_equal(repaired.index_dropped, 2 * sizeof(saved));
		check_repaired(LOG_SIZE);
	}
}

static void files_that_are_not_there(void **state)
{
	struct error error = ERROR_INIT;
	struct log_repaired repaired;
	struct stat st;

	assert_int_equal(repair(true, &repaired), 0); /* no log: nothing is made */
	assert_int_equal(fstatat(fixture.dir_fd, "a.1.idx", &st, 0), -1);
	put_file("a.1.log", fixture.log, LOG_SIZE);
	assert_int_equal(repair(true, &repaired), 1);
	assert_true(repaired.index_made);
	check_repaired(LOG_SIZE);
	assert_int_equal(unlinkat(fixture.dir_fd, "a.1.log", 0), 0);
	assert_int_equal(symlinkat("/etc/passwd", fixture.dir_fd, "a.1.log"), 0);
	assert_int_equal(log_repair(fixture.dir_fd, "a.1", true, &repaired, &error), -ELOOP);
}

/* ---- the register ---- */

static struct log_register *open_register(const struct paths *paths)
{
	struct log_register *logs = NULL;
	struct error error = ERROR_INIT;

	assert_int_equal(log_register_new(paths, NULL, NULL, &logs, &error), 0);
	return logs;
}

static uint64_t index_size_of(const char *name)
{
	char path[64];
	struct stat st;

	(void)snprintf(path, sizeof(path), "demo/7/%s.idx", name);
	assert_int_equal(fstatat(fixture.dir_fd, path, &st, 0), 0);
	return (uint64_t)st.st_size;
}

static void put_torn(const char *name)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "demo/7/%s.log", name);
	put_file(path, fixture.log, LOG_SIZE);
	(void)snprintf(path, sizeof(path), "demo/7/%s.idx", name);
	put_file(path, &fixture.index, INDEX_SIZE - 5);
}

static void register_finds_open_logs(void **state)
{
	const uint64_t whole = INDEX_SIZE - sizeof(struct log_index_record);
	struct log_register *logs;
	struct paths paths = {.lib = ""};
	int slot;

	(void)snprintf(paths.lib, sizeof(paths.lib), "%s", fixture.path);
	(void)snprintf(paths.log, sizeof(paths.log), "%s", fixture.path);
	assert_int_equal(make_directories(fixture.dir_fd, "demo/7", 0750), 0);
	put_torn("open.1");
	put_torn("ended.1");
	put_torn("other.2");
	logs = open_register(&paths);
	assert_int_equal(log_register_add(logs, "demo", 7, "open", 1), 0);
	slot = log_register_add(logs, "demo", 7, "ended", 1);
	assert_int_equal(log_register_add(logs, "demo", 8, "gone", 1), 2);
	log_register_remove(logs, slot);
	log_register_remove(logs, -1);
	logs = log_register_free(logs); /* as a kill would */
	logs = open_register(&paths);
	assert_int_equal(index_size_of("open.1"), whole);
	assert_int_equal(index_size_of("ended.1"), INDEX_SIZE - 5);
	assert_int_equal(index_size_of("other.2"), INDEX_SIZE - 5);
	/* the register was emptied: nothing is repaired twice */
	put_torn("open.1");
	logs = log_register_free(logs);
	logs = open_register(&paths);
	assert_int_equal(index_size_of("open.1"), INDEX_SIZE - 5);
	(void)log_register_free(logs);
}

static void register_is_full_and_damaged(void **state)
{
	struct log_register *logs;
	struct paths paths = {.lib = ""};
	cleanup_close int fd = -1;
	char bytes[192];
	uint32_t n_slots;

	(void)snprintf(paths.lib, sizeof(paths.lib), "%s", fixture.path);
	(void)snprintf(paths.log, sizeof(paths.log), "%s", fixture.path);
	assert_int_equal(make_directories(fixture.dir_fd, "demo/7", 0750), 0);
	put_torn("open.1");
	logs = open_register(&paths);
	for (int i = 0; i < STEPS_MAX; i++)
		assert_int_equal(log_register_add(logs, "demo", 9, "none", 1), i);
	assert_int_equal(log_register_add(logs, "demo", 9, "none", 1), -1);
	log_register_remove(logs, 77);
	assert_int_equal(log_register_add(logs, "demo", 7, "open", 1), 77);
	logs = log_register_free(logs);
	fd = openat(fixture.dir_fd, LOG_REGISTER_NAME, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	memset(bytes, 0xff, sizeof(bytes)); /* names without an end */
	assert_int_equal(pwrite(fd, bytes, sizeof(bytes), 64 + 5 * 192), sizeof(bytes));
	memset(bytes, '.', sizeof(bytes));
	memcpy(bytes + 16, "../../../../etc\0", 16);
	assert_int_equal(pwrite(fd, bytes, sizeof(bytes), 64 + 6 * 192), sizeof(bytes));
	logs = open_register(&paths);
	assert_int_equal(index_size_of("open.1"), INDEX_SIZE - sizeof(struct log_index_record));
	logs = log_register_free(logs);
	/* the register of a version that allowed more steps */
	put_torn("open.1");
	logs = open_register(&paths);
	assert_int_equal(log_register_add(logs, "demo", 7, "open", 1), 0);
	logs = log_register_free(logs);
	assert_int_equal(pread(fd, bytes, sizeof(bytes), 64), sizeof(bytes));
	assert_int_equal(pwrite(fd, bytes, sizeof(bytes), 64 + 2 * STEPS_MAX * 192), sizeof(bytes));
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(pwrite(fd, bytes, sizeof(bytes), 64), sizeof(bytes));
	n_slots = 2 * STEPS_MAX + 1;
	assert_int_equal(pwrite(fd, &n_slots, sizeof(n_slots), 4), sizeof(n_slots));
	put_torn("open.1");
	logs = open_register(&paths);
	assert_int_equal(index_size_of("open.1"), INDEX_SIZE - sizeof(struct log_index_record));
	logs = log_register_free(logs);
	/* a register that is cut off anywhere: logs are not repaired, but it is usable again */
	for (off_t cut = 0; cut < 64 + 3 * 192; cut += 31) {
		assert_int_equal(ftruncate(fd, cut), 0);
		logs = open_register(&paths);
		assert_int_equal(log_register_add(logs, "demo", 7, "open", 1), 0);
		logs = log_register_free(logs);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(every_cut),
		TEST(right_ones_stay),
		TEST(zeroes_at_the_end),
		TEST(cut_ones_stay),
		TEST(cut_is_found),
		TEST(cut_is_clipped),
		TEST(cut_index_is_torn),
		TEST(cut_is_noted_elsewhere),
		TEST(cut_of_far_records),
		TEST(records_that_are_wrong),
		TEST(files_that_are_not_there),
		TEST(register_finds_open_logs),
		TEST(register_is_full_and_damaged),
	};

	log_set_level((enum log_level)0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
