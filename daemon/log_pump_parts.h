/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_LOG_PUMP_PARTS_H
#define DAEMON_LOG_PUMP_PARTS_H

/*
 * DOC: Insides of the log pump, for the log_pump*.c files only
 *
 * log_pump.c         streams: read, throttle, mask; the life of pump and sinks
 * log_pump_buffer.c  the pool of buffers, and the notes on them for a successor
 * log_pump_write.c   sinks: admit, write, sync, end
 * log_pump_index.c   the records of the index
 * log_pump_cut.c     the hole of a log that is too long
 * log_pump_adopt.c   sinks of a predecessor
 *
 * log_sink_progress() is called after each change of a sink; it starts every operation
 * that is possible now, and ends a sink that has nothing left to do.
 */

#include "common/list.h"
#include "daemon/log_journal.h"
#include "daemon/log_pump.h"

#define CHUNKS_PER_SINK_MAX 4

/** struct log_buffer - one chunk of output between read and write */
struct log_buffer {
	struct log_buffer *next;
	uint64_t at_usec; /* wall clock */
	size_t size, written;
	unsigned stream;
	bool embedded;	       /* member of a struct log_stream, not of the pool */
	char *data;	       /* LOG_BUFFER_SIZE bytes */
	char *text;	       /* the bytes to write, within @data */
	struct log_slot *slot; /* owns @data; NULL: @data was mapped for this buffer alone */
	bool kept;	       /* its output came through the slot's pipe: a successor finds it */
	bool secret;	       /* it has held output before that was masked */
};

/** enum stream_state - what a stream waits for */
enum stream_state {
	STREAM_IDLE,
	STREAM_POLLING, /* the pipe is empty */
	STREAM_READING,
	STREAM_THROTTLED,
	STREAM_NO_BUFFER, /* for a buffer */
	STREAM_BLOCKED,	  /* for the writes of its own step */
	STREAM_ENDED,
};

struct log_stream {
	struct log_sink *sink;
	struct io_op op;
	void (*resume)(struct log_stream *stream); /* read, or enter the state to wait in */
	struct list_node waiting;		   /* of pump->throttled or no_buffer */
	struct log_buffer *buffer;
	enum stream_state state;
	unsigned number; /* 1 stdout, 2 stderr */
	int fd;
	bool throttle;	    /* its pipe is large enough to be throttled */
	bool grows;	    /* its pipe is made larger after PIPE_GROW_BYTES of output */
	size_t early_bytes; /* output until then */
	bool direct;	    /* read without a slot's pipe */
	bool stopping;
	size_t stop_budget;	 /* while stopping: bytes that may still be read */
	struct mask_stream mask; /* unused if the sink has no mask */
	uint64_t fed_usec;	 /* monotonic, of the last output that the mask got */
	struct loop_timer hold;	 /* set while the mask holds bytes back */
	struct log_buffer rest;	 /* bytes that were held back until the end */
	size_t rest_written;	 /* of these, written by a predecessor */
	char rest_data[MASK_HEADROOM];
};

struct log_sink {
	struct log_pump *pump;
	struct log_stream streams[2];
	int log_fd, index_fd;
	struct mask *mask; /* NULL: no secrets */
	uint64_t started_usec;
	struct log_buffer *first, *last; /* chunks to write */
	unsigned n_chunks;
	uint64_t id; /* of log_sink_persist(), 0: none */
	struct log_kept *kept;
	bool kept_is_own;  /* .kept is malloc'ed, not shared with a successor */
	uint64_t unlooked; /* bytes since the free space was last determined */
	bool no_room;
	struct io_op write;
	uint64_t offset; /* size of the log file */
	struct io_op index_write;
	uint64_t n_indexed;    /* records that are in the index file */
	size_t flushing_bytes; /* bytes of records behind them that are being written */
	size_t flushed_bytes;  /* of these, bytes that are written */
	uint64_t first_record; /* number of the first record that describes a chunk */
	struct log_cut cut;
	struct log_share *share; /* NULL: not counted */
	uint64_t punched;	 /* bytes that are freed by the hole that is being made */
	struct io_op punch;
	bool punch_due, punching_index;
	bool uncuttable; /* the file system has no holes, or there is nothing to cut */
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
	unsigned n_sinks, n_masked;  /* all sinks; sinks with a mask */
	struct log_journal *journal; /* NULL: output on its way does not outlive us */
	uint64_t last_sequence;
};

