/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Logs that would be too long: which part of the middle is dropped, and how.
 *
 * The hole begins and ends at the boundaries of chunks, which are in the index. The records
 * of chunks in the hole are dropped as well: a step that prints byte by byte has sixteen
 * times as many bytes of index as of log. The hole is noted in the index before it is made,
 * so that no reader takes its zeroes for output, and a successor can make it again.
 */

#include "common/cleanup.h"
#include "common/log.h"
#include "daemon/log_pump_parts.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define RECORD sizeof(struct log_index_record)

int log_index_begin(struct log_sink *sink)
{
	struct {
		struct log_index_header header;
		struct log_index_record records[LOG_CUT_RECORDS];
	} beginning = {.header = {.magic = LOG_INDEX_MAGIC,
				  .version = LOG_INDEX_VERSION,
				  .started_usec = sink->started_usec}};
	ssize_t n;

	sink->cut.version = LOG_INDEX_VERSION;
	log_cut_records(&sink->cut, beginning.records);
	n = pwrite(sink->index_fd, &beginning, sizeof(beginning), 0);
	if (n != (ssize_t)sizeof(beginning))
		return n < 0 ? -errno : -ENOSPC;
	sink->first_record = LOG_CUT_RECORDS;
	sink->n_indexed = sink->kept->n_records = LOG_CUT_RECORDS;
	return 0;
}

void log_sink_limit(struct log_sink *sink, uint64_t bytes)
{
	if (sink->cut.version != LOG_INDEX_VERSION || bytes == 0)
		return;
	sink->cut.limit = bytes < LOG_LIMIT_MIN ? LOG_LIMIT_MIN : bytes;
	if (log_cut_write(sink->index_fd, &sink->cut) < 0)
		log_warning("the limit of a step's log cannot be stored: a restart of runbookd "
			    "lifts it");
}

/* Bytes that log and index take on the disk together. */
static uint64_t used(const struct log_sink *sink)
{
	const struct log_cut *cut = &sink->cut;

	return sink->offset - (cut->end - cut->start) +
	       RECORD * (1 + sink->kept->n_records - (cut->first_kept - cut->first_dropped));
}

void log_sink_share(struct log_sink *sink, struct log_share *share)
{
	sink->share = share;
}

/* Its own limit. If logs together are at theirs: the size that it has now, so that it does not
 * grow, but LOG_LIMIT_MIN at least. */
static uint64_t limit_now(const struct log_sink *sink, size_t size)
{
	uint64_t limit = sink->cut.limit;

	if (limit == 0 || !log_share_full(sink->share, size + RECORD))
		return limit;
	if (used(sink) < limit)
		limit = used(sink);
	return limit > LOG_LIMIT_MIN ? limit : LOG_LIMIT_MIN;
}

bool log_cut_wanted(const struct log_sink *sink, size_t size)
{
	return sink->cut.limit > 0 && used(sink) + size + RECORD > limit_now(sink, size);
}

/* The offset at which the chunk of record @number begins. Return: 0 or -errno. */
static int record_offset(const struct log_sink *sink, uint64_t number, uint64_t *ret_offset)
{
	const struct log_kept *kept = sink->kept;
	struct log_index_record record;
	ssize_t n;

	if (number >= kept->n_records) {
		*ret_offset = sink->offset;
		return 0;
	}
	if (kept->n_records - number <= LOG_RECORDS) {
		*ret_offset = kept->records[number % LOG_RECORDS].offset;
		return 0;
	}
	n = pread(sink->index_fd, &record, RECORD,
		  (off_t)(sizeof(struct log_index_header) + number * RECORD));
	if (n != (ssize_t)RECORD)
		return n < 0 ? -errno : -EIO;
	*ret_offset = record.offset;
	return 0;
}

/* The tail is at most @budget bytes: find its first record, from @low on. Return: 0 or -errno. */
static int find_tail(const struct log_sink *sink, uint64_t low, uint64_t budget,
		     uint64_t *ret_number)
{
	uint64_t end = sink->kept->n_records;
	uint64_t high = end;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		uint64_t offset = 0;
		int r = record_offset(sink, middle, &offset);

		if (r < 0)
			return r;
		if (sink->offset - offset + RECORD * (end - middle) > budget)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_number = low;
	return 0;
}

