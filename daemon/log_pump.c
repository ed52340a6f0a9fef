/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/log_pump.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/log.h"
#include "daemon/log_pump_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define THROTTLE_USEC 200
#define THROTTLE_BELOW (32 * KIB)     /* a read shorter than this is followed by a pause */
#define THROTTLE_PIPE_MIN (256 * KIB) /* a smaller pipe would fill up during the pause */
#define PIPE_DEFAULT_BYTES (64 * KIB)
#define PIPE_GROW_BYTES (16 * KIB) /* output after which such a pipe is made larger */

static void stream_end(struct log_stream *stream);
static void stream_continue(struct log_stream *stream);

/* A pipe that the kernel made small, because the user has many, is not made larger. */
static void stream_pipe_look(struct log_stream *stream)
{
	int size = fcntl(stream->fd, F_GETPIPE_SZ);

	stream->throttle = size >= (int)THROTTLE_PIPE_MIN;
	stream->grows = !stream->throttle && size >= (int)PIPE_DEFAULT_BYTES;
}

/* ---- waiting ---- */

static void stream_poll(struct log_stream *stream)
{
	if (stream->stopping) {
		stream_end(stream); /* the pipe is empty, and further output is not waited for */
		return;
	}
	log_stream_set(stream, STREAM_POLLING);
	io_poll(stream->sink->pump->engine, &stream->op, stream->fd);
}

static void throttle_over(struct io_op *op, int result)
{
	struct log_pump *pump = container_of(op, struct log_pump, throttle);
	struct list_node *last = pump->throttled.last, *node = NULL;

	/* a stream that is throttled again at once is appended behind @last, and waits again */
	while (node != last) {
		struct log_stream *stream;

		node = list_pop(&pump->throttled);
		stream = list_entry(node, struct log_stream, waiting);
		log_stream_set(stream, STREAM_IDLE);
		stream_continue(stream);
	}
}

/* One timer for all throttled streams; a late one waits less than THROTTLE_USEC. */
static void stream_throttle(struct log_stream *stream)
{
	struct log_pump *pump = stream->sink->pump;

	log_stream_set(stream, STREAM_THROTTLED);
	list_append(&pump->throttled, &stream->waiting);
	if (!pump->throttle.busy)
		io_delay(pump->engine, &pump->throttle, THROTTLE_USEC);
}

/*
 * Move output from the step's pipe into the pipe of the buffer's slot, which has no other
 * reader or writer. Return: whether there is output to be read into the buffer.
 */
static bool stream_pull(struct log_stream *stream)
{
	struct log_sink *sink = stream->sink;
	ssize_t n = log_slot_pull(stream->buffer->slot, sink->id, stream->number, stream->fd,
				  sink->mask != NULL);

	stream->buffer->kept = n > 0;
	if (n > 0)
		return true;
	log_slot_done(stream->buffer->slot);
	if (n == -EINVAL) {
		stream->direct = true; /* not a pipe: output on its way does not outlive us */
		return true;
	}
	log_buffer_give(sink->pump, TAKE_PTR(stream->buffer));
	if (n == -EAGAIN || n == -EINTR) {
		stream_poll(stream);
		return false;
	}
	if (n < 0)
		log_error("cannot read a step's output: %s", strerror((int)-n));
	stream_end(stream);
	return false;
}

static void stream_read(struct log_stream *stream)
{
	struct log_buffer *buffer = stream->buffer;
	size_t room = stream->sink->mask ? MASK_HEADROOM : 0;
	char *data = buffer->data + room;
	struct log_slot *slot = buffer->kept ? buffer->slot : NULL;

	log_stream_set(stream, STREAM_READING);
	if (slot)
		data = log_slot_raw(slot);
	io_read(stream->sink->pump->engine, &stream->op, slot ? slot->read_fd : stream->fd,
		data + buffer->size, LOG_BUFFER_SIZE - room - buffer->size);
}

/* Read, or enter the state that says what must happen first. */
static void stream_continue(struct log_stream *stream)
{
	struct log_pump *pump = stream->sink->pump;

	if (stream->stopping && stream->stop_budget == 0) {
		stream_end(stream);
		return;
	}
	if (stream->sink->n_chunks >= CHUNKS_PER_SINK_MAX) {
		log_stream_set(stream, STREAM_BLOCKED);
		return;
	}
	stream->buffer = log_buffer_take(pump);
	if (!stream->buffer && pump->n_buffers == 0) {
		stream_throttle(stream); /* out of memory, and no buffer can come back: try again */
		return;
	}
	if (!stream->buffer) {
		log_stream_set(stream, STREAM_NO_BUFFER);
		list_append(&pump->no_buffer, &stream->waiting);
		return;
	}
	stream->buffer->secret = stream->buffer->secret || stream->sink->mask;
	if (stream->sink->id == 0 || stream->direct || !stream->buffer->slot || stream_pull(stream))
		stream_read(stream);
}

