/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHER_CONTENT_H
#define CACHER_CONTENT_H

/*
 * DOC: Writing contents
 *
 * The contents of an artifact are stored packed (frames.h) when that saves a tenth, otherwise
 * unchanged. For a file, the caller decides beforehand from samples (content_worth()); a stream
 * is packed until it turns out that packing saves too little. Holes stay small: as holes of an
 * unpacked file, and as frames of some twenty bytes in a packed one.
 */

#include "cacher/frames.h"

#include <stdbool.h>
#include <stdint.h>

#define CONTENT_PACKED_MIN 4096u /* bytes; contents within one block are not packed */

/** struct content_writer - contents that are being written to @fd */
struct content_writer {
	int fd; /* empty at first, open for reading and writing; not owned */
	bool packed;
	bool decided;	 /* @packed is final, unless packing turns out to save nothing */
	uint64_t size;	 /* bytes of the contents, with those in @chunk */
	uint64_t stored; /* bytes of the file, with its holes */
	uint64_t holes;	 /* bytes of @stored that are holes */
	uint8_t *chunk;	 /* packed: contents for the next frame */
	size_t n_chunk;
	uint8_t *frame;
};

/** content_begin() - start to write to @fd. Return: 0 or -ENOMEM. */
int content_begin(struct content_writer *writer, int fd);
/** content_done() - free the buffers; @fd stays open */
void content_done(struct content_writer *writer);
/** content_raw() - store unpacked; to be called before any contents */
void content_raw(struct content_writer *writer);
/** content_write() - append @data. Return: 0 or -errno. */
int content_write(struct content_writer *writer, const void *data, size_t size);
/** content_zeroes() - append a hole of @size bytes. Return: 0 or -errno. */
int content_zeroes(struct content_writer *writer, uint64_t size);
/**
 * content_end() - write the buffered rest; no contents may follow
 *
 * Return: 0; 1 when packing saved too little: the caller replaces the file by one that
 * content_unpack() wrote; or -errno.
 */
int content_end(struct content_writer *writer);
/** content_unpack() - write the packed contents, unpacked, to the empty @fd. Return: 0, -errno. */
int content_unpack(struct content_writer *writer, int fd);

/** content_worth() - would packing save a tenth of the file @fd of @size bytes, by its samples? */
bool content_worth(int fd, uint64_t size);

#endif
