/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_TIMESTAMPS_H
#define API_TIMESTAMPS_H

/*
 * DOC: Times of lines
 *
 * Beside a log NAME.log lies NAME.idx: a header of 16 bytes {u32 magic "RBI1",
 * u32 version, u64 wall clock of the start in usec}, then a record of 16 bytes for
 * each chunk {u64 offset in the log, u64 usec since the start with the stream in
 * the two highest bits}. A line has the time of the chunk that it begins in. Of a log
 * that was cut, the index has a hole as well: common/log_cut.h.
 */

#include "common/log_cut.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TIMESTAMP_LENGTH 28 /* "2026-01-31T23:59:59.000000Z " */
#define TIMESTAMP_BATCH 256

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

/** timestamps_init() - Return: 0, or -EBADMSG when @fd is no index (yet) */
int timestamps_init(struct timestamps *timestamps, int fd);

/** timestamps_at() - wall clock usec of the chunk that holds @offset; offsets only grow */
uint64_t timestamps_at(struct timestamps *timestamps, uint64_t offset);

/** timestamps_skip() - the next position is behind the hole @cut, at the beginning of a line */
void timestamps_skip(struct timestamps *timestamps, const struct log_cut *cut);

/** timestamp_format() - TIMESTAMP_LENGTH bytes, not terminated */
void timestamp_format(char *out, uint64_t wall_usec);

/**
 * timestamps_apply() - put times in front of lines
 * @data, @size: bytes of the log at @offset
 * @out, @room:  at least TIMESTAMP_LENGTH + 1
 * @ret_written: bytes in @out
 *
 * Return: how many bytes of @data were used up.
 */
size_t timestamps_apply(struct timestamps *timestamps, const char *data, size_t size,
			uint64_t offset, char *out, size_t room, size_t *ret_written);

#endif