static void chunk_push(struct log_stream *stream, struct log_buffer *buffer, size_t size)
{
	struct log_sink *sink = stream->sink;
	int refused = log_sink_admit(sink, size);

	if (refused) {
		log_sink_failed(sink, refused, size);
		if (buffer->kept)
			log_buffer_persist(stream, buffer, 0);
		log_buffer_give(sink->pump, buffer);
		return;
	}
	buffer->size = size;
	buffer->stream = stream->number;
	buffer->at_usec = wall_usec();
	if (buffer->kept)
		log_buffer_persist(stream, buffer, size);
	log_chunk_append(sink, buffer);
}

/* ---- masking ---- */

/* There was no output for MASK_HOLD_USEC: show bytes that the mask held back. */
static void hold_over(struct loop_timer *timer)
{
	struct log_stream *stream = container_of(timer, struct log_stream, hold);
	struct log_sink *sink = stream->sink;
	uint64_t due = stream->fed_usec + MASK_HOLD_USEC;
	struct log_buffer *buffer = NULL;

	if (!mask_stream_waits(&stream->mask))
		return;
	if (now_usec() >= due && sink->n_chunks < CHUNKS_PER_SINK_MAX)
		buffer = log_buffer_take(sink->pump);
	if (!buffer) { /* there was further output meanwhile, or the disk is slow */
		if (due <= now_usec())
			due = now_usec() + MASK_HOLD_USEC;
		(void)loop_timer_set(sink->pump->loop, timer, due, hold_over);
		return;
	}
	if (sink->id != 0 && buffer->slot) {
		buffer->kept = true;
		log_slot_begin(buffer->slot, sink->id, stream->number);
	}
	chunk_push(stream, buffer, mask_stream_release(&stream->mask, buffer->text));
	log_sink_progress(sink);
	io_submit(sink->pump->engine);
}

void log_stream_watch(struct log_stream *stream)
{
	if (!stream->sink->mask)
		return;
	stream->fed_usec = now_usec();
	if (!stream->hold.loop && mask_stream_waits(&stream->mask))
		(void)loop_timer_set(stream->sink->pump->loop, &stream->hold,
				     stream->fed_usec + MASK_HOLD_USEC, hold_over);
}

/* Return: how much of @buffer is to be written. */
static size_t stream_mask(struct log_stream *stream, struct log_buffer *buffer, size_t size)
{
	if (!stream->sink->mask)
		return size;
	/* a successor may have to mask this output again, so leave it as it was read */
	if (buffer->kept)
		memcpy(buffer->data + MASK_HEADROOM, log_slot_raw(buffer->slot), size);
	size = mask_stream_feed(&stream->mask, buffer->data + MASK_HEADROOM, size, &buffer->text);
	log_stream_watch(stream);
	return size;
}

/* The stream has ended, so bytes that were held back cannot become a whole secret any more. */
static void stream_unmask(struct log_stream *stream)
{
	size_t size;

	if (!stream->sink->mask)
		return;
	loop_timer_cancel(&stream->hold);
	size = mask_stream_finish(&stream->mask, stream->rest_data);
	stream->rest = (struct log_buffer){
		.embedded = true,
		.data = stream->rest_data,
		.text = stream->rest_data,
	};
	if (size <= stream->rest_written)
		return;
	chunk_push(stream, &stream->rest, size);
	stream->rest.written = stream->rest_written;
}

/* ---- reading ---- */

static void stream_end(struct log_stream *stream)
{
	stream_unmask(stream);
	log_stream_set(stream, STREAM_ENDED);
	(void)close(stream->fd);
	stream->fd = -1;
	log_sink_progress(stream->sink);
}

void log_stream_chunk(struct log_stream *stream, struct log_buffer *buffer, size_t size)
{
	size_t shown = stream_mask(stream, buffer, size);

	if (shown > 0) {
		chunk_push(stream, buffer, shown);
		return;
	}
	if (buffer->kept)
		log_buffer_persist(stream, buffer, 0);
	log_buffer_give(stream->sink->pump, buffer);
}

/*
 * The kernel keeps 16 KiB for a pipe of LOG_PIPE_SIZE, full or empty, and most steps print a few
 * lines, so only a stream with some output gets one.
 */
static void stream_grow(struct log_stream *stream, size_t size)
{
	if (!stream->grows)
		return;
	stream->early_bytes += size;
	if (stream->early_bytes < PIPE_GROW_BYTES)
		return;
	/* the kernel may refuse (fs.pipe-user-pages-soft): the default size works too */
	(void)fcntl(stream->fd, F_SETPIPE_SZ, (int)LOG_PIPE_SIZE);
	stream_pipe_look(stream);
	stream->grows = false;
}

static void stream_received(struct log_stream *stream, size_t size)
{
	struct log_sink *sink = stream->sink;

	stream_grow(stream, size);
	log_stream_chunk(stream, TAKE_PTR(stream->buffer), size);
	if (stream->stopping)
		stream->stop_budget -= size < stream->stop_budget ? size : stream->stop_budget;
	if (size < THROTTLE_BELOW && stream->throttle && !stream->stopping)
		stream_throttle(stream);
	else
		stream_continue(stream);
	log_sink_progress(sink);
}

