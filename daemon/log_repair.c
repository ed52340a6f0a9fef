/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/log_repair.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/limits.h"
#include "daemon/log_pump.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define BLOCK (64 * KIB)
#define RECORDS 1024

struct repair {
	int log_fd, index_fd;
	uint64_t log_size, index_size;
	uint64_t written_usec; /* when the log was written last */
	struct log_cut cut;
	bool recut; /* the index has a wrong note of .cut */
	struct log_repaired *repaired;
};

/* Open a file, which must be a regular one. Return: fd or -errno. */
static int part_open(int dir_fd, const char *name, const char *suffix, int flags,
		     struct stat *ret_stat)
{
	char file[STEP_SLUG_MAX + 64];
	cleanup_close int fd = -1;

	if (snprintf(file, sizeof(file), "%s.%s", name, suffix) >= (int)sizeof(file))
		return -ENAMETOOLONG;
	fd = openat(dir_fd, file, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | flags, 0640);
	if (fd < 0)
		return -errno;
	if (fstat(fd, ret_stat) < 0)
		return -errno;
	return S_ISREG(ret_stat->st_mode) ? TAKE_FD(fd) : -EINVAL;
}

static int read_at(int fd, void *data, size_t size, uint64_t offset)
{
	ssize_t n = pread(fd, data, size, (off_t)offset);

	if (n < 0)
		return -errno;
	return n == (ssize_t)size ? 0 : -EIO;
}

static int write_at(int fd, const void *data, size_t size, uint64_t offset)
{
	ssize_t n = pwrite(fd, data, size, (off_t)offset);

	if (n < 0)
		return -errno;
	return n == (ssize_t)size ? 0 : -EIO;
}

/* ---- the log ---- */

static int cut_zeroes(struct repair *repair)
{
	cleanup_free char *block = malloc(BLOCK);
	const uint64_t least = repair->cut.end > repair->cut.start ? repair->cut.end : 0;
	uint64_t end = repair->log_size;
	int r;

	if (!block)
		return -ENOMEM;
	/* stop at the hole: its zeroes are to stay, and may be far too many to be read */
	while (end > least) {
		uint64_t n = end - least < BLOCK ? end - least : BLOCK;
		uint64_t left = n;

		r = read_at(repair->log_fd, block, n, end - n);
		if (r < 0)
			return r;
		while (left > 0 && block[left - 1] == '\0')
			left--;
		end -= n - left;
		if (left > 0)
			break;
	}
	if (end == repair->log_size)
		return 0;
	if (ftruncate(repair->log_fd, (off_t)end) < 0)
		return -errno;
	repair->repaired->zeroes = repair->log_size - end;
	repair->log_size = end;
	return 0;
}

/* ---- the index ---- */

static bool record_right(const struct log_index_record *record, uint64_t least, uint64_t size)
{
	uint64_t stream = record->time_and_stream >> LOG_STREAM_SHIFT;

	return record->offset >= least && record->offset < size && (stream == 1 || stream == 2);
}

#define BEGINNING(n_records)                                                                       \
	(sizeof(struct log_index_header) + (n_records) * sizeof(struct log_index_record))

/*
 * Find the hole in the file itself: after a power cut the note of it may be older than the
 * hole, or be lost. Only whole blocks are freed: zeroes behind the last one belong to the
 * hole, too.
 */
static int find_hole(struct repair *repair)
{
	struct log_cut *cut = &repair->cut;
	off_t start = (off_t)cut->start, from = (off_t)cut->end, end;
	char edge[4096];
	ssize_t n;

	if (cut->end == cut->start) {
		from = start = lseek(repair->log_fd, 0, SEEK_HOLE);
		if (start < 0 || (uint64_t)start >= repair->log_size)
			return 0; /* there is none, or the file system does not report holes */
	}
	end = lseek(repair->log_fd, from, SEEK_DATA);
	if (end < 0)
		return errno == ENXIO || errno == EINVAL ? 0 : -errno;
	if (end <= from)
		return 0;
	n = pread(repair->log_fd, edge, sizeof(edge), end);
	if (n < 0)
		return -errno;
	for (ssize_t i = 0; i < n && edge[i] == '\0'; i++)
		end++;
	cut->start = (uint64_t)start;
	cut->end = (uint64_t)end;
	repair->recut = true;
	return 0;
}

/* The log may have become shorter: clip the noted hole to it. */
static void clip_cut(struct repair *repair)
{
	struct log_cut *cut = &repair->cut;
	const struct log_cut before = *cut;

	if (cut->end > repair->log_size)
		cut->end = repair->log_size;
	if (cut->start > cut->end)
		cut->start = cut->end;
	repair->recut |= cut->start != before.start || cut->end != before.end;
}

/* Return: how many bytes of the index are valid, with its header; -errno. */
static int64_t measure_index(struct repair *repair)
{
	cleanup_free struct log_index_record *records = calloc(RECORDS, sizeof(*records));
	struct log_cut *cut = &repair->cut;
	uint64_t first = cut->version == LOG_INDEX_VERSION ? LOG_CUT_RECORDS : 0;
	uint64_t number = first;
	uint64_t least = 0;
	bool in_hole = false;

	if (!records)
		return -ENOMEM;
	while (BEGINNING(number + 1) <= repair->index_size) {
		uint64_t n = (repair->index_size - BEGINNING(number)) / sizeof(*records);
		int r;

		if (n > RECORDS)
			n = RECORDS;
		r = read_at(repair->index_fd, records, n * sizeof(*records), BEGINNING(number));
		if (r < 0)
			return r;
		for (uint64_t i = 0; i < n; i++, number++) {
			if (cut->end > cut->start && number == cut->first_dropped) {
				in_hole = true;
				if (cut->first_kept > number + 1) /* skip a long hole */
					break;
			}
			if (in_hole && records[i].offset < cut->end)
				continue;
			if (in_hole)
				least = cut->end;
			if (!record_right(&records[i], least, repair->log_size) ||
			    (number == first && records[i].offset != 0))
				return (int64_t)BEGINNING(number);
			in_hole = false;
			least = records[i].offset + 1;
		}
		if (in_hole && number == cut->first_dropped && cut->first_kept > number)
			number = cut->first_kept;
	}
	return (int64_t)BEGINNING(number);
}

