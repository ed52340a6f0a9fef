/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/log_pump.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>

#define NAP_USEC 200
#define NAP_BELOW (32 * KIB)	 /* a read shorter than this is followed by a nap */
#define NAP_PIPE_MIN (256 * KIB) /* a small pipe would fill up while we sleep */
#define CHUNKS_PER_SINK_MAX 4
#define ROOM_STEP (4 * MIB) /* between two looks at the free space; short logs always fit */
#define INDEX_RECORDS 256
#define INDEX_FLUSH 64
#define BUFFERS_KEPT 8

/** struct log_buffer - one chunk on its way */
struct log_buffer {
	struct log_buffer *next;
	uint64_t at_usec; /* wall clock */
	size_t size, written;
	unsigned stream;
	bool embedded; /* not of the pool */
	char *data;    /* LOG_BUFFER_SIZE */
	char *text;    /* what is written: somewhere in @data */
};

enum stream_state {
	STREAM_IDLE,
	STREAM_POLLING, /* the pipe is empty */
	STREAM_READING,
	STREAM_NAPPING,
	STREAM_STARVED, /* waits for a buffer */
	STREAM_BLOCKED, /* waits for its own step's writes */
	STREAM_ENDED,
};

struct log_stream {
	struct log_sink *sink;
	struct io_op op;
	struct log_stream *next; /* in the list of the napping or the starved */
	struct log_buffer *buffer;
	enum stream_state state;
	unsigned number; /* 1 stdout, 2 stderr */
	int fd;
	bool nap;
	bool stopping;
	size_t stop_budget;
	struct mask_stream mask; /* without a mask: not used */
	uint64_t fed_usec;
	struct loop_timer patience; /* something is held back */
	struct log_buffer rest;	    /* what was held back at the end */
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
	uint64_t kept;	   /* bytes that were let through to the file */
	uint64_t unlooked; /* bytes since the last look at the free space */
	bool no_room;
	struct io_op write;
	uint64_t offset;
	struct io_op index_write;
	struct log_index_record pending[INDEX_RECORDS];
	struct log_index_record flushing[INDEX_RECORDS];
	size_t n_pending, n_flushing, flushed_bytes;
	uint64_t index_offset;
	bool index_broken;
	struct io_op sync_log, sync_index;
	bool syncing;
	struct log_result result;
	log_done_fn done;
	void *userdata;
};

struct stream_list {
	struct log_stream *first, *last;
};

struct log_pump {
	struct loop *loop;
	struct io_engine *engine;
	struct io_op nap;
	struct stream_list napping, starved;
	struct log_buffer *free_buffers;
	unsigned n_free, n_buffers;
	unsigned n_sinks;
};

static void stream_continue(struct log_stream *stream);
static void stream_end(struct log_stream *stream);
static void sink_progress(struct log_sink *sink);

/* ---- lists and buffers ---- */

static void list_push(struct stream_list *list, struct log_stream *stream)
{
	stream->next = NULL;
	if (list->last)
		list->last->next = stream;
	else
		list->first = stream;
	list->last = stream;
}

static struct log_stream *list_pop(struct stream_list *list)
{
	struct log_stream *stream = list->first;

	if (stream) {
		list->first = stream->next;
		if (!list->first)
			list->last = NULL;
	}
	return stream;
}

static struct log_buffer *buffer_new(void)
{
	struct log_buffer *buffer = calloc(1, sizeof(*buffer));

	if (!buffer)
		return NULL;
	/* mapped, not malloc'ed: what is given back really leaves */
	buffer->data = mmap(NULL, LOG_BUFFER_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buffer->data == MAP_FAILED) {
		free(buffer);
		return NULL;
	}
	/* output before it was masked */
	(void)madvise(buffer->data, LOG_BUFFER_SIZE, MADV_DONTDUMP);
	return buffer;
}

static void buffer_free(struct log_buffer *buffer)
{
	(void)munmap(buffer->data, LOG_BUFFER_SIZE);
	free(buffer);
}

static struct log_buffer *buffer_take(struct log_pump *pump)
{
	struct log_buffer *buffer = pump->free_buffers;

	if (buffer) {
		pump->free_buffers = buffer->next;
		pump->n_free--;
	} else if (pump->n_buffers < LOG_BUFFERS_MAX) {
		buffer = buffer_new();
		if (buffer)
			pump->n_buffers++;
	}
	if (buffer) {
		buffer->next = NULL;
		buffer->size = 0;
		buffer->written = 0;
		buffer->text = buffer->data;
	}
	return buffer;
}