/* All output that log_slot_pull() moved is in the slot's pipe: read on until it is complete. */
static void stream_filled(struct log_stream *stream, int result)
{
	struct log_buffer *buffer = stream->buffer;

	if (result > 0)
		buffer->size += (size_t)result;
	if (buffer->size >= buffer->slot->head->size) {
		stream_received(stream, buffer->size);
	} else if (result > 0 || result == -EAGAIN || result == -ECANCELED || result == -EINTR) {
		stream_read(stream);
	} else {
		log_sink_failed(stream->sink, result < 0 ? -result : EIO,
				buffer->slot->head->size - buffer->size);
		stream_received(stream, buffer->size);
	}
}

static void stream_done(struct io_op *op, int result)
{
	struct log_stream *stream = container_of(op, struct log_stream, op);
	bool polled = stream->state == STREAM_POLLING;

	log_stream_set(stream, STREAM_IDLE);
	if (polled) {
		/* also after a cancellation: the output that is in the pipe is still read */
		stream_continue(stream);
		return;
	}
	if (stream->buffer->kept) {
		stream_filled(stream, result);
		return;
	}
	if (result > 0) {
		stream_received(stream, (size_t)result);
		return;
	}
	log_buffer_give(stream->sink->pump, TAKE_PTR(stream->buffer));
	if (result == -EAGAIN || result == -ECANCELED || result == -EINTR) {
		stream_poll(stream);
		return;
	}
	if (result < 0)
		log_error("cannot read a step's output: %s", strerror(-result));
	stream_end(stream);
}

void log_sink_mask(struct log_sink *sink, struct mask *mask)
{
	sink->mask = mask_ref(mask);
	sink->pump->n_masked += mask != NULL;
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
		.resume = stream_continue,
		.state = STREAM_IDLE,
		.number = (unsigned)index + 1,
		.fd = fd,
		.hold = LOOP_TIMER_NULL,
	};
	stream_pipe_look(stream);
}

struct log_sink *log_sink_new(struct log_pump *pump, const int fds[4], uint64_t started_usec,
			      log_done_fn done, void *userdata)
{
	struct log_sink *sink = calloc(1, sizeof(*sink));

	if (!sink)
		return NULL;
	sink->pump = pump;
	sink->log_fd = fds[0];
	sink->index_fd = fds[1];
	sink->started_usec = started_usec;
	sink->write = IO_OP_INIT(log_write_done);
	sink->index_write = IO_OP_INIT(log_index_done);
	sink->punch = IO_OP_INIT(log_punch_done);
	sink->sync_log = IO_OP_INIT(log_sync_log_done);
	sink->sync_index = IO_OP_INIT(log_sync_index_done);
	sink->done = done;
	sink->userdata = userdata;
	stream_init(sink, 0, fds[2]);
	stream_init(sink, 1, fds[3]);
	return sink;
}

void log_sink_begin(struct log_sink *sink)
{
	sink->pump->n_sinks++;
	stream_poll(&sink->streams[0]);
	stream_poll(&sink->streams[1]);
	log_sink_progress(sink);
	io_submit(sink->pump->engine);
}

int log_streams_prepare(int stdout_fd, int stderr_fd, struct error *error)
{
	int r = fd_set_nonblock(stdout_fd, 1);

	if (r == 0)
		r = fd_set_nonblock(stderr_fd, 1);
	return r < 0 ? error_errno(error, -r, "cannot prepare a step's output") : 0;
}

int log_pump_open(struct log_pump *pump, int log_fd, int index_fd, int stdout_fd, int stderr_fd,
		  uint64_t started_usec, log_done_fn done, void *userdata,
		  struct log_sink **ret_sink, struct error *error)
{
	const int fds[4] = {log_fd, index_fd, stdout_fd, stderr_fd};
	struct log_sink *sink;
	int r = log_streams_prepare(stdout_fd, stderr_fd, error);

	if (r < 0)
		return r;
	sink = log_sink_new(pump, fds, started_usec, done, userdata);
	if (sink)
		sink->kept = calloc(1, sizeof(*sink->kept));
	if (!sink || !sink->kept) {
		free(sink);
		return error_set(error, ENOMEM, "out of memory for a step's log");
	}
	r = log_index_begin(sink);
	if (r < 0) {
		free(sink->kept);
		free(sink);
		return error_errno(error, -r, "cannot write the log's index");
	}
	sink->kept_is_own = true;
	log_sink_begin(sink);
	*ret_sink = sink;
	return 0;
}

/* ---- life ---- */

int log_pump_new(struct loop *loop, enum io_engine_kind kind, struct log_pump **ret_pump,
		 struct error *error)
{
	struct log_pump *pump = calloc(1, sizeof(*pump));

	if (!pump)
		return error_set(error, ENOMEM, "out of memory for the log pump");
	pump->loop = loop;
	pump->throttle = IO_OP_INIT(throttle_over);
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
	log_buffers_free(pump);
	pump->journal = log_journal_free(pump->journal);
	free(pump);
	return NULL;
}
