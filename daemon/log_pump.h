/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_LOG_PUMP_H
#define DAEMON_LOG_PUMP_H

/*
 * DOC: Log pump
 *
 * The output of every running step flows pipe -> buffer -> file, all in one
 * thread. A step has two pipes (stdout, stderr), one log file with the plain
 * bytes in the order in which they arrived, and one index with the time and stream of
 * each chunk. These together are a sink.
 *
 *   read      as much as the pipe has, into a buffer of a bounded pool; a stream
 *             without a buffer waits, its pipe fills, the step's write(2) blocks:
 *             memory is bounded however much a step prints
 *   throttle  after a short read the stream pauses for 200 microseconds, so that a
 *             program that writes line by line costs one read for many lines
 *   write     one at a time per step, at the offset where the last one ended: a
 *             failed write leaves no hole; at once where it need not wait (io_direct.h)
 *   index     a record per chunk, written when 64 have gathered or nothing else
 *             remains to be written
 *   sync      both files, when both streams have ended and all is written
 *
 *   mask      secrets are replaced before output goes further: daemon/mask.h.
 *             Offsets count the bytes that are written; bytes that were held back have
 *             the time of the read that decided about them
 *
 *   cut       when a log and its index would take more than their limit on the disk,
 *             the middle of both becomes a hole, which grows in steps of an eighth of
 *             the limit; head and tail stay, and offsets stay valid (common/log_cut.h).
 *             The step only waits for the disk, as with every write
 *
 * A write that fails (disk full) loses its bytes, but the step goes on: the loss is
 * counted and reported at the end. The same happens to output beyond the limit
 * where the file system has no holes, and to that of a long log while less than
 * LOG_ROOM_MIN is free.
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
#define LOG_BYTES_MAX (16 * GIB) /* of a step whose log has no limit; more is lost */
/* bytes left free for other files (the store!), or a 32nd of a small file system */
#define LOG_ROOM_MIN (512 * MIB)

#define LOG_RECORDS 512 /* index records that are made and not yet written */

/**
 * struct log_kept - state of a log that a successor needs beside its files
 *
 * Index records are written later than the log, many at once: the records that the index
 * file lacks are the last ones here.
 */
struct log_kept {
	/* the mask of each stream, written to the two places in turn; the higher .sequence is
	 * the valid one */
	struct log_kept_mask {
		uint64_t sequence;
		struct mask_stream mask;
	} masks[2][2];
	uint64_t rest_base[2]; /* offset, plus one, of bytes held back until the end; 0: none */
	uint64_t admitted;     /* bytes that were accepted for the file */
	uint64_t lost;
	int32_t error;
	uint32_t index_broken;
	uint64_t n_records; /* number i is in records[i % LOG_RECORDS] */
	struct log_index_record records[LOG_RECORDS];
};

struct fd_store;
struct log_pump;
struct log_sink;

/** struct log_result - how much of a step's output is in its log */
struct log_result {
	uint64_t bytes; /* size of the log file */
	uint64_t cut;	/* of these, bytes of the hole in its middle */
	uint64_t lost;	/* bytes that could not be written */
	int error;	/* errno of the first failed write; 0: none failed */
};

/** log_done_fn - everything is written and synced, and the sink is freed */
typedef void (*log_done_fn)(void *userdata, const struct log_result *result);

/** log_pump_new() - a pump that runs in @loop. Return: 0; -errno with @error. */
int log_pump_new(struct loop *loop, enum io_engine_kind kind, struct log_pump **ret_pump,
		 struct error *error);
/** log_pump_free() - all sinks must have ended. NULL is fine. Return: NULL. */
struct log_pump *log_pump_free(struct log_pump *pump);

/**
 * log_pump_open() - begin to write a step's output to its log
 * @log_fd, @index_fd: empty files, open for reading and writing; taken over on success
 * @stdout_fd, @stderr_fd: read ends of pipes; taken over on success
 * @started_usec: wall clock that index times count from
 * @done:         called once, from the loop
 * @ret_sink:     owned by the pump; valid until @done is called
 *
 * Return: 0; -errno with @error.
 */
int log_pump_open(struct log_pump *pump, int log_fd, int index_fd, int stdout_fd, int stderr_fd,
		  uint64_t started_usec, log_done_fn done, void *userdata,
		  struct log_sink **ret_sink, struct error *error);

/**
 * log_sink_mask() - replace the secrets that @mask knows
 * @mask: NULL: no mask, without cost; the sink takes a reference of its own
 *
 * To be called right after log_pump_open(): nothing is read before the loop goes on.
 */
void log_sink_mask(struct log_sink *sink, struct mask *mask);
/**
 * log_sink_limit() - cut the middle of the log when it would take more than @bytes on disk
 * @bytes: with its index, at least LOG_LIMIT_MIN; 0: no cut, output beyond LOG_BYTES_MAX is lost
 *
 * To be called right after log_pump_open(). The limit is stored in the index, and is valid
 * until the end of the step.
 */
void log_sink_limit(struct log_sink *sink, uint64_t bytes);
/**
 * log_sink_share() - count the log in @share, and cut it as well when that is full
 * @share: outlives the sink; NULL: the log is not counted
 *
 * To be called right after log_pump_open() or log_pump_adopt().
 */
void log_sink_share(struct log_sink *sink, struct log_share *share);
/**
 * log_pump_persist() - let output on its way outlive this process (daemon/log_journal.h)
 *
 * Return: 0; -errno, logged: output is carried, but does not outlive the process.
 */
int log_pump_persist(struct log_pump *pump, struct fd_store *store);
/**
 * log_sink_persist() - write down the state of @sink for log_pump_adopt()
 * @id:   not 0; never used again
 * @kept: memory that outlives this process, zeroed except for .records; NULL: nothing is kept
 *
 * To be called right after log_pump_open(): nothing is read before the loop goes on.
 */
void log_sink_persist(struct log_sink *sink, uint64_t id, struct log_kept *kept);
/**
 * log_pump_adopt() - go on with the log that a predecessor kept as @id
 * @fds:  log, index, stdout, stderr; taken over and set to -1 on success
 * @mask: the mask that the predecessor had, as for log_sink_mask()
 * @kept: the memory that log_sink_persist() of the predecessor got
 *
 * Other arguments as for log_pump_open(). Return: 0; -errno with @error.
 */
int log_pump_adopt(struct log_pump *pump, int fds[4], struct mask *mask, uint64_t started_usec,
		   log_done_fn done, void *userdata, uint64_t id, struct log_kept *kept,
		   struct log_sink **ret_sink, struct error *error);
/** log_pump_settle() - all adoptions are done: free the slots that no log recovered */
void log_pump_settle(struct log_pump *pump);

/**
 * log_sink_stop() - end soon although a process still has the pipes open
 *
 * The output that is in the pipes now is still read, at most LOG_PIPE_SIZE of each.
 */
void log_sink_stop(struct log_sink *sink);

#endif
