/* SPDX-License-Identifier: Apache-2.0 */

/* Logs that outlive their process: what a sink keeps, and how a successor goes on with it. */

#include "common/cleanup.h"
#include "common/log.h"
#include "daemon/log_pump_parts.h"

#include <errno.h>
#include <sys/stat.h>

int log_pump_persist(struct log_pump *pump, struct fd_store *store)
{
	struct error error = ERROR_INIT;

	if (log_journal_new(store, &pump->journal, &error) < 0)
		log_warning("output on its way would not outlive runbookd: %s", error.text);
	return -error.number;
}

void log_sink_persist(struct log_sink *sink, uint64_t id, struct log_kept *kept)
{
	if (!kept || !sink->pump->journal)
		return;
	free(sink->kept);
	sink->kept_is_own = false;
	sink->kept = kept;
	kept->n_records = sink->n_indexed;
	sink->id = id;
}

/* The sizes of the files tell how much was written; the rest is in .kept and in slots. */
static int files_look(struct log_sink *sink)
{
	const struct log_index_header header = {
		.magic = LOG_INDEX_MAGIC,
		.version = LOG_INDEX_VERSION_PLAIN,
		.started_usec = sink->started_usec,
	};
	struct stat log, index;

	if (fstat(sink->log_fd, &log) < 0 || fstat(sink->index_fd, &index) < 0)
		return -errno;
	sink->offset = (uint64_t)log.st_size;
	/* the index of a log that an older runbookd began has no place for a cut */
	if (log_cut_read(sink->index_fd, &sink->cut) == 0 && sink->cut.version == LOG_INDEX_VERSION)
		sink->first_record = LOG_CUT_RECORDS;
	sink->punch_due = sink->cut.end > sink->cut.start;
	if ((size_t)index.st_size < sizeof(header) &&
	    pwrite(sink->index_fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header))
		return -EIO;
	if ((size_t)index.st_size > sizeof(header))
		sink->n_indexed = ((uint64_t)index.st_size - sizeof(header)) /
				  sizeof(struct log_index_record);
	if (sink->kept->index_broken || sink->n_indexed > sink->kept->n_records ||
	    sink->kept->n_records - sink->n_indexed > LOG_RECORDS)
		sink->n_indexed = sink->kept->n_records;
	return 0;
}

/*
 * @buffer, @size bytes, was being written at @base. Return: how many bytes were written. If
 * any were and the index has no record of the chunk, make that.
 */
static uint64_t written_of(struct log_sink *sink, const struct log_buffer *buffer, uint64_t base,
			   uint64_t size)
{
	const struct log_kept *kept = sink->kept;
	uint64_t end = sink->offset;

	if (end <= base)
		return 0;
	sink->offset = base;
	if (kept->n_records == sink->first_record ||
	    kept->records[(kept->n_records - 1) % LOG_RECORDS].offset < base)
		log_sink_index(sink, buffer);
	sink->offset = end;
	return end - base < size ? end - base : size;
}

/* ---- state of masks ---- */

static void mask_resume(struct log_stream *stream, const struct mask_stream *mask)
{
	if (mask->n_held > sizeof(mask->held) || !stream->sink->mask)
		return;
	stream->mask = *mask;
	stream->mask.mask = stream->sink->mask;
}

/* @sequences: set to the number of the chunk after which the mask of each stream was so. */
static void masks_resume(struct log_sink *sink, uint64_t sequences[2])
{
	for (size_t i = 0; i < ARRAY_SIZE(sink->streams); i++) {
		const struct log_kept_mask *places = sink->kept->masks[i];
		const struct log_kept_mask *place =
			&places[places[0].sequence < places[1].sequence ? 1 : 0];

		sequences[i] = place->sequence;
		if (place->sequence > sink->pump->last_sequence)
			sink->pump->last_sequence = place->sequence;
		if (place->sequence > 0)
			mask_resume(&sink->streams[i], &place->mask);
	}
}

/*
 * A predecessor may have written bytes that were held back until the end of the stream. This
 * process sees that end again: note how many of them need not be written again.
 */
