/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_LOG_CUT_H
#define COMMON_LOG_CUT_H

/*
 * DOC: What is missing in the middle of a step's log
 *
 * A step that prints more than it may keep has a log with a hole: the head and the
 * tail are there, what was between takes no room on the disk and reads as zeroes.
 * Offsets are those of what was printed, whatever was dropped: a reader that follows
 * a log by its offset is never led astray.
 *
 * Where the hole is stands at the beginning of the log's index, from its version 2 on:
 * three records that look like the others (daemon/log_pump.h) but have stream 3. They
 * are written in place, and before the hole is made. So who reads the hole, then bytes
 * outside of it, and then the hole once more, knows whether the bytes were printed.
 *
 *   0  {u64 end of the hole, start of the hole}
 *   1  {u64 number of the first record behind it, number of the first one within it}
 *   2  {u64 bytes that the log and its index may have on disk, 0}
 *
 * Records within the hole read as zeroes, too.
 */

#include <stddef.h>
#include <stdint.h>

#define LOG_INDEX_MAGIC 0x31494252u /* "RBI1" */
#define LOG_INDEX_VERSION_PLAIN 1   /* records only: such a log is not cut */
#define LOG_INDEX_VERSION 2
#define LOG_STREAM_SHIFT 62
#define LOG_STREAM_CUT 3ULL
#define LOG_CUT_RECORDS 3
#define LOG_CUT_TEXT_MAX 256

struct log_index_header {
	uint32_t magic;
	uint32_t version;
	uint64_t started_usec;
};

struct log_index_record {
	uint64_t offset;
	uint64_t time_and_stream;
};

_Static_assert(sizeof(struct log_index_header) == 16, "file format");
_Static_assert(sizeof(struct log_index_record) == 16, "file format");

/** struct log_cut - the hole of a log; @start == @end: it has none */
struct log_cut {
	uint64_t start, end;		    /* offsets in the log */
	uint64_t first_dropped, first_kept; /* numbers of records */
	uint64_t limit;			    /* bytes, 0: none */
	uint32_t version;		    /* of the index: LOG_INDEX_VERSION_PLAIN has no cut */
};

/** log_cut_read() - of the log whose index is @index_fd. Return: 0; -EBADMSG; -errno. */
int log_cut_read(int index_fd, struct log_cut *ret_cut);
/** log_cut_write() - in place; all of it was there before. Return: 0 or -errno. */
int log_cut_write(int index_fd, const struct log_cut *cut);
/** log_cut_records() - as they stand in the index */
void log_cut_records(const struct log_cut *cut, struct log_index_record *out);
/**
 * log_cut_text() - the line that stands for the hole, with its newlines
 * @out: LOG_CUT_TEXT_MAX bytes
 *
 * Return: its length.
 */
size_t log_cut_text(const struct log_cut *cut, char *out);

#endif
