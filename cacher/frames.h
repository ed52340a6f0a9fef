/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHER_FRAMES_H
#define CACHER_FRAMES_H

/*
 * DOC: Packed artifacts
 *
 * A packed artifact is a file of zstd frames (RFC 8878), one for each FRAME_CONTENT_MAX bytes of
 * the contents, each with its size and a checksum. Any zstd can read it, and unpacking needs the
 * memory of one frame only.
 *
 * All threads of a process share the contexts of libzstd, of which there are as many as
 * processors; this bounds memory and work, however many threads wait for one.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FRAME_CONTENT_MAX (256u * 1024u)
#define FRAME_BYTES_MAX (FRAME_CONTENT_MAX + 4096u) /* at least ZSTD_compressBound() of that */

/**
 * frame_pack() - pack @size bytes of @data as one frame
 * @size: at most FRAME_CONTENT_MAX
 * @out:  room for FRAME_BYTES_MAX bytes
 *
 * Return: bytes of the frame, or -ENOMEM.
 */
ssize_t frame_pack(const void *data, size_t size, void *out);

/** struct frame_reader - reads the frames of a file one after the other */
struct frame_reader {
	int fd; /* not owned */
	uint64_t offset;
	uint64_t left; /* bytes of the contents that are not read yet */
	uint8_t *frame;
	size_t n_frame; /* bytes of the file in @frame */
};

/** frame_reader_init() - read @size bytes of contents from @fd. Return: 0 or -ENOMEM. */
int frame_reader_init(struct frame_reader *reader, int fd, uint64_t size);
/** frame_reader_done() - free the buffer; the descriptor stays open */
void frame_reader_done(struct frame_reader *reader);
/**
 * frame_read() - unpack the next frame
 * @out: room for FRAME_CONTENT_MAX bytes
 *
 * Return: bytes at @out; 0 when all contents have been read; -EBADMSG when the file is
 * damaged or has another size than announced; another -errno.
 */
ssize_t frame_read(struct frame_reader *reader, void *out);

#endif
