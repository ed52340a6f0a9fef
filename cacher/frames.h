/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHER_FRAMES_H
#define CACHER_FRAMES_H

/*
 * DOC: Packed artifacts
 *
 * A file of zstd frames, one for each FRAME_CONTENT_MAX bytes of the content, each with
 * its size and a checksum: any zstd reads it, and memory is bounded by one frame.
 *
 * Contexts of libzstd are shared by all threads of a process: as many as it has
 * processors do the work, whatever waits for them.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FRAME_CONTENT_MAX (256u * 1024u)
#define FRAME_BYTES_MAX (FRAME_CONTENT_MAX + 4096u) /* ZSTD_compressBound() of it, and more */

/**
 * frame_pack() - one frame of @size bytes of @data
 * @out: FRAME_BYTES_MAX bytes
 *
 * Return: its bytes, or -ENOMEM.
 */
ssize_t frame_pack(const void *data, size_t size, void *out);

/** struct frame_reader - frames of a file, one after the other */
struct frame_reader {
	int fd; /* not owned */
	uint64_t offset;
	uint64_t left; /* of the content */
	uint8_t *frame;
	size_t n_frame; /* bytes of the file in @frame */
};

/** frame_reader_init() - @size: of the content. Return: 0 or -ENOMEM. */
int frame_reader_init(struct frame_reader *reader, int fd, uint64_t size);
void frame_reader_done(struct frame_reader *reader);
/**
 * frame_read() - the content of the next frame
 * @out: FRAME_CONTENT_MAX bytes
 *
 * Return: its bytes; 0 when all of the content was read; -EBADMSG when the file is
 * damaged, or has more or less in it; -errno.
 */
ssize_t frame_read(struct frame_reader *reader, void *out);

#endif