static void buffer_give(struct log_pump *pump, struct log_buffer *buffer)
{
	struct log_stream *stream;

	if (buffer->embedded)
		return;
	if (pump->n_free < BUFFERS_KEPT) {
		buffer->next = pump->free_buffers;
		pump->free_buffers = buffer;
		pump->n_free++;
	} else {
		buffer_free(buffer);
		pump->n_buffers--;
	}
	stream = list_pop(&pump->starved);
	if (stream) {
		stream->state = STREAM_IDLE;
		stream_continue(stream);
	}
}

/* ---- waiting ---- */

static void stream_poll(struct log_stream *stream)
{
	if (stream->stopping) {
		stream_end(stream); /* the pipe is empty, and nobody is waited for any more */
		return;
	}
	stream->state = STREAM_POLLING;
	io_poll(stream->sink->pump->engine, &stream->op, stream->fd);
}

static void nap_over(struct io_op *op, int result)
{
	struct log_pump *pump = container_of(op, struct log_pump, nap);
	struct stream_list list = pump->napping;
	struct log_stream *stream;

	pump->napping = (struct stream_list){.first = NULL};
	while ((stream = list_pop(&list)) != NULL) {
		stream->state = STREAM_IDLE;
		stream_continue(stream);
	}
}

/* One timer serves all who nap: who lies down later sleeps shorter. */
static void stream_nap(struct log_stream *stream)
{
	struct log_pump *pump = stream->sink->pump;

	stream->state = STREAM_NAPPING;
	list_push(&pump->napping, stream);
	if (!pump->nap.busy)
		io_nap(pump->engine, &pump->nap, NAP_USEC);
}

/* Read, or note what must happen first. */
static void stream_continue(struct log_stream *stream)
{
	struct log_pump *pump = stream->sink->pump;
	size_t room;

	if (stream->stopping && stream->stop_budget == 0) {
		stream_end(stream);
		return;
	}
	if (stream->sink->n_chunks >= CHUNKS_PER_SINK_MAX) {
		stream->state = STREAM_BLOCKED;
		return;
	}
	stream->buffer = buffer_take(pump);
	if (!stream->buffer && pump->n_buffers == 0) {
		stream_nap(stream); /* out of memory: nobody will give one back, try again */
		return;
	}
	if (!stream->buffer) {
		stream->state = STREAM_STARVED;
		list_push(&pump->starved, stream);
		return;
	}
	stream->state = STREAM_READING;
	room = stream->sink->mask ? MASK_HEADROOM : 0;
	io_read(pump->engine, &stream->op, stream->fd, stream->buffer->data + room,
		LOG_BUFFER_SIZE - room);
}

static void sink_failed(struct log_sink *sink, int number, uint64_t lost)
{
	if (sink->result.error == 0) {
		sink->result.error = number;
		log_error("cannot write a step's log: %s; what it prints is lost%s",
			  strerror(number), number == EFBIG ? "" : " until there is room again");
	}
	sink->result.lost += lost;
}

static bool room_left(int fd)
{
	struct statvfs status;
	uint64_t floor;

	/* a file system without a size (memory) has nothing to say */
	if (fstatvfs(fd, &status) < 0 || status.f_blocks == 0)
		return true;
	floor = (uint64_t)status.f_blocks * status.f_frsize / 32;
	if (floor > LOG_ROOM_MIN)
		floor = LOG_ROOM_MIN;
	return (uint64_t)status.f_bavail * status.f_frsize >= floor;
}

/* One step must not take the disk from all others. Return: 0, or the errno of the loss. */
static int sink_admit(struct log_sink *sink, size_t size)
{
	if (sink->kept + size > LOG_BYTES_MAX)
		return EFBIG;
	sink->unlooked += size;
	if (sink->unlooked >= ROOM_STEP) {
		sink->no_room = !room_left(sink->log_fd);
		sink->unlooked = 0;
	}
	if (sink->no_room)
		return ENOSPC;
	sink->kept += size;
	return 0;
}

static void chunk_push(struct log_stream *stream, struct log_buffer *buffer, size_t size)
{
	struct log_sink *sink = stream->sink;
	int refused = sink_admit(sink, size);

	if (refused) {
		sink_failed(sink, refused, size);
		buffer_give(sink->pump, buffer);
		return;
	}
	buffer->size = size;
	buffer->stream = stream->number;
	buffer->at_usec = wall_usec();
	if (sink->last)
		sink->last->next = buffer;
	else
		sink->first = buffer;
	sink->last = buffer;
	sink->n_chunks++;
}

