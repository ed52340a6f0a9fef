/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_LOG_PUMP_PARTS_H
#define DAEMON_LOG_PUMP_PARTS_H

/* Insides of the log pump, for the log_pump*.c files only. */

#include "common/list.h"
#include "daemon/log_journal.h"
#include "daemon/log_pump.h"

#define CHUNKS_PER_SINK_MAX 4

/** struct log_buffer - one chunk on its way */
struct log_buffer {
	struct log_buffer *next;
	uint64_t at_usec; /* wall clock */
	size_t size, written;
	unsigned stream;
	bool embedded;	       /* not of the pool */
	char *data;	       /* LOG_BUFFER_SIZE */
	char *text;	       /* what is written: somewhere in @data */
	struct log_slot *slot; /* whose @data is; NULL: memory of our own */
	bool kept;	       /* what is in it came by way of the slot's pipe */
	bool secret;	       /* output before it was masked was in it, and may be still */
};

enum stream_state {
	STREAM_IDLE,
	STREAM_POLLING, /* the pipe is empty */
	STREAM_READING,
	STREAM_THROTTLED,
	STREAM_STARVED, /* waits for a buffer */
	STREAM_BLOCKED, /* waits for its own step's writes */
	STREAM_ENDED,
};

struct log_stream {
	struct log_sink *sink;
	struct io_op op;
	void (*resume)(struct log_stream *stream); /* read, or note what must happen first */
	struct list_node waiting;		   /* of pump->throttled or no_buffer */
	struct log_buffer *buffer;
	enum stream_state state;
	unsigned number; /* 1 stdout, 2 stderr */
	int fd;
	bool throttle;
	bool direct; /* not by way of a slot */
	bool stopping;
	size_t stop_budget;
	struct mask_stream mask; /* without a mask: not used */
	uint64_t fed_usec;
	struct loop_timer hold; /* something is held back */
	struct log_buffer rest; /* what was held back at the end */
	size_t rest_written;	/* of it, by a predecessor */
	char rest_data[MASK_HEADROOM];
};

struct log_sink {
	struct log_pump *pump;
	struct log_stream streams[2];
	int log_fd, index_fd;
	struct mask *mask; /* NULL: nothing to hide */
	uint64_t started_usec;
	struct log_buffer *first, *last; /* chunks to write */
	unsigned n_chunks;
	uint64_t id; /* of log_sink_keep(), 0: none */
	struct log_kept *kept;
	bool kept_is_own;
	uint64_t unlooked; /* bytes since the last look at the free space */
	bool no_room;
	struct io_op write;
	uint64_t offset;
	struct io_op index_write;
	uint64_t n_indexed;    /* records that are in the index file */
	size_t flushing_bytes; /* of those behind them that are being written */
	size_t flushed_bytes;
	uint64_t first_record; /* number of the first one that is not of the cut */
	struct log_cut cut;
	struct log_share *share; /* NULL: not counted */
	uint64_t punched;	 /* bytes that the hole being made sets free */
	struct io_op punch;
	bool punch_due, punching_index;
	bool uncuttable; /* the file system cannot */
	struct io_op sync_log, sync_index;
	bool syncing;
	log_done_fn done;
	void *userdata;
};

struct log_pump {
	struct loop *loop;
	struct io_engine *engine;
	struct io_op throttle;
	struct list throttled, no_buffer;
	struct log_buffer *free_buffers;
	unsigned n_free, n_buffers;
	unsigned n_sinks, n_masked;  /* all; those with a mask */
	struct log_journal *journal; /* NULL: nothing outlives us */
	uint64_t last_sequence;
};

/** log_sink_new() - @fds as log_pump_adopt(). Return: NULL without memory. */
struct log_sink *log_sink_new(struct log_pump *pump, const int fds[4], uint64_t started_usec,
			      log_done_fn done, void *userdata);
/** log_sink_unmask() - the end of log_sink_mask(); the last one frees all unmasked output */
void log_sink_unmask(struct log_sink *sink);
/** log_sink_begin() - start reading */
void log_sink_begin(struct log_sink *sink);
/** log_streams_prepare() - Return: 0 or -errno with @error. */
int log_streams_prepare(int stdout_fd, int stderr_fd, struct error *error);
/** log_sink_progress() - everything that can be started now, and the end when nothing is left */
void log_sink_progress(struct log_sink *sink);
/** log_sink_failed() - @lost bytes could not be written, for the reason errno @number */
void log_sink_failed(struct log_sink *sink, int number, uint64_t lost);
/** log_sink_unindexed() - records that are made and not yet in the index file */
size_t log_sink_unindexed(const struct log_sink *sink);
/** log_index_flush() - write them */
void log_index_flush(struct log_sink *sink);
/** log_index_done() - an io_done_fn */
void log_index_done(struct io_op *op, int result);
/** log_sink_index() - make the record of @buffer, whose first byte is at the sink's offset */
void log_sink_index(struct log_sink *sink, const struct log_buffer *buffer);
/** log_buffer_take() - an empty one. Return: NULL when there are enough, or no memory. */
struct log_buffer *log_buffer_take(struct log_pump *pump);
/** log_buffers_free() - those that wait to be taken */
void log_buffers_free(struct log_pump *pump);
/**
 * log_buffer_keep() - from now on the first @size bytes of its text are to be written
 *
 * What a mask holds back is what it held after this buffer, so both are noted at once:
 * what was read is not masked twice.
 */
void log_buffer_keep(struct log_stream *stream, struct log_buffer *buffer, size_t size);
/** log_buffer_give() - nothing of it is needed any more; may let a stream go on */
void log_buffer_give(struct log_pump *pump, struct log_buffer *buffer);
/** log_stream_chunk() - @size bytes of @stream are in @buffer, as they were read: mask and queue */
void log_stream_chunk(struct log_stream *stream, struct log_buffer *buffer, size_t size);
/** log_stream_watch() - if its mask holds something back, not for ever */
void log_stream_watch(struct log_stream *stream);
/** log_mask_keep() - what @mask holds back after number @sequence of @stream (1 or 2) */
void log_mask_keep(struct log_kept *kept, unsigned stream, uint64_t sequence,
		   const struct mask_stream *mask);
/** log_sink_admit() - may @size more bytes be written? Return: 0, or the errno of their loss. */
int log_sink_admit(struct log_sink *sink, size_t size);
/** log_write_done(), log_sync_log_done(), log_sync_index_done() - each an io_done_fn */
void log_write_done(struct io_op *op, int result);
void log_sync_log_done(struct io_op *op, int result);
void log_sync_index_done(struct io_op *op, int result);
/** log_index_begin() - header and cut of an empty index. Return: 0 or -errno. */
int log_index_begin(struct log_sink *sink);
/** log_cut_wanted() - would @size more bytes be too many on the disk? */
bool log_cut_wanted(const struct log_sink *sink, size_t size);
/** log_cut_grow() - let the hole begin, or become larger, and make it */
void log_cut_grow(struct log_sink *sink);
/** log_cut_punch() - make the hole that is noted */
void log_cut_punch(struct log_sink *sink);
/** log_punch_done() - an io_done_fn */
void log_punch_done(struct io_op *op, int result);
/** log_chunk_append() - the last one to be written */
void log_chunk_append(struct log_sink *sink, struct log_buffer *buffer);
/** log_chunk_drop() - the first one is written */
void log_chunk_drop(struct log_sink *sink);

#endif