static void rest_resume(struct log_sink *sink, struct log_stream *stream)
{
	uint64_t *base = &sink->kept->rest_base[stream->number - 1];
	const struct log_buffer rest = {.stream = stream->number, .at_usec = wall_usec()};

	if (*base == 0 || !sink->mask)
		return;
	stream->rest_written = written_of(sink, &rest, *base - 1, MASK_HEADROOM);
	if (stream->rest_written == 0)
		*base = 0;
}

/* ---- chunks ---- */

static struct log_buffer *buffer_of(struct log_pump *pump, struct log_slot *slot)
{
	struct log_buffer *buffer = calloc(1, sizeof(*buffer));

	if (!buffer)
		return NULL;
	buffer->slot = slot;
	buffer->data = buffer->text = slot->data;
	buffer->stream = slot->head->stream;
	buffer->at_usec = slot->head->at_usec;
	buffer->kept = true;
	pump->n_buffers++;
	return buffer;
}

static int chunks_recover(struct log_sink *sink)
{
	struct log_pump *pump = sink->pump;
	uint64_t sequences[2];
	struct log_slot *slot;

	masks_resume(sink, sequences);
	while ((slot = log_journal_recover(pump->journal, sink->id)) != NULL) {
		const struct log_slot_head *head = slot->head;
		struct log_stream *stream = &sink->streams[head->stream == 2 ? 1 : 0];
		struct log_buffer *buffer = buffer_of(pump, slot);

		if (!buffer)
			return -ENOMEM;
		buffer->secret = sink->mask != NULL;
		if (head->state == LOG_SLOT_TAKEN) {
			/* not masked yet; it is the last chunk of its stream */
			log_stream_chunk(stream, buffer, head->size);
			continue;
		}
		if (head->sequence > pump->last_sequence)
			pump->last_sequence = head->sequence;
		if (head->sequence > sequences[stream->number - 1] && sink->mask) {
			/* the predecessor was killed within log_buffer_persist(); note the mask's
			 * state now, because we may be killed as well */
			mask_resume(stream, &head->mask);
			log_mask_persist(sink->kept, stream->number, head->sequence, &head->mask);
			sequences[stream->number - 1] = head->sequence;
		}
		buffer->text += head->text;
		buffer->size = head->text_size;
		if (head->state == LOG_SLOT_WRITING)
			buffer->written = written_of(sink, buffer, head->base, buffer->size);
		if (buffer->written == buffer->size)
			log_buffer_give(pump, buffer);
		else
			log_chunk_append(sink, buffer);
	}
	for (size_t i = 0; i < ARRAY_SIZE(sink->streams); i++) {
		rest_resume(sink, &sink->streams[i]);
		log_stream_watch(&sink->streams[i]);
	}
	return 0;
}

int log_pump_adopt(struct log_pump *pump, int fds[4], struct mask *mask, uint64_t started_usec,
		   log_done_fn done, void *userdata, uint64_t id, struct log_kept *kept,
		   struct log_sink **ret_sink, struct error *error)
{
	struct log_sink *sink;
	int r = log_streams_prepare(fds[2], fds[3], error);

	if (r < 0)
		return r;
	sink = log_sink_new(pump, fds, started_usec, done, userdata);
	if (!sink || !pump->journal) {
		free(sink);
		return error_set(error, ENOMEM, "out of memory for a step's log");
	}
	sink->kept = kept;
	sink->id = id;
	log_sink_mask(sink, mask);
	r = files_look(sink);
	if (r == 0)
		r = chunks_recover(sink);
	if (r < 0) {
		while (sink->first)
			log_chunk_drop(sink);
		for (size_t i = 0; i < ARRAY_SIZE(sink->streams); i++)
			loop_timer_cancel(&sink->streams[i].hold);
		log_sink_unmask(sink);
		free(sink);
		return error_errno(error, -r, "cannot go on with a step's log");
	}
	for (size_t i = 0; i < 4; i++)
		fds[i] = -1;
	log_sink_begin(sink);
	*ret_sink = sink;
	return 0;
}

void log_pump_settle(struct log_pump *pump)
{
	if (pump->journal)
		log_journal_settle(pump->journal);
}