/* ---- masking ---- */

static void patience_over(struct loop_timer *timer)
{
	struct log_stream *stream = container_of(timer, struct log_stream, patience);
	struct log_sink *sink = stream->sink;
	uint64_t due = stream->fed_usec + MASK_PATIENCE_USEC;
	struct log_buffer *buffer = NULL;

	if (!mask_stream_waits(&stream->mask))
		return;
	if (now_usec() >= due && sink->n_chunks < CHUNKS_PER_SINK_MAX)
		buffer = buffer_take(sink->pump);
	if (!buffer) { /* more came meanwhile, or the disk is slow */
		if (due <= now_usec())
			due = now_usec() + MASK_PATIENCE_USEC;
		(void)loop_timer_set(sink->pump->loop, timer, due, patience_over);
		return;
	}
	chunk_push(stream, buffer, mask_stream_release(&stream->mask, buffer->text));
	sink_progress(sink);
	io_submit(sink->pump->engine);
}

/* Return: how much of @buffer is to be written. */
static size_t stream_mask(struct log_stream *stream, struct log_buffer *buffer, size_t size)
{
	if (!stream->sink->mask)
		return size;
	size = mask_stream_feed(&stream->mask, buffer->data + MASK_HEADROOM, size, &buffer->text);
	stream->fed_usec = now_usec();
	if (!stream->patience.loop && mask_stream_waits(&stream->mask))
		(void)loop_timer_set(stream->sink->pump->loop, &stream->patience,
				     stream->fed_usec + MASK_PATIENCE_USEC, patience_over);
	return size;
}

/* What was held back is no secret, or not all of one: nothing follows any more. */
static void stream_unmask(struct log_stream *stream)
{
	size_t size;

	if (!stream->sink->mask)
		return;
	loop_timer_cancel(&stream->patience);
	size = mask_stream_finish(&stream->mask, stream->rest_data);
	stream->rest = (struct log_buffer){
		.embedded = true,
		.data = stream->rest_data,
		.text = stream->rest_data,
	};
	if (size > 0)
		chunk_push(stream, &stream->rest, size);
}

/* ---- reading ---- */

static void stream_end(struct log_stream *stream)
{
	stream_unmask(stream);
	stream->state = STREAM_ENDED;
	(void)close(stream->fd);
	stream->fd = -1;
	sink_progress(stream->sink);
}

static void stream_received(struct log_stream *stream, size_t size)
{
	struct log_sink *sink = stream->sink;
	struct log_buffer *buffer = TAKE_PTR(stream->buffer);
	size_t shown = stream_mask(stream, buffer, size);

	if (shown > 0)
		chunk_push(stream, buffer, shown);
	else
		buffer_give(sink->pump, buffer);
	if (stream->stopping)
		stream->stop_budget -= size < stream->stop_budget ? size : stream->stop_budget;
	if (size < NAP_BELOW && stream->nap && !stream->stopping)
		stream_nap(stream);
	else
		stream_continue(stream);
	sink_progress(sink);
}

static void stream_done(struct io_op *op, int result)
{
	struct log_stream *stream = container_of(op, struct log_stream, op);
	bool polled = stream->state == STREAM_POLLING;

	stream->state = STREAM_IDLE;
	if (polled) {
		/* also when it was cancelled: what the pipe holds is still read */
		stream_continue(stream);
		return;
	}
	if (result > 0) {
		stream_received(stream, (size_t)result);
		return;
	}
	buffer_give(stream->sink->pump, TAKE_PTR(stream->buffer));
	if (result == -EAGAIN || result == -ECANCELED || result == -EINTR) {
		stream_poll(stream);
		return;
	}
	if (result < 0)
		log_error("cannot read a step's output: %s", strerror(-result));
	stream_end(stream);
}

/* ---- writing ---- */

static void sink_unblock(struct log_sink *sink)
{
	for (size_t i = 0; i < ARRAY_SIZE(sink->streams); i++) {
		struct log_stream *stream = &sink->streams[i];

		if (stream->state == STREAM_BLOCKED && sink->n_chunks < CHUNKS_PER_SINK_MAX) {
			stream->state = STREAM_IDLE;
			stream_continue(stream);
		}
	}
}

