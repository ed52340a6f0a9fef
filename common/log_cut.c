/* SPDX-License-Identifier: Apache-2.0 */
#include "common/log_cut.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOW ((1ULL << LOG_STREAM_SHIFT) - 1)

struct beginning {
	struct log_index_header header;
	struct log_index_record records[LOG_CUT_RECORDS];
};

void log_cut_records(const struct log_cut *cut, struct log_index_record *out)
{
	const uint64_t stream = LOG_STREAM_CUT << LOG_STREAM_SHIFT;

	out[0] = (struct log_index_record){cut->end, stream | cut->start};
	out[1] = (struct log_index_record){cut->first_kept, stream | cut->first_dropped};
	out[2] = (struct log_index_record){cut->limit, stream};
}

/* Return: 0, -EBADMSG, or -EAGAIN if it is incomplete. */
static int read_once(int index_fd, struct beginning *beginning)
{
	ssize_t n;

	memset(beginning, 0, sizeof(*beginning));
	n = pread(index_fd, beginning, sizeof(*beginning), 0);
	if (n < 0)
		return -errno;
	if (n < (ssize_t)sizeof(beginning->header) || beginning->header.magic != LOG_INDEX_MAGIC)
		return -EBADMSG;
	if (beginning->header.version == LOG_INDEX_VERSION_PLAIN)
		return 0;
	return beginning->header.version == LOG_INDEX_VERSION && n == (ssize_t)sizeof(*beginning)
		       ? 0
		       : -EBADMSG;
}

int log_cut_read(int index_fd, struct log_cut *ret_cut)
{
	struct beginning beginning, again;
	struct log_cut cut = {.start = 0};
	int r;

	/* another process may be writing it */
	for (int i = 0; i < 100; i++) {
		r = read_once(index_fd, &beginning);
		if (r == 0)
			r = read_once(index_fd, &again);
		if (r < 0)
			return r;
		if (memcmp(&beginning, &again, sizeof(again)) == 0)
			break;
	}
	cut.version = beginning.header.version;
	*ret_cut = cut;
	if (beginning.header.version == LOG_INDEX_VERSION_PLAIN)
		return 0;
	for (size_t i = 0; i < LOG_CUT_RECORDS; i++)
		if (beginning.records[i].time_and_stream >> LOG_STREAM_SHIFT != LOG_STREAM_CUT)
			return -EBADMSG;
	cut = (struct log_cut){
		.start = beginning.records[0].time_and_stream & LOW,
		.end = beginning.records[0].offset,
		.first_dropped = beginning.records[1].time_and_stream & LOW,
		.first_kept = beginning.records[1].offset,
		.limit = beginning.records[2].offset,
		.version = LOG_INDEX_VERSION,
	};
	if (cut.end < cut.start) /* the writer has just updated .start, which comes first */
		cut.end = cut.start;
	if (cut.first_kept < cut.first_dropped)
		cut.first_kept = cut.first_dropped;
	/* both must be valid file offsets */
	if (cut.end > INT64_MAX || cut.first_kept > INT64_MAX / sizeof(struct log_index_record) - 1)
		return -EBADMSG;
	*ret_cut = cut;
	return 0;
}

static int write_at(int fd, const struct log_index_record *record, size_t number)
{
	off_t at = (off_t)(sizeof(struct log_index_header) + number * sizeof(*record));
	ssize_t n = pwrite(fd, record, sizeof(*record), at);

	return n < 0 ? -errno : n == (ssize_t)sizeof(*record) ? 0 : -EIO;
}

int log_cut_write(int index_fd, const struct log_cut *cut)
{
	struct log_index_record records[LOG_CUT_RECORDS];
	int r = 0;

	log_cut_records(cut, records);
	/* the optional records of the index before the required one */
	for (size_t i = LOG_CUT_RECORDS; i > 0 && r == 0; i--)
		r = write_at(index_fd, &records[i - 1], i - 1);
	return r;
}

size_t log_cut_text(const struct log_cut *cut, char *out)
{
	return (size_t)snprintf(out, LOG_CUT_TEXT_MAX,
				"\n[runbookd: %" PRIu64 " bytes are missing here: the log was "
				"longer than runbookd.conf(5) allows, see StepLog= and Logs=]\n",
				cut->end - cut->start);
}
