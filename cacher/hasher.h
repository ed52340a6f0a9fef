/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHER_HASHER_H
#define CACHER_HASHER_H

/*
 * DOC: Hashing beside writing
 *
 * Hashing a large content takes longer than writing it to the page cache, and packing it takes
 * longer still. So the contents go through a ring of buffers: the thread of the put fills and
 * writes one after the other, and a thread of the hasher hashes them behind it. The ring lets one
 * of them go on while the other waits. Small contents get no thread: hashing them takes less time
 * than starting it.
 */

#include "common/digest.h"

#include <pthread.h>
#include <stdbool.h>

#define HASHER_BUFFER_BYTES (256u * 1024u) /* together they fit into the processor's cache */
#define HASHER_BUFFERS 8

/** struct hasher - the digest of one content, and the buffers that it passes through */
struct hasher {
	struct digest digest;
	uint8_t *buffers;
	bool threaded;
	pthread_t thread;
	pthread_mutex_t lock; /* guards the following, once there is a thread */
	pthread_cond_t given, hashed;
	uint64_t n_given, n_hashed; /* parts; part n is in buffer n % HASHER_BUFFERS */
	struct hasher_part {
		uint64_t size;
		bool zeroes; /* it is zero bytes, and not in its buffer */
	} parts[HASHER_BUFFERS];
	bool stopping;
};

/** hasher_init() - start a digest; hasher_done() follows. Return: 0 or -ENOMEM. */
int hasher_init(struct hasher *hasher);
/** hasher_done() - stop the thread and free the buffers; also of a hasher that is all zero */
void hasher_done(struct hasher *hasher);
/**
 * hasher_buffer() - the buffer of HASHER_BUFFER_BYTES for the next contents
 *
 * Waits until what it had before is hashed. It stays the same until hasher_add() or
 * hasher_zeroes(); the one before keeps its contents as long.
 */
uint8_t *hasher_buffer(struct hasher *hasher);
/** hasher_add() - hash the first @size bytes of hasher_buffer(), perhaps after it returned */
void hasher_add(struct hasher *hasher, size_t size);
/** hasher_zeroes() - hash @size zero bytes, perhaps after it returned */
void hasher_zeroes(struct hasher *hasher, uint64_t size);
/** hasher_end() - wait for all that was added; @ret_bytes gets the digest */
void hasher_end(struct hasher *hasher, uint8_t ret_bytes[DIGEST_BYTES]);

#endif
