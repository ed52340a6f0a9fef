/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHER_CONTENT_H
#define CACHER_CONTENT_H

/*
 * DOC: Writing a content
 *
 * Packed (cacher/frames.h) where that saves a tenth, otherwise as it is. Who knows the
 * whole content beforehand decides; what comes as a stream is packed until it turns
 * out not to be worth it. Zeroes that are no more than a hole stay one: as it is, in
 * the file; packed, as frames of some twenty bytes.
 */

#include "cacher/frames.h"

#include <stdbool.h>
#include <stdint.h>

#define CONTENT_PACKED_MIN 4096u /* what fits into a block saves nothing */

/** struct content_writer - one on its way into @fd */
struct content_writer {
	int fd; /* empty, for reading and writing; not owned */
	bool packed;
	bool decided;	 /* @packed stays as it is, unless all of it saves nothing */
	uint64_t size;	 /* of the content, with what is still in @chunk */
	uint64_t stored; /* bytes of the file; its holes count */
	uint64_t holes;	 /* of these, bytes that were left out */
	uint8_t *chunk;	 /* packed: what has to become a frame */
	size_t n_chunk;
	uint8_t *frame;
};

/** content_begin() - Return: 0 or -ENOMEM. */
int content_begin(struct content_writer *writer, int fd);
/** content_done() - free what it holds; @fd stays */
void content_done(struct content_writer *writer);
/** content_raw() - before anything was written: it will not be packed */
void content_raw(struct content_writer *writer);
/** content_write() - Return: 0 or -errno. */
int content_write(struct content_writer *writer, const void *data, size_t size);
/** content_zeroes() - @size zeroes, which need not be stored. Return: 0 or -errno. */
int content_zeroes(struct content_writer *writer, uint64_t size);
/**
 * content_end() - nothing follows
 *
 * Return: 0; 1 when it saved nothing: content_unpack() it into another file, and take
 * that; -errno.
 */
int content_end(struct content_writer *writer);
/** content_unpack() - the same content as it is, into the empty file @fd. Return: 0 or -errno. */
int content_unpack(struct content_writer *writer, int fd);

/** content_worth() - does packing save a tenth of the file @fd of @size bytes? By samples. */
bool content_worth(int fd, uint64_t size);

#endif