static bool header_right(struct repair *repair, struct log_index_header *header)
{
	return repair->index_size >= sizeof(*header) &&
	       read_at(repair->index_fd, header, sizeof(*header), 0) == 0 &&
	       log_cut_read(repair->index_fd, &repair->cut) == 0;
}

/* Make a new index without records; all that is known is when the log was written last. */
static int index_anew(struct repair *repair, struct log_index_header *header)
{
	int r;

	/* the start of the step is not known, so use the time of the last write */
	*header = (struct log_index_header){
		.magic = LOG_INDEX_MAGIC,
		.version = LOG_INDEX_VERSION,
		.started_usec = repair->written_usec,
	};
	repair->cut = (struct log_cut){.version = LOG_INDEX_VERSION};
	repair->repaired->index_made = true;
	repair->repaired->index_dropped = repair->index_size;
	if (ftruncate(repair->index_fd, 0) < 0)
		return -errno;
	r = write_at(repair->index_fd, header, sizeof(*header), 0);
	if (r == 0)
		r = log_cut_write(repair->index_fd, &repair->cut);
	repair->index_size = BEGINNING(LOG_CUT_RECORDS);
	return r;
}

/* Repair header and hole, on which the rest depends. */
static int repair_cut(struct repair *repair, bool power_cut, struct log_index_header *header)
{
	bool anew = !header_right(repair, header);
	int r = anew ? index_anew(repair, header) : 0;

	if (r < 0 || repair->cut.version != LOG_INDEX_VERSION)
		return r;
	clip_cut(repair);
	if (anew || power_cut)
		r = find_hole(repair);
	return r;
}

static int repair_index(struct repair *repair, const struct log_index_header *header)
{
	struct log_index_record record = {.offset = 0};
	uint64_t first = repair->cut.version == LOG_INDEX_VERSION ? LOG_CUT_RECORDS : 0;
	int64_t right;

	if (repair->recut && log_cut_write(repair->index_fd, &repair->cut) < 0)
		return -EIO;
	right = measure_index(repair);
	if (right < 0)
		return (int)right;
	/* the index may end within the hole: cut off an incomplete record there */
	if ((uint64_t)right > repair->index_size)
		right = (int64_t)BEGINNING((repair->index_size - BEGINNING(0)) /
					   sizeof(struct log_index_record));
	if ((uint64_t)right < repair->index_size) {
		repair->repaired->index_dropped += repair->index_size - (uint64_t)right;
		if (ftruncate(repair->index_fd, right) < 0)
			return -errno;
	}
	if (right > (int64_t)BEGINNING(first) || repair->log_size == 0)
		return 0;
	/* a log without any record: make one for all of it */
	if (repair->written_usec > header->started_usec)
		record.time_and_stream = repair->written_usec - header->started_usec;
	record.time_and_stream |= 1ULL << LOG_STREAM_SHIFT;
	repair->repaired->index_made = true;
	return write_at(repair->index_fd, &record, sizeof(record), BEGINNING(first));
}

int log_repair(int dir_fd, const char *name, bool power_cut, struct log_repaired *ret_repaired,
	       struct error *error)
{
	cleanup_close int log_fd = -1;
	cleanup_close int index_fd = -1;
	struct repair repair = {.repaired = ret_repaired};
	struct stat log_stat = {0}, index_stat = {0};
	struct log_index_header header;
	bool changed;
	int r = 0;

	*ret_repaired = (struct log_repaired){.zeroes = 0};
	log_fd = part_open(dir_fd, name, "log", 0, &log_stat);
	if (log_fd == -ENOENT)
		return 0; /* it was never made, or an administrator removed it */
	if (log_fd < 0)
		return error_errno(error, -log_fd, "cannot open log %s.log", name);
	index_fd = part_open(dir_fd, name, "idx", O_CREAT, &index_stat);
	if (index_fd < 0)
		return error_errno(error, -index_fd, "cannot open index %s.idx", name);
	repair.log_fd = log_fd;
	repair.index_fd = index_fd;
	repair.log_size = (uint64_t)log_stat.st_size;
	repair.index_size = (uint64_t)index_stat.st_size;
	repair.written_usec = (uint64_t)log_stat.st_mtim.tv_sec * USEC_PER_SEC +
			      (uint64_t)log_stat.st_mtim.tv_nsec / 1000;
	r = repair_cut(&repair, power_cut, &header);
	if (r == 0 && power_cut)
		r = cut_zeroes(&repair);
	/* the log may have become shorter */
	if (r == 0)
		clip_cut(&repair);
	if (r == 0)
		r = repair_index(&repair, &header);
	changed = repair.recut || ret_repaired->zeroes > 0 || ret_repaired->index_dropped > 0 ||
		  ret_repaired->index_made;
	if (r == 0 && changed && (fsync(log_fd) < 0 || fsync(index_fd) < 0))
		r = -errno;
	if (r < 0)
		return error_errno(error, -r, "cannot repair log %s.log", name);
	return changed;
}
