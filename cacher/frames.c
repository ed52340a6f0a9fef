/* SPDX-License-Identifier: Apache-2.0 */
#include "cacher/frames.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#define LEVEL 1 /* the fastest regular level of zstd, because a step waits for it */
#define CONTEXTS_MAX 16

_Static_assert(FRAME_BYTES_MAX >= ZSTD_COMPRESSBOUND(FRAME_CONTENT_MAX) + 32, "room for a frame");

/* ---- contexts ---- */

struct context {
	ZSTD_CCtx *packing;
	ZSTD_DCtx *reading;
	bool used;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t free;
	struct context contexts[CONTEXTS_MAX];
	size_t max;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .free = PTHREAD_COND_INITIALIZER};

/* Take a context from the pool; wait while all are in use. */
static struct context *context_take(void)
{
	struct context *found = NULL;

	(void)pthread_mutex_lock(&pool.lock);
	if (pool.max == 0) {
		cpu_set_t set;
		int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

		pool.max = n < 1 ? 1 : n > CONTEXTS_MAX ? CONTEXTS_MAX : (size_t)n;
	}
	while (!found) {
		for (size_t i = 0; i < pool.max && !found; i++)
			if (!pool.contexts[i].used)
				found = &pool.contexts[i];
		if (!found)
			(void)pthread_cond_wait(&pool.free, &pool.lock);
	}
	found->used = true;
	(void)pthread_mutex_unlock(&pool.lock);
	return found;
}

static void context_give(struct context *context)
{
	(void)pthread_mutex_lock(&pool.lock);
	context->used = false;
	(void)pthread_cond_signal(&pool.free);
	(void)pthread_mutex_unlock(&pool.lock);
}

/* ---- frames ---- */

ssize_t frame_pack(const void *data, size_t size, void *out)
{
	struct context *context = context_take();
	size_t n = 0;

	if (!context->packing)
		context->packing = ZSTD_createCCtx();
	if (context->packing) {
		(void)ZSTD_CCtx_setParameter(context->packing, ZSTD_c_compressionLevel, LEVEL);
		(void)ZSTD_CCtx_setParameter(context->packing, ZSTD_c_checksumFlag, 1);
		n = ZSTD_compress2(context->packing, out, FRAME_BYTES_MAX, data, size);
	}
	if (!context->packing || ZSTD_isError(n))
		n = 0;
	context_give(context);
	return n > 0 ? (ssize_t)n : -ENOMEM;
}

int frame_reader_init(struct frame_reader *reader, int fd, uint64_t size)
{
	*reader = (struct frame_reader){.fd = fd, .left = size};
	reader->frame = malloc(FRAME_BYTES_MAX);
	return reader->frame ? 0 : -ENOMEM;
}

void frame_reader_done(struct frame_reader *reader)
{
	free(reader->frame);
	reader->frame = NULL;
}

/* Fill the buffer from the file. Return: 0 or -errno. */
static int fill(struct frame_reader *reader)
{
	while (reader->n_frame < FRAME_BYTES_MAX) {
		ssize_t n = pread(reader->fd, reader->frame + reader->n_frame,
				  FRAME_BYTES_MAX - reader->n_frame, (off_t)reader->offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		reader->n_frame += (size_t)n;
		reader->offset += (uint64_t)n;
	}
	return 0;
}

static ssize_t unpack(const void *frame, size_t size, void *out)
{
	struct context *context = context_take();
	size_t n = 0;

	if (!context->reading)
		context->reading = ZSTD_createDCtx();
	if (context->reading)
		n = ZSTD_decompressDCtx(context->reading, out, FRAME_CONTENT_MAX, frame, size);
	else
		n = (size_t)-1;
	context_give(context);
	return ZSTD_isError(n) ? -EBADMSG : (ssize_t)n;
}

ssize_t frame_read(struct frame_reader *reader, void *out)
{
	size_t size;
	ssize_t n;
	int r = fill(reader);

	if (r < 0)
		return r;
	if (reader->left == 0)
		return reader->n_frame == 0 ? 0 : -EBADMSG;
	if (reader->n_frame == 0)
		return -EBADMSG;
	size = ZSTD_findFrameCompressedSize(reader->frame, reader->n_frame);
	if (ZSTD_isError(size))
		return -EBADMSG;
	n = unpack(reader->frame, size, out);
	if (n <= 0 || (uint64_t)n > reader->left)
		return -EBADMSG;
	reader->n_frame -= size;
	memmove(reader->frame, reader->frame + size, reader->n_frame);
	reader->left -= (uint64_t)n;
	return n;
}