/** log_sink_new() - @fds as log_pump_adopt(), left to the caller. Return: NULL without memory. */
struct log_sink *log_sink_new(struct log_pump *pump, const int fds[4], uint64_t started_usec,
			      log_done_fn done, void *userdata);
/**
 * log_sink_unmask() - drop the mask of @sink
 *
 * When the last sink with a mask ends, free all buffers that held unmasked output.
 */
void log_sink_unmask(struct log_sink *sink);
/** log_sink_begin() - start reading */
void log_sink_begin(struct log_sink *sink);
/** log_streams_prepare() - make both pipes non-blocking. Return: 0; -errno with @error. */
int log_streams_prepare(int stdout_fd, int stderr_fd, struct error *error);
/** log_sink_progress() - start each operation that is possible; end @sink if none is left */
void log_sink_progress(struct log_sink *sink);
/** log_sink_failed() - count @lost bytes that could not be written, because of errno @number */
void log_sink_failed(struct log_sink *sink, int number, uint64_t lost);
/** log_sink_unindexed() - how many records are not yet in the index file */
size_t log_sink_unindexed(const struct log_sink *sink);
/** log_index_flush() - begin to write them */
void log_index_flush(struct log_sink *sink);
/** log_index_done() - an io_done_fn */
void log_index_done(struct io_op *op, int result);
/** log_sink_index() - make the record of @buffer, whose first byte is at the sink's offset */
void log_sink_index(struct log_sink *sink, const struct log_buffer *buffer);
/** log_buffer_take() - an empty buffer. Return: NULL: LOG_BUFFERS_MAX are in use, or no memory. */
struct log_buffer *log_buffer_take(struct log_pump *pump);
/** log_buffers_free() - free the buffers of the pool that are not in use */
void log_buffers_free(struct log_pump *pump);
/**
 * log_buffer_persist() - note for a successor that @size bytes of .text are to be written
 *
 * The state of the mask after this buffer is noted together with it, so that a successor
 * does not mask the same output twice.
 */
void log_buffer_persist(struct log_stream *stream, struct log_buffer *buffer, size_t size);
/** log_buffer_give() - put @buffer back into the pool; a stream that waits for one goes on */
void log_buffer_give(struct log_pump *pump, struct log_buffer *buffer);
/** log_stream_chunk() - mask and queue the @size bytes of @buffer that were read from @stream */
void log_stream_chunk(struct log_stream *stream, struct log_buffer *buffer, size_t size);
/** log_stream_set() - change the state, as the table in log_pump_buffer.c allows it */
void log_stream_set(struct log_stream *stream, enum stream_state to);
/** log_stream_watch() - if the mask holds bytes back, set the timer that ends this */
void log_stream_watch(struct log_stream *stream);
/** log_mask_persist() - note the state of @mask after buffer @sequence of @stream (1 or 2) */
void log_mask_persist(struct log_kept *kept, unsigned stream, uint64_t sequence,
		      const struct mask_stream *mask);
/** log_sink_admit() - may @size more bytes be written? Return: 0, or the errno of their loss. */
int log_sink_admit(struct log_sink *sink, size_t size);
/** log_write_done(), log_sync_log_done(), log_sync_index_done() - each an io_done_fn */
void log_write_done(struct io_op *op, int result);
void log_sync_log_done(struct io_op *op, int result);
void log_sync_index_done(struct io_op *op, int result);
/** log_index_begin() - write header and cut to an empty index. Return: 0 or -errno. */
int log_index_begin(struct log_sink *sink);
/** log_cut_wanted() - would log and index with @size more bytes be beyond their limit? */
bool log_cut_wanted(const struct log_sink *sink, size_t size);
/** log_cut_grow() - begin the hole or make it larger: note it in the index, then punch it */
void log_cut_grow(struct log_sink *sink);
/** log_cut_punch() - punch the hole that is noted in the index */
void log_cut_punch(struct log_sink *sink);
/** log_punch_done() - an io_done_fn */
void log_punch_done(struct io_op *op, int result);
/** log_chunk_append() - queue @buffer to be written after all others */
void log_chunk_append(struct log_sink *sink, struct log_buffer *buffer);
/** log_chunk_drop() - give back the first buffer, which is written; a blocked stream goes on */
void log_chunk_drop(struct log_sink *sink);

#endif
