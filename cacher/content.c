/* SPDX-License-Identifier: Apache-2.0 */
#include "cacher/content.h"

#include "common/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STREAM_TRIAL (4u * 1024u * 1024u) /* bytes of a stream that decide whether it is packed */
#define SAMPLES 8
#define SAMPLE_BYTES (64u * 1024u)
#define BLOCK 4096u

static const uint8_t zeroes[FRAME_CONTENT_MAX];

static bool saves_a_tenth(uint64_t packed, uint64_t plain)
{
	return packed <= plain - plain / 10;
}

static int write_at(int fd, const void *data, size_t size, uint64_t offset)
{
	const uint8_t *bytes = data;

	while (size > 0) {
		ssize_t n = pwrite(fd, bytes, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		bytes += n;
		size -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int content_begin(struct content_writer *writer, int fd)
{
	*writer = (struct content_writer){.fd = fd, .packed = true};
	writer->chunk = malloc(FRAME_CONTENT_MAX);
	writer->frame = malloc(FRAME_BYTES_MAX);
	if (writer->chunk && writer->frame)
		return 0;
	content_done(writer);
	return -ENOMEM;
}

void content_done(struct content_writer *writer)
{
	free(writer->chunk);
	free(writer->frame);
	writer->chunk = writer->frame = NULL;
}

void content_raw(struct content_writer *writer)
{
	writer->packed = false;
	writer->decided = true;
	content_done(writer);
}

static int append(struct content_writer *writer, const void *data, size_t size)
{
	int r = write_at(writer->fd, data, size, writer->stored);

	if (r == 0)
		writer->stored += size;
	return r;
}

/* Unpack the frames of the writer's file, one after the other, into @fd. */
static int frames_copy(struct content_writer *writer, int fd, uint64_t size, uint64_t *ret_holes)
{
	cleanup_free uint8_t *chunk = malloc(FRAME_CONTENT_MAX);
	struct frame_reader reader;
	uint64_t offset = 0;
	ssize_t n;
	int r = chunk ? frame_reader_init(&reader, writer->fd, size) : -ENOMEM;

	if (r < 0)
		/* cppcheck-suppress memleak ; cleanup_free frees it */
		return r;
	while (r == 0 && (n = frame_read(&reader, chunk)) != 0) {
		if (n < 0)
			r = (int)n;
		else if (memcmp(chunk, zeroes, (size_t)n) == 0)
			*ret_holes += (uint64_t)n;
		else
			r = write_at(fd, chunk, (size_t)n, offset);
		offset += n > 0 ? (uint64_t)n : 0;
	}
	frame_reader_done(&reader);
	return r;
}

/* Store unpacked from now on; unpack the few frames that have been written. */
static int turn_raw(struct content_writer *writer)
{
	uint64_t size = writer->size - writer->n_chunk;
	cleanup_free uint8_t *plain = malloc(size ? (size_t)size : 1);
	struct frame_reader reader;
	size_t done = 0;
	int r = plain ? frame_reader_init(&reader, writer->fd, size) : -ENOMEM;

	if (r < 0)
		/* cppcheck-suppress memleak ; cleanup_free frees it */
		return r;
	while (r == 0 && done < size) {
		/* not straight into @plain: frame_read() needs room for a whole frame */
		cleanup_free uint8_t *chunk = malloc(FRAME_CONTENT_MAX);
		ssize_t n = chunk ? frame_read(&reader, chunk) : -ENOMEM;

		if (n <= 0 || (uint64_t)n > size - done) {
			r = n < 0 ? (int)n : -EIO;
			break;
		}
		memcpy(plain + done, chunk, (size_t)n);
		done += (size_t)n;
	}
	frame_reader_done(&reader);
	if (r == 0 && ftruncate(writer->fd, 0) < 0)
		r = -errno;
	writer->stored = 0;
	if (r == 0)
		r = append(writer, plain, done);
	if (r == 0)
		r = append(writer, writer->chunk, writer->n_chunk);
	content_raw(writer);
	return r;
}

/* Write the chunk as a frame. */
static int flush(struct content_writer *writer)
{
	ssize_t n = frame_pack(writer->chunk, writer->n_chunk, writer->frame);
	int r = n < 0 ? (int)n : append(writer, writer->frame, (size_t)n);

	writer->n_chunk = 0;
	if (r == 0 && !writer->decided && writer->size >= STREAM_TRIAL) {
		writer->decided = true;
		if (!saves_a_tenth(writer->stored, writer->size))
			r = turn_raw(writer);
	}
	return r;
}

int content_write(struct content_writer *writer, const void *data, size_t size)
{
	const uint8_t *bytes = data;
	int r = 0;

	while (size > 0 && r == 0 && writer->packed) {
		size_t n = FRAME_CONTENT_MAX - writer->n_chunk;

		if (n > size)
			n = size;
		memcpy(writer->chunk + writer->n_chunk, bytes, n);
		writer->n_chunk += n;
		writer->size += n;
		bytes += n;
		size -= n;
		if (writer->n_chunk == FRAME_CONTENT_MAX)
			r = flush(writer);
	}
	if (r == 0 && size > 0) {
		r = append(writer, bytes, size);
		writer->size += size;
	}
	return r;
}

int content_zeroes(struct content_writer *writer, uint64_t size)
{
	int r = 0;

	if (!writer->packed) {
		writer->size += size;
		writer->stored += size;
		writer->holes += size;
		return 0;
	}
	while (size > 0 && r == 0) {
		size_t n = size < FRAME_CONTENT_MAX ? (size_t)size : FRAME_CONTENT_MAX;

		r = content_write(writer, zeroes, n);
		size -= n;
	}
	return r;
}

int content_end(struct content_writer *writer)
{
	bool small = writer->size <= CONTENT_PACKED_MIN;
	int r = 0;

	if (writer->packed && small && writer->stored == 0)
		return turn_raw(writer);
	if (writer->packed && writer->n_chunk > 0)
		r = flush(writer);
	if (r == 0 && writer->packed && !saves_a_tenth(writer->stored, writer->size))
		return writer->size <= STREAM_TRIAL ? turn_raw(writer) : 1;
	if (r == 0 && !writer->packed && ftruncate(writer->fd, (off_t)writer->size) < 0)
		r = -errno;
	return r;
}

int content_unpack(struct content_writer *writer, int fd)
{
	uint64_t holes = 0;
	int r = frames_copy(writer, fd, writer->size, &holes);

	if (r == 0 && ftruncate(fd, (off_t)writer->size) < 0)
		r = -errno;
	if (r < 0)
		return r;
	content_raw(writer);
	writer->fd = fd;
	writer->stored = writer->size;
	writer->holes = holes;
	return 0;
}

bool content_worth(int fd, uint64_t size)
{
	cleanup_free uint8_t *sample = malloc(SAMPLE_BYTES);
	cleanup_free uint8_t *frame = malloc(FRAME_BYTES_MAX);
	uint64_t plain = 0;
	uint64_t packed = 0;

	if (!sample || !frame || size <= CONTENT_PACKED_MIN)
		return false;
	for (unsigned i = 0; i < SAMPLES; i++) {
		off_t at = (off_t)(size / SAMPLES * i);
		off_t data = lseek(fd, at, SEEK_DATA);
		ssize_t n, m;

		if (data < 0 && errno == ENXIO)
			break; /* a hole to the end */
		n = pread(fd, sample, SAMPLE_BYTES, data < 0 ? at : data);
		m = n > 0 ? frame_pack(sample, (size_t)n, frame) : -1;
		if (m < 0)
			continue;
		plain += (uint64_t)n;
		packed += (uint64_t)m;
	}
	return plain > 0 && saves_a_tenth(packed, plain);
}
