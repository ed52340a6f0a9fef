/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_LOG_CUT_H
#define COMMON_LOG_CUT_H

/*
 * DOC: The hole in the middle of a long log
 *
 * When a step prints more than its limit, the middle of its log is dropped: the file keeps the
 * head and the tail, and between them has a hole, which takes no room on disk and reads as
 * zeroes. Offsets count all bytes that were printed, including dropped ones, so a reader that
 * follows a log by its offset stays correct.
 *
 * The index of the log, from its version 2 on, begins with the bounds of the hole: three
 * records like the others (daemon/log_pump.h), but with stream 3. They are updated in place
 * before the hole is punched. So a reader that reads the bounds, then bytes outside of them,
 * then the bounds again, knows whether these bytes were really printed.
 *
 *   0  {u64 end of the hole, start of the hole}
 *   1  {u64 number of the first record behind it, number of the first record within it}
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

/** struct log_index_header - the beginning of the index of a log; little-endian */
struct log_index_header {
	uint32_t magic;
	uint32_t version;
	uint64_t started_usec;
};

/** struct log_index_record - one record of an index, see daemon/log_pump.h */
struct log_index_record {
	uint64_t offset;
	uint64_t time_and_stream;
};

_Static_assert(sizeof(struct log_index_header) == 16, "file format");
_Static_assert(sizeof(struct log_index_record) == 16, "file format");

/** struct log_cut - the hole of a log; there is none if @start == @end */
struct log_cut {
	uint64_t start, end;		    /* offsets in the log */
	uint64_t first_dropped, first_kept; /* numbers of records */
	uint64_t limit;			    /* bytes, 0: none */
	uint32_t version;		    /* of the index: LOG_INDEX_VERSION_PLAIN has no cut */
};

/** log_cut_read() - read it from the index @index_fd of a log. Return: 0; -EBADMSG; -errno. */
int log_cut_read(int index_fd, struct log_cut *ret_cut);
/** log_cut_write() - overwrite the records, which exist already. Return: 0 or -errno. */
int log_cut_write(int index_fd, const struct log_cut *cut);
/** log_cut_records() - write its records in the format of the index */
void log_cut_records(const struct log_cut *cut, struct log_index_record *out);
/**
 * log_cut_text() - write the line that is shown in place of the hole, with its newlines
 * @out: LOG_CUT_TEXT_MAX bytes
 *
 * Return: its length.
 */
size_t log_cut_text(const struct log_cut *cut, char *out);

#endif
