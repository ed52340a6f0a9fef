/* SPDX-License-Identifier: Apache-2.0 */
#include "cacher/hasher.h"

#include <errno.h>
#include <sys/mman.h>

#define RING_BYTES ((size_t)HASHER_BUFFERS * HASHER_BUFFER_BYTES)
#define ALONE_PARTS 4u /* parts that are hashed before there is a thread */
#define ALONE_ZEROES ((uint64_t)ALONE_PARTS * HASHER_BUFFER_BYTES)
#define ZEROES_BYTES (64u * 1024u)
#define THREAD_STACK_BYTES (256u * 1024u) /* thread-local data is on the stack as well */

/* ---- the thread ---- */

static uint8_t *buffer_of(const struct hasher *hasher, uint64_t part)
{
	return hasher->buffers + part % HASHER_BUFFERS * HASHER_BUFFER_BYTES;
}

static void hash_part(struct hasher *hasher, uint64_t part)
{
	static const uint8_t zeroes[ZEROES_BYTES];
	const struct hasher_part *what = &hasher->parts[part % HASHER_BUFFERS];

	if (!what->zeroes) {
		digest_add(&hasher->digest, buffer_of(hasher, part), (size_t)what->size);
		return;
	}
	for (uint64_t left = what->size; left > 0;) {
		size_t n = left < sizeof(zeroes) ? (size_t)left : sizeof(zeroes);

		digest_add(&hasher->digest, zeroes, n);
		left -= n;
	}
}

static void *thread_main(void *userdata)
{
	struct hasher *hasher = userdata;

	(void)pthread_mutex_lock(&hasher->lock);
	for (;;) {
		while (hasher->n_given == hasher->n_hashed && !hasher->stopping)
			(void)pthread_cond_wait(&hasher->given, &hasher->lock);
		if (hasher->n_given == hasher->n_hashed || hasher->stopping)
			break;
		(void)pthread_mutex_unlock(&hasher->lock);
		hash_part(hasher, hasher->n_hashed); /* only this thread changes it */
		(void)pthread_mutex_lock(&hasher->lock);
		hasher->n_hashed++;
		/* wake a put that waits for several buffers at a time */
		if (hasher->n_given - hasher->n_hashed <= HASHER_BUFFERS / 2)
			(void)pthread_cond_signal(&hasher->hashed);
	}
	(void)pthread_mutex_unlock(&hasher->lock);
	return NULL;
}

static void thread_start(struct hasher *hasher)
{
	pthread_attr_t attributes;

	(void)pthread_attr_init(&attributes);
	(void)pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
	/* without a thread, the caller hashes */
	hasher->threaded = pthread_create(&hasher->thread, &attributes, thread_main, hasher) == 0;
	(void)pthread_attr_destroy(&attributes);
}

/* Wait until at most @most parts are to be hashed; the caller holds the lock. */
static void thread_wait(struct hasher *hasher, uint64_t most)
{
	while (hasher->n_given - hasher->n_hashed > most)
		(void)pthread_cond_wait(&hasher->hashed, &hasher->lock);
}

static void give(struct hasher *hasher, uint64_t size, bool zeroes)
{
	struct hasher_part *part = &hasher->parts[hasher->n_given % HASHER_BUFFERS];

	if (size == 0)
		return;
	if (!hasher->threaded &&
	    (hasher->n_given >= ALONE_PARTS || (zeroes && size >= ALONE_ZEROES)))
		thread_start(hasher);
	(void)pthread_mutex_lock(&hasher->lock);
	*part = (struct hasher_part){.size = size, .zeroes = zeroes};
	if (!hasher->threaded)
		hash_part(hasher, hasher->n_hashed++);
	else if (hasher->n_given == hasher->n_hashed)
		(void)pthread_cond_signal(&hasher->given);
	hasher->n_given++;
	(void)pthread_mutex_unlock(&hasher->lock);
}

/* ---- for the put ---- */

int hasher_init(struct hasher *hasher)
{
	/* not malloc(), which would keep pages that the next puts may never need */
	void *buffers =
		mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (buffers == MAP_FAILED)
		return -ENOMEM;
	*hasher = (struct hasher){.buffers = buffers};
	(void)pthread_mutex_init(&hasher->lock, NULL);
	(void)pthread_cond_init(&hasher->given, NULL);
	(void)pthread_cond_init(&hasher->hashed, NULL);
	digest_begin(&hasher->digest);
	return 0;
}

void hasher_done(struct hasher *hasher)
{
	if (!hasher->buffers)
		return;
	if (hasher->threaded) {
		(void)pthread_mutex_lock(&hasher->lock);
		hasher->stopping = true;
		(void)pthread_cond_signal(&hasher->given);
		(void)pthread_mutex_unlock(&hasher->lock);
		(void)pthread_join(hasher->thread, NULL);
	}
	(void)pthread_cond_destroy(&hasher->hashed);
	(void)pthread_cond_destroy(&hasher->given);
	(void)pthread_mutex_destroy(&hasher->lock);
	(void)munmap(hasher->buffers, RING_BYTES);
	hasher->buffers = NULL;
}

uint8_t *hasher_buffer(struct hasher *hasher)
{
	(void)pthread_mutex_lock(&hasher->lock);
	if (hasher->n_given - hasher->n_hashed == HASHER_BUFFERS)
		thread_wait(hasher, HASHER_BUFFERS / 2);
	(void)pthread_mutex_unlock(&hasher->lock);
	return buffer_of(hasher, hasher->n_given);
}

void hasher_add(struct hasher *hasher, size_t size)
{
	give(hasher, size, false);
}

void hasher_zeroes(struct hasher *hasher, uint64_t size)
{
	(void)hasher_buffer(hasher); /* zeroes take the place of a part */
	give(hasher, size, true);
}

void hasher_end(struct hasher *hasher, uint8_t ret_bytes[DIGEST_BYTES])
{
	(void)pthread_mutex_lock(&hasher->lock);
	thread_wait(hasher, 0);
	(void)pthread_mutex_unlock(&hasher->lock);
	digest_end(&hasher->digest, ret_bytes);
}
