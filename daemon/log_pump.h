/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_LOG_PUMP_H
#define DAEMON_LOG_PUMP_H

/*
 * DOC: Log pump
 *
 * The output of every running step flows pipe -> buffer -> file, all in one
 * thread. Per step: two pipes (stdout, stderr), one log file with the plain
 * bytes in the order they arrived, one index that says when and from where.
 *
 *   read   as much as the pipe has, into a buffer of a bounded pool; a stream
 *          without a buffer waits, its pipe fills, the step's write(2) blocks:
 *          memory is flat however much a step prints
 *   rest   after a short read the stream rests for 200 microseconds, so that a
 *          program that writes line by line costs one read for many lines
 *   write  one at a time per step, at the offset where the last one ended: a
 *          failed write leaves no hole
 *   index  a record per chunk, written when 64 have gathered or nothing else is
 *          to be done
 *   sync   both files, when both streams have ended and all is written
 *
 *   mask   what a step must not show is replaced before it goes on: daemon/mask.h.
 *          Offsets are those of what is written; what was held back has the time of
 *          the read that decided it
 *
 *   cut    a log that would have more than its limit on the disk, together with its
 *          index: the middle of both becomes a hole, which grows in steps of an eighth
 *          of the limit; head and tail stay, and offsets stay true (common/log_cut.h).
 *          The step only waits for the disk, as ever
 *
 * A write that fails (disk full) loses its bytes, not the step: the loss is
 * counted and reported at the end. The same goes for what is printed beyond
 * the limit where the file system can make no holes, and for a long log while less
 * than LOG_ROOM_MIN is free.
 *
 * Index file, little-endian: 16 bytes {u32 "RBI1", u32 version 2, u64 wall clock
 * microseconds at the start}, three records of common/log_cut.h (version 1: none), then
 * 16 bytes per chunk {u64 its offset in the log, u64 microseconds since the start in
 * bits 0-61 and 1 (stdout) or 2 (stderr) in bits 62-63}.
 */

#include "common/error.h"
#include "common/limits.h"
#include "common/log_cut.h"
#include "common/loop.h"
#include "daemon/io_engine.h"
#include "daemon/log_quota.h"
#include "daemon/mask.h"

#include <stddef.h>
#include <stdint.h>

#define LOG_PIPE_SIZE (1 * MIB)
#define LOG_BUFFER_SIZE (256 * KIB)
#define LOG_BUFFERS_MAX 64
#define LOG_BYTES_MAX (16 * GIB) /* of one step; more is lost where it cannot be cut */
/* left free for others (the store!), or a 32nd of a small file system */
#define LOG_ROOM_MIN (512 * MIB)

#define LOG_RECORDS 512 /* index records that are made and not yet written */

/**
 * struct log_kept - what a successor must know of a log beside its files
 *
 * Index records are written behind the log, many at once: those that the index file
 * does not have yet are the last ones here.
 */
struct log_kept {
	/* what each stream's mask holds back; the one with the higher number, in turn */
	struct log_kept_mask {
		uint64_t sequence;
		struct mask_stream mask;
	} masks[2][2];
	uint64_t rest_base[2]; /* where what was held back to the end is written, plus one; or 0 */
	uint64_t admitted;     /* bytes that were let through to the file */
	uint64_t lost;
	int32_t error;
	uint32_t index_broken;
	uint64_t n_records; /* number i is in records[i % LOG_RECORDS] */
	struct log_index_record records[LOG_RECORDS];
};

struct fd_store;
struct log_pump;
struct log_sink;

/** struct log_result - what became of a step's output */
struct log_result {
	uint64_t bytes; /* size of the log file */
	uint64_t cut;	/* of them, dropped from its middle */
	uint64_t lost;	/* could not be written */
	int error;	/* errno of the first failed write, 0 */
};

/** log_done_fn - all is written and synced; the sink is gone when this returns */
typedef void (*log_done_fn)(void *userdata, const struct log_result *result);

int log_pump_new(struct loop *loop, enum io_engine_kind kind, struct log_pump **ret_pump,
		 struct error *error);
/** log_pump_free() - no sink may be left. NULL is fine. Return: NULL. */
struct log_pump *log_pump_free(struct log_pump *pump);

/**
 * log_pump_open() - begin to carry a step's output
 * @log_fd, @index_fd: empty files, open for writing; taken over on success
 * @stdout_fd, @stderr_fd: read ends of pipes; taken over on success
 * @started_usec: wall clock that index times count from
 * @done:         called once, from the loop
 */
int log_pump_open(struct log_pump *pump, int log_fd, int index_fd, int stdout_fd, int stderr_fd,
		  uint64_t started_usec, log_done_fn done, void *userdata,
		  struct log_sink **ret_sink, struct error *error);

/**
 * log_sink_mask() - hide what @mask knows
 * @mask: NULL hides nothing and costs nothing; the sink holds a reference of its own
 *
 * Right after log_pump_open(): before the loop goes on, nothing has been read.
 */
void log_sink_mask(struct log_sink *sink, struct mask *mask);
/**
 * log_sink_limit() - cut its middle out when it would have more than @bytes on the disk
 * @bytes: with its index, at least LOG_LIMIT_MIN; 0: LOG_BYTES_MAX, and what is more is lost
 *
 * Right after log_pump_open(). The limit is kept in the index, and holds to the end
 * of the step.
 */
void log_sink_limit(struct log_sink *sink, uint64_t bytes);
/**
 * log_sink_share() - count it in @share, and cut it as well where that is full
 * @share: outlives the sink; NULL: it is not counted
 *
 * Right after log_pump_open() or log_pump_adopt().
 */
void log_sink_share(struct log_sink *sink, struct log_share *share);
/**
 * log_pump_keep() - from now on, output on its way outlives this process: log_journal.h
 *
 * Return: 0 or -errno: then it does not.
 */
int log_pump_keep(struct log_pump *pump, struct fd_store *store);
/**
 * log_sink_keep() - this one's, for log_pump_adopt()
 * @id:   never used again
 * @kept: outlives this process; zeroed; NULL: not kept
 *
 * Right after log_pump_open(): before the loop goes on, nothing has been read.
 */
void log_sink_keep(struct log_sink *sink, uint64_t id, struct log_kept *kept);
/**
 * log_pump_adopt() - go on where a predecessor was with @id
 * @fds:  log, index, stdout, stderr; taken over and set to -1 on success
 * @mask: as log_sink_mask(), the same as before
 */
int log_pump_adopt(struct log_pump *pump, int fds[4], struct mask *mask, uint64_t started_usec,
		   log_done_fn done, void *userdata, uint64_t id, struct log_kept *kept,
		   struct log_sink **ret_sink, struct error *error);
/** log_pump_settle() - all logs are adopted that there are */
void log_pump_settle(struct log_pump *pump);

/**
 * log_sink_stop() - end soon although somebody still holds the pipes
 *
 * What the pipes hold now is still read, at most LOG_PIPE_SIZE each.
 */
void log_sink_stop(struct log_sink *sink);

#endif
