/* SPDX-License-Identifier: Apache-2.0 */
#include "api/timestamps.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TIME_MASK ((1ULL << 62) - 1)
#define USEC 1000000ULL

int timestamps_init(struct timestamps *timestamps, int fd)
{
	struct log_index_header header;
	struct log_cut cut;

	if (log_cut_read(fd, &cut) < 0 ||
	    pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header))
		return -EBADMSG;
	*timestamps = (struct timestamps){
		.fd = fd,
		.started_usec = header.started_usec,
		.current_usec = header.started_usec,
		.next_record = sizeof(header),
	};
	return 0;
}

void timestamps_skip(struct timestamps *timestamps, const struct log_cut *cut)
{
	off_t at = (off_t)(sizeof(struct log_index_header) +
			   cut->first_kept * sizeof(struct log_index_record));

	timestamps->n_batch = timestamps->next = 0;
	if (at > timestamps->next_record)
		timestamps->next_record = at;
	timestamps->line_open = false;
}

static bool batch_read(struct timestamps *timestamps)
{
	ssize_t n = pread(timestamps->fd, timestamps->batch, sizeof(timestamps->batch),
			  timestamps->next_record);

	if (n < (ssize_t)sizeof(timestamps->batch[0]))
		return false; /* the present end of the index */
	timestamps->n_batch = (unsigned)((size_t)n / sizeof(timestamps->batch[0]));
	timestamps->next = 0;
	timestamps->next_record += (off_t)(timestamps->n_batch * sizeof(timestamps->batch[0]));
	return true;
}

static uint64_t stream_of(const struct timestamps *timestamps)
{
	return timestamps->batch[timestamps->next].time >> LOG_STREAM_SHIFT;
}

uint64_t timestamps_at(struct timestamps *timestamps, uint64_t offset)
{
	for (;;) {
		if (timestamps->next == timestamps->n_batch && !batch_read(timestamps))
			break;
		if (timestamps->batch[timestamps->next].offset > offset &&
		    stream_of(timestamps) != LOG_STREAM_CUT)
			break;
		if (stream_of(timestamps) != LOG_STREAM_CUT)
			timestamps->current_usec =
				timestamps->started_usec +
				(timestamps->batch[timestamps->next].time & TIME_MASK);
		timestamps->next++;
	}
	return timestamps->current_usec;
}

void timestamp_format(char *out, uint64_t wall_usec)
{
	time_t seconds = (time_t)(wall_usec / USEC);
	char text[64];
	struct tm parts;

	/* a damaged index may have any number; a year must fit into four digits */
	if (!gmtime_r(&seconds, &parts) || parts.tm_year > 9999 - 1900)
		(void)gmtime_r(&(time_t){0}, &parts);
	(void)snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%06uZ ",
		       parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
		       parts.tm_min, parts.tm_sec, (unsigned)(wall_usec % USEC));
	memcpy(out, text, TIMESTAMP_LENGTH);
}

size_t timestamps_apply(struct timestamps *timestamps, const char *data, size_t size,
			uint64_t offset, char *out, size_t room, size_t *ret_written)
{
	size_t used = 0;
	size_t written = 0;

	while (used < size) {
		const char *end;
		size_t part;

		if (!timestamps->line_open) {
			if (room - written < TIMESTAMP_LENGTH + 1)
				break;
			timestamp_format(out + written, timestamps_at(timestamps, offset + used));
			written += TIMESTAMP_LENGTH;
			timestamps->line_open = true;
		}
		end = memchr(data + used, '\n', size - used);
		part = end ? (size_t)(end - data) + 1 - used : size - used;
		if (part > room - written)
			part = room - written;
		if (part == 0)
			break;
		memcpy(out + written, data + used, part);
		written += part;
		used += part;
		timestamps->line_open = data[used - 1] != '\n';
	}
	*ret_written = written;
	return used;
}