/* The head is at most @budget bytes: find the first record behind it. Return: 0 or -errno. */
static int find_head(const struct log_sink *sink, uint64_t budget, uint64_t *ret_number)
{
	uint64_t low = sink->first_record;
	uint64_t high = sink->kept->n_records;

	while (high - low > 1) {
		uint64_t middle = low + (high - low) / 2;
		uint64_t offset = 0;
		int r = record_offset(sink, middle, &offset);

		if (r < 0)
			return r;
		if (offset + RECORD * (1 + middle) > budget)
			high = middle;
		else
			low = middle;
	}
	*ret_number = low;
	return 0;
}

/* The hole that makes room for an eighth of the limit, and for a chunk at least. */
static int next_cut(const struct log_sink *sink, struct log_cut *ret_cut)
{
	struct log_cut cut = sink->cut;
	uint64_t limit = limit_now(sink, sink->first->size);
	uint64_t step = limit / 8;
	uint64_t head;
	int r = 0;

	if (sink->kept->index_broken)
		return -EIO; /* without an index it is not known where chunks begin */
	if (step < LOG_BUFFER_SIZE + RECORD)
		step = LOG_BUFFER_SIZE + RECORD;
	if (cut.end == cut.start) {
		r = find_head(sink, limit / 2, &cut.first_dropped);
		if (r == 0)
			r = record_offset(sink, cut.first_dropped, &cut.start);
		cut.first_kept = cut.first_dropped;
	}
	head = cut.start + RECORD * (1 + cut.first_dropped);
	if (r == 0)
		r = find_tail(sink, cut.first_kept, limit > head + step ? limit - head - step : 0,
			      &cut.first_kept);
	if (r == 0)
		r = record_offset(sink, cut.first_kept, &cut.end);
	*ret_cut = cut;
	return r;
}

/* The log cannot be cut: from now on output is lost, as it was before logs could be cut. */
static void give_up(struct log_sink *sink, int error)
{
	log_warning("the middle of a step's log cannot be dropped: %s; what it prints from now on "
		    "is lost",
		    strerror(error));
	sink->uncuttable = true;
}

void log_cut_grow(struct log_sink *sink)
{
	struct log_buffer *buffer = sink->first;
	struct log_cut cut;
	int r = 0;

	if (!sink->uncuttable) {
		r = next_cut(sink, &cut);
		if (r == 0 && cut.end == sink->cut.end)
			r = -ENOSPC;
		if (r == 0)
			r = log_cut_write(sink->index_fd, &cut);
		if (r == 0) {
			sink->punched = used(sink);
			sink->cut = cut;
			sink->punched -= used(sink);
			log_cut_punch(sink);
			return;
		}
		give_up(sink, -r);
	}
	log_sink_failed(sink, EFBIG, buffer->size);
	log_chunk_drop(sink);
	log_sink_progress(sink);
}

void log_cut_punch(struct log_sink *sink)
{
	sink->punch_due = false;
	sink->punching_index = false;
	io_punch(sink->pump->engine, &sink->punch, sink->log_fd, sink->cut.start,
		 sink->cut.end - sink->cut.start);
}

void log_punch_done(struct io_op *op, int result)
{
	struct log_sink *sink = container_of(op, struct log_sink, punch);
	const struct log_cut *cut = &sink->cut;

	if (result == -EINTR || result == -EAGAIN) {
		sink->punch_due = true;
	} else if (result < 0) {
		give_up(sink, -result);
		/* there is no hole, so note none */
		sink->cut.end = sink->cut.start;
		sink->cut.first_kept = sink->cut.first_dropped;
		(void)log_cut_write(sink->index_fd, &sink->cut);
	} else if (!sink->punching_index && cut->first_kept > cut->first_dropped) {
		sink->punching_index = true;
		io_punch(sink->pump->engine, op, sink->index_fd,
			 sizeof(struct log_index_header) + RECORD * cut->first_dropped,
			 RECORD * (cut->first_kept - cut->first_dropped));
		return;
	} else {
		log_share_grow(sink->share, -(int64_t)sink->punched);
		sink->punched = 0;
	}
	log_sink_progress(sink);
}
