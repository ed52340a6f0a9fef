/* SPDX-License-Identifier: Apache-2.0 */

/* Buffers for chunks of output, and the notes on them for a successor. */

#include "common/cleanup.h"
#include "common/phases.h"
#include "daemon/log_pump_parts.h"

#include <assert.h>
#include <sys/mman.h>

void log_stream_set(struct log_stream *stream, enum stream_state to)
{
	/* when a wait is over the stream is idle for a moment, before it goes on */
	static const unsigned next[] = {
		[STREAM_IDLE] = PHASE(STREAM_POLLING) | PHASE(STREAM_READING) |
				PHASE(STREAM_THROTTLED) | PHASE(STREAM_NO_BUFFER) |
				PHASE(STREAM_BLOCKED) | PHASE(STREAM_ENDED),
		[STREAM_POLLING] = PHASE(STREAM_IDLE),
		[STREAM_READING] = PHASE(STREAM_IDLE),
		[STREAM_THROTTLED] = PHASE(STREAM_IDLE),
		[STREAM_NO_BUFFER] = PHASE(STREAM_IDLE),
		[STREAM_BLOCKED] = PHASE(STREAM_IDLE),
		[STREAM_ENDED] = 0,
	};

	assert(phase_may_follow(next, ARRAY_SIZE(next), stream->state, to));
	stream->state = to;
}

#define BUFFERS_KEPT 8

/* ---- buffers ---- */

static struct log_buffer *buffer_new(struct log_pump *pump)
{
	struct log_buffer *buffer = calloc(1, sizeof(*buffer));

	if (!buffer)
		return NULL;
	buffer->slot = pump->journal ? log_journal_take(pump->journal) : NULL;
	if (buffer->slot) {
		buffer->data = buffer->slot->data;
		return buffer;
	}
	/* mapped, not malloc'ed, so that the kernel really gets the memory back */
	buffer->data = mmap(NULL, LOG_BUFFER_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buffer->data == MAP_FAILED) {
		free(buffer);
		return NULL;
	}
	/* it contains output from before it was masked */
	(void)madvise(buffer->data, LOG_BUFFER_SIZE, MADV_DONTDUMP);
	return buffer;
}

static void buffer_free(struct log_pump *pump, struct log_buffer *buffer)
{
	if (buffer->slot)
		log_journal_give(pump->journal, buffer->slot);
	else
		(void)munmap(buffer->data, LOG_BUFFER_SIZE);
	free(buffer);
}

struct log_buffer *log_buffer_take(struct log_pump *pump)
{
	struct log_buffer *buffer = pump->free_buffers;

	if (buffer) {
		pump->free_buffers = buffer->next;
		pump->n_free--;
	} else if (pump->n_buffers < LOG_BUFFERS_MAX) {
		buffer = buffer_new(pump);
		if (buffer)
			pump->n_buffers++;
	}
	if (buffer) {
		buffer->next = NULL;
		buffer->size = 0;
		buffer->written = 0;
		buffer->text = buffer->data;
		buffer->kept = false;
	}
	return buffer;
}

void log_buffer_give(struct log_pump *pump, struct log_buffer *buffer)
{
	struct log_stream *stream;

	if (buffer->embedded)
		return;
	if (buffer->slot)
		log_slot_done(buffer->slot);
	if (pump->n_free < BUFFERS_KEPT && !(buffer->secret && pump->n_masked == 0)) {
		buffer->next = pump->free_buffers;
		pump->free_buffers = buffer;
		pump->n_free++;
	} else {
		buffer_free(pump, buffer);
		pump->n_buffers--;
	}
	stream = list_entry(list_pop(&pump->no_buffer), struct log_stream, waiting);
	if (stream) {
		log_stream_set(stream, STREAM_IDLE);
		stream->resume(stream);
	}
}

void log_buffers_free(struct log_pump *pump)
{
	while (pump->free_buffers) {
		struct log_buffer *buffer = pump->free_buffers;

		pump->free_buffers = buffer->next;
		buffer_free(pump, buffer);
	}
}

void log_sink_unmask(struct log_sink *sink)
{
	struct log_pump *pump = sink->pump;
	struct log_buffer **at = &pump->free_buffers;

	if (!sink->mask)
		return;
	sink->mask = mask_unref(sink->mask);
	if (--pump->n_masked > 0)
		return;
	while (*at) {
		struct log_buffer *buffer = *at;

		if (!buffer->secret) {
			at = &buffer->next;
			continue;
		}
		*at = buffer->next;
		buffer_free(pump, buffer);
		pump->n_free--;
		pump->n_buffers--;
	}
}

/* ---- for a successor ---- */

void log_mask_persist(struct log_kept *kept, unsigned stream, uint64_t sequence,
		      const struct mask_stream *mask)
{
	struct log_kept_mask *places = kept->masks[stream - 1];
	struct log_kept_mask *place = &places[places[0].sequence < places[1].sequence ? 0 : 1];

	/* overwrite the older state; the newer one is valid until this .sequence is set */
	place->mask = *mask;
	__atomic_store_n(&place->sequence, sequence, __ATOMIC_SEQ_CST);
}

void log_buffer_persist(struct log_stream *stream, struct log_buffer *buffer, size_t size)
{
	struct log_sink *sink = stream->sink;
	uint64_t sequence = ++sink->pump->last_sequence;
	bool masked = sink->mask != NULL;

	log_slot_queue(buffer->slot, sequence, buffer->at_usec,
		       (size_t)(buffer->text - buffer->data), size, masked ? &stream->mask : NULL);
	if (masked)
		log_mask_persist(sink->kept, stream->number, sequence, &stream->mask);
}
