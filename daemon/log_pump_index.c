/* SPDX-License-Identifier: Apache-2.0 */

/* The records of the index: time and stream of each chunk. They are written after the log, many
 * at once. */

#include "common/cleanup.h"
#include "daemon/log_pump_parts.h"

#include <errno.h>

size_t log_sink_unindexed(const struct log_sink *sink)
{
	return (size_t)(sink->kept->n_records - sink->n_indexed);
}

void log_sink_index(struct log_sink *sink, const struct log_buffer *buffer)
{
	struct log_kept *kept = sink->kept;
	uint64_t since =
		buffer->at_usec > sink->started_usec ? buffer->at_usec - sink->started_usec : 0;
	struct log_index_record *record = &kept->records[kept->n_records % LOG_RECORDS];

	if (kept->index_broken)
		return;
	record->offset = sink->offset;
	record->time_and_stream = since | (uint64_t)buffer->stream << LOG_STREAM_SHIFT;
	__atomic_store_n(&kept->n_records, kept->n_records + 1, __ATOMIC_SEQ_CST);
}

static void index_continue(struct log_sink *sink)
{
	const char *data = (const char *)&sink->kept->records[sink->n_indexed % LOG_RECORDS];

	io_write(sink->pump->engine, &sink->index_write, sink->index_fd, data + sink->flushed_bytes,
		 sink->flushing_bytes - sink->flushed_bytes,
		 sizeof(struct log_index_header) +
			 sink->n_indexed * sizeof(struct log_index_record) + sink->flushed_bytes);
}

void log_index_done(struct io_op *op, int result)
{
	struct log_sink *sink = container_of(op, struct log_sink, index_write);

	if (result > 0) {
		sink->flushed_bytes += (size_t)result;
		log_share_grow(sink->share, result);
	} else if (result != -EINTR && result != -EAGAIN) {
		/* without this record later ones would be at wrong places: write no more, so that
		 * the records in the file stay right */
		sink->kept->index_broken = 1;
		sink->n_indexed = sink->kept->n_records;
		log_sink_failed(sink, result < 0 ? -result : EIO, 0);
	}
	if (!sink->kept->index_broken && sink->flushed_bytes < sink->flushing_bytes) {
		index_continue(sink);
		return;
	}
	if (!sink->kept->index_broken)
		sink->n_indexed += sink->flushing_bytes / sizeof(struct log_index_record);
	sink->flushing_bytes = 0;
	log_sink_progress(sink);
}

/* Write records from the ring itself, up to its end at most: the next write has the rest. */
void log_index_flush(struct log_sink *sink)
{
	size_t n = log_sink_unindexed(sink);
	size_t to_end = LOG_RECORDS - (size_t)(sink->n_indexed % LOG_RECORDS);

	sink->flushing_bytes = (n < to_end ? n : to_end) * sizeof(struct log_index_record);
	sink->flushed_bytes = 0;
	index_continue(sink);
}