static void sink_index(struct log_sink *sink, const struct log_buffer *buffer)
{
	uint64_t since =
		buffer->at_usec > sink->started_usec ? buffer->at_usec - sink->started_usec : 0;
	struct log_index_record *record;

	if (sink->index_broken)
		return;
	record = &sink->pending[sink->n_pending++];
	record->offset = sink->offset;
	record->time_and_stream = since | (uint64_t)buffer->stream << LOG_STREAM_SHIFT;
}

static void chunk_drop(struct log_sink *sink)
{
	struct log_buffer *buffer = sink->first;

	sink->first = buffer->next;
	if (!sink->first)
		sink->last = NULL;
	sink->n_chunks--;
	buffer_give(sink->pump, buffer);
	sink_unblock(sink);
}

static void write_done(struct io_op *op, int result)
{
	struct log_sink *sink = container_of(op, struct log_sink, write);
	struct log_buffer *buffer = sink->first;

	if (result > 0) {
		if (buffer->written == 0)
			sink_index(sink, buffer);
		buffer->written += (size_t)result;
		sink->offset += (uint64_t)result;
	} else if (result != -EINTR && result != -EAGAIN) {
		sink_failed(sink, result < 0 ? -result : EIO, buffer->size - buffer->written);
		buffer->written = buffer->size;
	}
	if (buffer->written == buffer->size)
		chunk_drop(sink);
	sink_progress(sink);
}

static void index_continue(struct log_sink *sink)
{
	size_t size = sink->n_flushing * sizeof(sink->flushing[0]);

	io_write(sink->pump->engine, &sink->index_write, sink->index_fd,
		 (char *)sink->flushing + sink->flushed_bytes, size - sink->flushed_bytes,
		 sink->index_offset + sink->flushed_bytes);
}

static void index_done(struct io_op *op, int result)
{
	struct log_sink *sink = container_of(op, struct log_sink, index_write);
	size_t size = sink->n_flushing * sizeof(sink->flushing[0]);

	if (result > 0)
		sink->flushed_bytes += (size_t)result;
	else if (result != -EINTR && result != -EAGAIN) {
		/* a record too few misplaces every later one: what is there stays right */
		sink->index_broken = true;
		sink->n_pending = 0;
		sink_failed(sink, result < 0 ? -result : EIO, 0);
	}
	if (!sink->index_broken && sink->flushed_bytes < size) {
		index_continue(sink);
		return;
	}
	sink->index_offset += size;
	sink->n_flushing = 0;
	sink_progress(sink);
}

static void index_flush(struct log_sink *sink)
{
	memcpy(sink->flushing, sink->pending, sink->n_pending * sizeof(sink->pending[0]));
	sink->n_flushing = sink->n_pending;
	sink->flushed_bytes = 0;
	sink->n_pending = 0;
	index_continue(sink);
}

/* ---- the end ---- */

static void sink_free(struct log_sink *sink)
{
	struct log_result result = sink->result;
	log_done_fn done = sink->done;
	void *userdata = sink->userdata;

	result.bytes = sink->offset;
	sink->pump->n_sinks--;
	(void)close(sink->log_fd);
	(void)close(sink->index_fd);
	sink->mask = mask_unref(sink->mask);
	free(sink);
	done(userdata, &result);
}

static void sync_progress(struct log_sink *sink, int result)
{
	if (result < 0)
		sink_failed(sink, -result, 0);
	if (!sink->sync_log.busy && !sink->sync_index.busy)
		sink_free(sink);
}

static void sync_log_done(struct io_op *op, int result)
{
	sync_progress(container_of(op, struct log_sink, sync_log), result);
}

static void sync_index_done(struct io_op *op, int result)
{
	sync_progress(container_of(op, struct log_sink, sync_index), result);
}

/* Everything that can be started now, and the end when nothing is left. */
static void sink_progress(struct log_sink *sink)
{
	struct io_engine *engine = sink->pump->engine;

	if (sink->first && !sink->write.busy && sink->n_pending < INDEX_RECORDS) {
		struct log_buffer *buffer = sink->first;

		io_write(engine, &sink->write, sink->log_fd, buffer->text + buffer->written,
			 buffer->size - buffer->written, sink->offset);
	}
	if (!sink->index_write.busy && sink->n_flushing == 0 && sink->n_pending > 0 &&
	    (!sink->first || sink->n_pending >= INDEX_FLUSH))
		index_flush(sink);
	if (sink->streams[0].state != STREAM_ENDED || sink->streams[1].state != STREAM_ENDED ||
	    sink->first || sink->write.busy || sink->index_write.busy || sink->n_pending > 0 ||
	    sink->syncing)
		return;
	sink->syncing = true;
	if (sink->offset == 0) {
		/* nothing worth a disk flush; a step without output is common */
		io_nap(engine, &sink->sync_log, 0);
		return;
	}
	io_sync(engine, &sink->sync_log, sink->log_fd);
	io_sync(engine, &sink->sync_index, sink->index_fd);
}

