/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log and its index after a crash or a power cut. The input is
 *
 *   u8  flags (enum flag)
 *   u24 bytes of the log, high byte first, up to LOG_MAX
 *   u8  number of blocks of 32 zeroes at its end
 *   u8  first page and u8 pages of a hole in it
 *   the index
 *
 * For any input, no printed byte is lost, no other file is changed, a reader of indexes accepts
 * the result, and a second repair changes nothing.
 */
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/log_cut.h"
#include "common/remove_tree.h"
#include "daemon/log_repair.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_MAX (96U << 10)
#define PAGE 4096U
#define HEAD 7 /* bytes of the input before the index */
#define INDEX_ROOM (1U << 20)

enum flag {
	POWER_CUT = 1,
	NO_LOG = 2,
	NO_INDEX = 4,
	LOG_IS_LINK = 8,
	INDEX_IS_LINK = 16,
	INDEX_IS_DIRECTORY = 32,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char canary[] = "another file\n";
static char top[] = "/dev/shm/fuzz_repair.XXXXXX";
static int top_fd = -1, dir_fd = -1;

/* The bytes of a log and of its index. */
struct pair {
	char log[LOG_MAX];
	size_t log_size;
	unsigned char index[INDEX_ROOM];
	size_t index_size;
};

static void finish(void)
{
	(void)remove_tree(AT_FDCWD, top);
}

static void put(int fd, const char *name, const void *data, size_t size)
{
	cleanup_close int file = openat(fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);

	if (file < 0 || fd_write_all(file, data, size) < 0)
		abort();
}

/* Read the file @name. Return: its bytes; more than @room are an error. */
static size_t get(int fd, const char *name, void *out, size_t room)
{
	cleanup_close int file = openat(fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	ssize_t n = file < 0 ? -1 : fd_read_all(file, out, room);

	if (n < 0 || fstat(file, &st) < 0 || st.st_size != n)
		abort();
	return (size_t)n;
}

static void start(void)
{
	if (access("/dev/shm", W_OK) < 0)
		memcpy(top, "/tmp/fuzz_repairs.XXXXXXXX", sizeof(top));
	if (!mkdtemp(top) || atexit(finish) != 0)
		abort();
	top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (top_fd < 0 || mkdirat(top_fd, "run", 0755) < 0)
		abort();
	dir_fd = openat(top_fd, "run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		abort();
	put(top_fd, "canary", canary, sizeof(canary));
	put(dir_fd, "b.1.log", canary, sizeof(canary));
	put(dir_fd, "b.1.idx", canary, sizeof(canary));
}

static void canary_check(int fd, const char *name)
{
	char text[sizeof(canary) + 1];

	if (get(fd, name, text, sizeof(text)) != sizeof(canary) ||
	    memcmp(text, canary, sizeof(canary)) != 0)
		abort();
}

static bool there(const char *name, struct stat *ret_stat)
{
	return fstatat(dir_fd, name, ret_stat, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The directory has only the log, its index, and the three files of before. */
static void others_check(unsigned flags)
{
	cleanup_closedir DIR *dir = NULL;
	struct stat st;
	unsigned n = 0;
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	canary_check(top_fd, "canary");
	canary_check(dir_fd, "b.1.log");
	canary_check(dir_fd, "b.1.idx");
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		abort();
	while (readdir(dir))
		n++;
	if (n != 4U + there("a.1.log", &st) + there("a.1.idx", &st))
		abort();
	if ((flags & LOG_IS_LINK) && !(there("a.1.log", &st) && S_ISLNK(st.st_mode)))
		abort();
	if ((flags & INDEX_IS_LINK) && !(there("a.1.idx", &st) && S_ISLNK(st.st_mode)))
		abort();
}

/* ---- the files to be repaired ---- */

static void pair_fill(struct pair *pair, const uint8_t *data, size_t size)
{
	size_t zeroes = (size_t)data[4] * 32;

	pair->log_size = ((size_t)data[1] << 16 | (size_t)data[2] << 8 | data[3]) % (LOG_MAX + 1);
	memset(pair->log, 'x', pair->log_size);
	if (zeroes > pair->log_size)
		zeroes = pair->log_size;
	memset(pair->log + pair->log_size - zeroes, 0, zeroes);
	for (size_t page = data[5]; page < (size_t)data[5] + data[6]; page++)
		for (size_t at = page * PAGE; at < (page + 1) * PAGE && at < pair->log_size; at++)
			pair->log[at] = '\0';
	pair->index_size = size - HEAD;
	memcpy(pair->index, data + HEAD, size - HEAD);
}

/* Pages that are all zeroes are not written, so they are holes. */
static void log_put(const struct pair *pair)
{
	static const char zeroes[PAGE];
	cleanup_close int fd =
		openat(dir_fd, "a.1.log", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);

	if (fd < 0 || ftruncate(fd, (off_t)pair->log_size) < 0)
		abort();
	for (size_t at = 0; at < pair->log_size; at += PAGE) {
		size_t n = pair->log_size - at < PAGE ? pair->log_size - at : PAGE;

		if (memcmp(pair->log + at, zeroes, n) != 0 &&
		    pwrite(fd, pair->log + at, n, (off_t)at) != (ssize_t)n)
			abort();
	}
}

static void pair_put(const struct pair *pair, unsigned flags)
{
	if (remove_tree(dir_fd, "a.1.log") < 0 || remove_tree(dir_fd, "a.1.idx") < 0)
		abort();
	if (flags & LOG_IS_LINK) {
		if (symlinkat("../canary", dir_fd, "a.1.log") < 0)
			abort();
	} else if (!(flags & NO_LOG)) {
		log_put(pair);
	}
	if (flags & INDEX_IS_LINK) {
		if (symlinkat("b.1.idx", dir_fd, "a.1.idx") < 0)
			abort();
	} else if (flags & INDEX_IS_DIRECTORY) {
		if (mkdirat(dir_fd, "a.1.idx", 0755) < 0)
			abort();
	} else if (!(flags & NO_INDEX)) {
		put(dir_fd, "a.1.idx", pair->index, pair->index_size);
	}
}

static void pair_get(struct pair *pair)
{
	pair->log_size = get(dir_fd, "a.1.log", pair->log, sizeof(pair->log));
	pair->index_size = get(dir_fd, "a.1.idx", pair->index, sizeof(pair->index));
}

/* ---- checks after the repair ---- */

/* The log has all bytes of before; after a power cut, except zeroes at the end. */
static void log_check(const struct pair *before, const struct pair *after,
		      const struct log_repaired *repaired, bool power_cut)
{
	if (after->log_size + repaired->zeroes != before->log_size ||
	    (repaired->zeroes > 0 && !power_cut) ||
	    memcmp(before->log, after->log, after->log_size) != 0)
		abort();
	for (size_t at = after->log_size; at < before->log_size; at++)
		if (before->log[at] != '\0')
			abort();
}

/*
 * A reader visits record after record and skips those of the hole. Each record is within the log,
 * they are in order, and the first one before the hole is at the start of the log.
 */
static void index_check(const struct pair *pair)
{
	cleanup_close int fd = openat(dir_fd, "a.1.idx", O_RDONLY | O_CLOEXEC);
	const struct log_index_record *records;
	uint64_t n, first, least = 0;
	struct log_cut cut;

	if (fd < 0 || log_cut_read(fd, &cut) < 0 || cut.start > pair->log_size ||
	    cut.end > pair->log_size ||
	    (pair->index_size - sizeof(struct log_index_header)) % sizeof(*records) != 0)
		abort();
	records = (const void *)(pair->index + sizeof(struct log_index_header));
	n = (pair->index_size - sizeof(struct log_index_header)) / sizeof(*records);
	first = cut.version == LOG_INDEX_VERSION ? LOG_CUT_RECORDS : 0;
	if (pair->log_size > 0 && n <= first)
		abort();
	for (uint64_t i = first; i < n; i++) {
		uint64_t stream = records[i].time_and_stream >> LOG_STREAM_SHIFT;

		if (cut.end > cut.start && i >= cut.first_dropped &&
		    (i < cut.first_kept || records[i].offset < cut.end)) {
			least = cut.end;
			continue;
		}
		if ((stream != 1 && stream != 2) || records[i].offset < least ||
		    records[i].offset >= pair->log_size || (i == first && records[i].offset != 0))
			abort();
		least = records[i].offset + 1;
	}
}

/* The kept records of the index are unchanged, except the position of the hole. */
static void kept_check(const struct pair *before, const struct pair *after,
		       const struct log_repaired *repaired)
{
	const size_t cut =
		sizeof(struct log_index_header) + LOG_CUT_RECORDS * sizeof(struct log_index_record);
	size_t from = sizeof(struct log_index_header);
	uint32_t version;

	if (repaired->index_made)
		return;
	memcpy(&version, after->index + sizeof(uint32_t), sizeof(version));
	if (version == LOG_INDEX_VERSION)
		from = cut;
	if (after->index_size + repaired->index_dropped != before->index_size ||
	    memcmp(before->index, after->index, sizeof(struct log_index_header)) != 0 ||
	    memcmp(before->index + from, after->index + from, after->index_size - from) != 0)
		abort();
}

static void repaired_check(const struct pair *before, const struct log_repaired *repaired,
			   bool power_cut)
{
	static struct pair after, again;
	struct log_repaired nothing;
	struct error error = ERROR_INIT;

	pair_get(&after);
	log_check(before, &after, repaired, power_cut);
	index_check(&after);
	kept_check(before, &after, repaired);
	for (int i = 0; i < 2; i++) {
		if (log_repair(dir_fd, "a.1", power_cut && i == 0, &nothing, &error) != 0)
			abort();
		pair_get(&again);
		if (again.log_size != after.log_size || again.index_size != after.index_size ||
		    memcmp(again.log, after.log, after.log_size) != 0 ||
		    memcmp(again.index, after.index, after.index_size) != 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pair before;
	struct log_repaired repaired;
	struct error error = ERROR_INIT;
	unsigned flags;
	int r;

	if (size < HEAD || size - HEAD > INDEX_ROOM / 2)
		return 0;
	if (top_fd < 0)
		start();
	flags = data[0];
	pair_fill(&before, data, size);
	pair_put(&before, flags);
	if (flags & NO_INDEX)
		before.index_size = 0;
	r = log_repair(dir_fd, "a.1", flags & POWER_CUT, &repaired, &error);
	others_check(flags);
	if (r < 0 && error.text[0] == '\0')
		abort();
	if (flags & (LOG_IS_LINK | INDEX_IS_LINK | INDEX_IS_DIRECTORY)) {
		if (r >= 0 && ((flags & LOG_IS_LINK) || !(flags & NO_LOG)))
			abort();
	} else if (flags & NO_LOG) {
		if (r != 0)
			abort();
	} else {
		if (r < 0)
			abort();
		repaired_check(&before, &repaired, flags & POWER_CUT);
	}
	return 0;
}
