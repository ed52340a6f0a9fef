/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_TIMESTAMPS_H
#define API_TIMESTAMPS_H

/*
 * DOC: Times of lines
 *
 * Each log NAME.log has an index NAME.idx, which the daemon writes: a header of 16 bytes
 * {u32 magic "RBI1", u32 version, u64 wall clock of the start in usec}, then a record of
 * 16 bytes for each chunk {u64 offset in the log, u64 usec since the start with the stream
 * in the two highest bits}. A line has the time of the chunk in which it begins. If the
 * log was cut, the index has a hole as well, see common/log_cut.h.
 *
 * After a crash the index may end early or be damaged. Then lines get the last known time.
 */

#include "common/log_cut.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TIMESTAMP_LENGTH 28 /* "2026-01-31T23:59:59.000000Z " */
#define TIMESTAMP_BATCH 256

/** struct timestamps - a position in a log and its index; it only moves forward */
struct timestamps {
	int fd; /* of the index, not owned */
	uint64_t started_usec;
	uint64_t current_usec; /* of the chunk that holds the position */
	off_t next_record;
	struct {
		uint64_t offset, time;
	} batch[TIMESTAMP_BATCH];
	unsigned n_batch, next;
	bool line_open; /* the position is within a line */
};

/** timestamps_init() - begin at offset 0. Return: 0, or -EBADMSG when @fd is not an index (yet). */
int timestamps_init(struct timestamps *timestamps, int fd);

/** timestamps_at() - wall clock usec of the chunk with @offset, which must not decrease */
uint64_t timestamps_at(struct timestamps *timestamps, uint64_t offset);

/** timestamps_skip() - move behind the hole @cut, to the beginning of a line */
void timestamps_skip(struct timestamps *timestamps, const struct log_cut *cut);

/** timestamp_format() - write TIMESTAMP_LENGTH bytes without a NUL to @out */
void timestamp_format(char *out, uint64_t wall_usec);

/**
 * timestamps_apply() - copy a part of the log and put times in front of its lines
 * @data, @size: bytes of the log at @offset
 * @out, @room:  buffer of at least TIMESTAMP_LENGTH + 1 bytes
 * @ret_written: bytes in @out
 *
 * Return: number of bytes of @data that were copied.
 */
size_t timestamps_apply(struct timestamps *timestamps, const char *data, size_t size,
			uint64_t offset, char *out, size_t room, size_t *ret_written);

#endif