void log_sink_mask(struct log_sink *sink, struct mask *mask)
{
	sink->mask = mask_ref(mask);
	for (size_t i = 0; i < ARRAY_SIZE(sink->streams) && mask; i++)
		mask_stream_init(&sink->streams[i].mask, mask);
}

void log_sink_stop(struct log_sink *sink)
{
	struct log_pump *pump = sink->pump;

	for (size_t i = 0; i < ARRAY_SIZE(sink->streams); i++) {
		struct log_stream *stream = &sink->streams[i];

		if (stream->state == STREAM_ENDED || stream->stopping)
			continue;
		stream->stopping = true;
		stream->stop_budget = LOG_PIPE_SIZE;
		io_cancel(pump->engine, &stream->op);
	}
	io_submit(pump->engine);
}

/* ---- life ---- */

static void stream_init(struct log_sink *sink, size_t index, int fd)
{
	struct log_stream *stream = &sink->streams[index];

	*stream = (struct log_stream){
		.sink = sink,
		.op = IO_OP_INIT(stream_done),
		.state = STREAM_IDLE,
		.number = (unsigned)index + 1,
		.fd = fd,
		.patience = LOOP_TIMER_NULL,
		.nap = fcntl(fd, F_GETPIPE_SZ) >= (int)NAP_PIPE_MIN,
	};
}

int log_pump_open(struct log_pump *pump, int log_fd, int index_fd, int stdout_fd, int stderr_fd,
		  uint64_t started_usec, log_done_fn done, void *userdata,
		  struct log_sink **ret_sink, struct error *error)
{
	struct log_index_header header = {
		.magic = LOG_INDEX_MAGIC,
		.version = LOG_INDEX_VERSION,
		.started_usec = started_usec,
	};
	struct log_sink *sink;
	int r = fd_set_nonblock(stdout_fd, 1);

	if (r == 0)
		r = fd_set_nonblock(stderr_fd, 1);
	if (r < 0)
		return error_errno(error, -r, "cannot prepare a step's output");
	r = fd_write_all(index_fd, &header, sizeof(header));
	if (r < 0)
		return error_errno(error, -r, "cannot write the log's index");
	sink = calloc(1, sizeof(*sink));
	if (!sink)
		return error_set(error, ENOMEM, "out of memory for a step's log");
	sink->pump = pump;
	sink->log_fd = log_fd;
	sink->index_fd = index_fd;
	sink->started_usec = started_usec;
	sink->index_offset = sizeof(header);
	sink->write = IO_OP_INIT(write_done);
	sink->index_write = IO_OP_INIT(index_done);
	sink->sync_log = IO_OP_INIT(sync_log_done);
	sink->sync_index = IO_OP_INIT(sync_index_done);
	sink->done = done;
	sink->userdata = userdata;
	pump->n_sinks++;
	stream_init(sink, 0, stdout_fd);
	stream_init(sink, 1, stderr_fd);
	stream_poll(&sink->streams[0]);
	stream_poll(&sink->streams[1]);
	io_submit(pump->engine);
	*ret_sink = sink;
	return 0;
}

int log_pump_new(struct loop *loop, enum io_engine_kind kind, struct log_pump **ret_pump,
		 struct error *error)
{
	struct log_pump *pump = calloc(1, sizeof(*pump));

	if (!pump)
		return error_set(error, ENOMEM, "out of memory for the log pump");
	pump->loop = loop;
	pump->nap = IO_OP_INIT(nap_over);
	if (io_engine_new(loop, kind, &pump->engine, error) < 0) {
		free(pump);
		return -error->number;
	}
	*ret_pump = pump;
	return 0;
}

struct log_pump *log_pump_free(struct log_pump *pump)
{
	if (!pump)
		return NULL;
	if (pump->n_sinks > 0)
		log_error("the log pump ends with %u logs open", pump->n_sinks);
	pump->engine = io_engine_free(pump->engine);
	while (pump->free_buffers) {
		struct log_buffer *buffer = pump->free_buffers;

		pump->free_buffers = buffer->next;
		buffer_free(buffer);
	}
	free(pump);
	return NULL;
}

const char *log_pump_engine(const struct log_pump *pump)
{
	return io_engine_name(pump->engine);
}
