/* SPDX-License-Identifier: Apache-2.0 */

/* The sinks of the log pump: which output is admitted, written and synced, and which is lost. */

#include "common/cleanup.h"
#include "common/log.h"
#include "daemon/log_pump_parts.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

#define ROOM_STEP (4 * MIB) /* between two checks of the free space; short logs always fit */
#define INDEX_FLUSH 64

/* ---- admission ---- */

void log_sink_failed(struct log_sink *sink, int number, uint64_t lost)
{
	if (sink->kept->error == 0) {
		sink->kept->error = number;
		log_error("cannot write a step's log: %s; what it prints is lost%s",
			  strerror(number), number == EFBIG ? "" : " until there is room again");
	}
	sink->kept->lost += lost;
}

static bool room_left(int fd)
{
	struct statvfs status;
	uint64_t floor;

	/* a file system without a size (in memory) has no limit */
	if (fstatvfs(fd, &status) < 0 || status.f_blocks == 0)
		return true;
	floor = (uint64_t)status.f_blocks * status.f_frsize / 32;
	if (floor > LOG_ROOM_MIN)
		floor = LOG_ROOM_MIN;
	return (uint64_t)status.f_bavail * status.f_frsize >= floor;
}

/* One step must not take all of the disk. */
int log_sink_admit(struct log_sink *sink, size_t size)
{
	if (sink->cut.limit == 0 && sink->kept->admitted + size > LOG_BYTES_MAX)
		return EFBIG;
	sink->unlooked += size;
	if (sink->unlooked >= ROOM_STEP) {
		sink->no_room = !room_left(sink->log_fd);
		sink->unlooked = 0;
	}
	if (sink->no_room)
		return ENOSPC;
	sink->kept->admitted += size;
	return 0;
}

void log_chunk_append(struct log_sink *sink, struct log_buffer *buffer)
{
	buffer->next = NULL;
	if (sink->last)
		sink->last->next = buffer;
	else
		sink->first = buffer;
	sink->last = buffer;
	sink->n_chunks++;
}

/* ---- writing ---- */

static void sink_unblock(struct log_sink *sink)
{
	for (size_t i = 0; i < ARRAY_SIZE(sink->streams); i++) {
		struct log_stream *stream = &sink->streams[i];

		if (stream->state == STREAM_BLOCKED && sink->n_chunks < CHUNKS_PER_SINK_MAX) {
			log_stream_set(stream, STREAM_IDLE);
			stream->resume(stream);
		}
	}
}

void log_chunk_drop(struct log_sink *sink)
{
	struct log_buffer *buffer = sink->first;

	sink->first = buffer->next;
	if (!sink->first)
		sink->last = NULL;
	sink->n_chunks--;
	log_buffer_give(sink->pump, buffer);
	sink_unblock(sink);
}

void log_write_done(struct io_op *op, int result)
{
	struct log_sink *sink = container_of(op, struct log_sink, write);
	struct log_buffer *buffer = sink->first;

	if (result > 0) {
		if (buffer->written == 0)
			log_sink_index(sink, buffer);
		buffer->written += (size_t)result;
		sink->offset += (uint64_t)result;
		log_share_grow(sink->share, result);
	} else if (result != -EINTR && result != -EAGAIN) {
		log_sink_failed(sink, result < 0 ? -result : EIO, buffer->size - buffer->written);
		buffer->written = buffer->size;
	}
	if (buffer->written == buffer->size)
		log_chunk_drop(sink);
	log_sink_progress(sink);
}

/* ---- the end ---- */

static void sink_free(struct log_sink *sink)
{
	struct log_result result = {.bytes = 0};
	log_done_fn done = sink->done;
	void *userdata = sink->userdata;

	result.bytes = sink->offset;
	result.cut = sink->cut.end - sink->cut.start;
	result.lost = sink->kept->lost;
	result.error = sink->kept->error;
	sink->pump->n_sinks--;
	if (sink->kept_is_own)
		free(sink->kept);
	(void)close(sink->log_fd);
	(void)close(sink->index_fd);
	log_sink_unmask(sink);
	free(sink);
	done(userdata, &result);
}

static void sync_progress(struct log_sink *sink, int result)
{
	if (result < 0)
		log_sink_failed(sink, -result, 0);
	if (!sink->sync_log.busy && !sink->sync_index.busy)
		sink_free(sink);
}

void log_sync_log_done(struct io_op *op, int result)
{
	sync_progress(container_of(op, struct log_sink, sync_log), result);
}

void log_sync_index_done(struct io_op *op, int result)
{
	sync_progress(container_of(op, struct log_sink, sync_index), result);
}

static void log_buffer_writing(struct log_sink *sink, const struct log_buffer *buffer)
{
	if (buffer->kept)
		log_slot_write(buffer->slot, sink->offset);
	else if (buffer->embedded)
		sink->kept->rest_base[buffer->stream - 1] = sink->offset + 1;
}

/* Write the first chunk, or first make the hole that it needs. */
static void write_next(struct log_sink *sink)
{
	struct log_buffer *buffer = sink->first;

	if (sink->punch_due) {
		log_cut_punch(sink); /* a predecessor noted the hole, and may not have made it */
		return;
	}
	if (buffer->written == 0 && log_cut_wanted(sink, buffer->size)) {
		log_cut_grow(sink);
		return;
	}
	if (buffer->written == 0)
		log_buffer_writing(sink, buffer);
	io_write(sink->pump->engine, &sink->write, sink->log_fd, buffer->text + buffer->written,
		 buffer->size - buffer->written, sink->offset);
}

void log_sink_progress(struct log_sink *sink)
{
	struct io_engine *engine = sink->pump->engine;

	if (sink->first && !sink->write.busy && !sink->punch.busy &&
	    log_sink_unindexed(sink) < LOG_RECORDS)
		write_next(sink);
	if (!sink->index_write.busy && sink->flushing_bytes == 0 && log_sink_unindexed(sink) > 0 &&
	    (!sink->first || log_sink_unindexed(sink) >= INDEX_FLUSH))
		log_index_flush(sink);
	if (sink->streams[0].state != STREAM_ENDED || sink->streams[1].state != STREAM_ENDED ||
	    sink->first || sink->write.busy || sink->punch.busy || sink->index_write.busy ||
	    log_sink_unindexed(sink) > 0 || sink->syncing)
		return;
	sink->syncing = true;
	if (sink->offset == 0) {
		/* no output, which is common, is not worth a disk flush */
		io_delay(engine, &sink->sync_log, 0);
		return;
	}
	io_sync(engine, &sink->sync_log, sink->log_fd);
	io_sync(engine, &sink->sync_index, sink->index_fd);
}
