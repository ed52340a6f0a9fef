/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One io_uring for every stream of every step: the requests of a whole loop turn
 * are submitted by one system call. An eventfd wakes the loop for completions, because
 * with deferred task work the ring's own descriptor does not wake epoll_wait(2).
 *
 * Writes are made at once where they need not wait (io_direct.h); their results are delivered
 * like those of the ring.
 */

#include "common/cleanup.h"
#include "common/limits.h"
#include "common/log.h"
#include "daemon/io_direct.h"
#include "daemon/io_engine.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <time.h>

#define RING_ENTRIES 256
/* completions served per wake-up, so that messages are served during a flood of output */
#define RING_BURST 256
#define DIRECT_BURST (4 * MIB) /* likewise, bytes that are written at once */
#define RING_DRAIN_MSEC 10000

struct uring_engine {
	struct io_engine engine;
	struct io_uring ring;
	struct loop_file file;
	int event_fd;
	struct loop_timer retry; /* of a submit, after the kernel was out of memory */
	struct __kernel_timespec delay;
	bool serving;
	int read_flags; /* RWF_NOWAIT or 0 */
	struct io_direct direct;
	struct list
		written; /* writes that were made at once, and whose results are not delivered */
	size_t burst;	 /* bytes that were written at once since this wake-up */
};

static struct uring_engine *uring_of(struct io_engine *engine)
{
	return container_of(engine, struct uring_engine, engine);
}

static void submit_again(struct loop_timer *timer)
{
	struct uring_engine *self = container_of(timer, struct uring_engine, retry);

	io_submit(&self->engine);
}

static void ring_submit(struct uring_engine *self)
{
	int r;

	if (io_uring_sq_ready(&self->ring) == 0)
		return;
	r = io_uring_submit(&self->ring);
	if (r < 0 || io_uring_sq_ready(&self->ring) > 0) {
		if (r < 0 && r != -EAGAIN && r != -EBUSY && r != -EINTR)
			log_error("io_uring refuses requests: %s", strerror(-r));
		(void)loop_timer_set(self->engine.loop, &self->retry, now_usec() + USEC_PER_MSEC,
				     submit_again);
	}
}

/*
 * Return a free submission entry. A submit empties the queue, unless the kernel is out
 * of memory: then wait until it has some.
 */
static struct io_uring_sqe *ring_entry(struct uring_engine *self)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	struct io_uring_sqe *entry;

	for (int i = 0; i < RING_DRAIN_MSEC; i++) {
		int r;

		entry = io_uring_get_sqe(&self->ring);
		if (entry)
			return entry;
		r = io_uring_submit(&self->ring);
		if (r < 0)
			(void)nanosleep(&pause, NULL);
	}
	log_error("io_uring takes no requests any more");
	abort(); /* the service manager starts runbookd again */
}

/* Deliver the result of one write that was made at once. Return: was there any? */
static bool deliver_written(struct uring_engine *self)
{
	struct list_node *node = list_pop(&self->written);
	struct io_op *op;

	if (!node)
		return false;
	op = list_entry(node, struct io_op, finished);
	op->busy = false;
	op->done(op, op->result);
	return true;
}

static void ring_serve(struct loop_file *file, uint32_t events)
{
	struct uring_engine *self = container_of(file, struct uring_engine, file);
	struct io_uring_cqe *cqe;
	eventfd_t count;
	int served;

	self->serving = true;
	self->burst = 0;
	(void)eventfd_read(self->event_fd, &count);
	/* with deferred task work, completions appear when the ring is entered */
	(void)io_uring_get_events(&self->ring);
	for (served = 0; served < RING_BURST && self->burst < DIRECT_BURST; served++) {
		struct io_op *op;
		int result;

		if (deliver_written(self))
			continue;
		if (io_uring_peek_cqe(&self->ring, &cqe) != 0) {
			/* reads that find data complete during the submit: serve these now, too */
			if (io_uring_sq_ready(&self->ring) == 0)
				break;
			ring_submit(self);
			if (io_uring_peek_cqe(&self->ring, &cqe) != 0)
				break;
		}
		op = io_uring_cqe_get_data(cqe);
		result = cqe->res == -ETIME ? 0 : cqe->res; /* a delay is over */
		io_uring_cqe_seen(&self->ring, cqe);
		if (!op)
			continue; /* the result of a cancellation itself */
		op->busy = false;
		op->done(op, result);
	}
	self->serving = false;
	ring_submit(self);
	if (served == RING_BURST || self->burst >= DIRECT_BURST)
		(void)eventfd_write(self->event_fd, 1); /* serve the rest in the next turn */
}

static void engine_poll(struct io_engine *engine, struct io_op *op, int fd)
{
	struct io_uring_sqe *entry = ring_entry(uring_of(engine));

	io_uring_prep_poll_add(entry, fd, POLLIN);
	io_uring_sqe_set_data(entry, op);
}

static void engine_read(struct io_engine *engine, struct io_op *op, int fd, void *data, size_t size)
{
	struct io_uring_sqe *entry = ring_entry(uring_of(engine));

	io_uring_prep_read(entry, fd, data, (unsigned)size, (__u64)-1);
	entry->rw_flags = uring_of(engine)->read_flags;
	io_uring_sqe_set_data(entry, op);
}

/* How often has this thread waited? */
static long sleeps(void)
{
	struct rusage usage = {.ru_nvcsw = 0};

	(void)getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nvcsw;
}

/* Write at once, if that need not wait. Return: was it written, or did it fail? */
static bool write_direct(struct uring_engine *self, struct io_op *op, int fd, const void *data,
			 size_t size, uint64_t offset)
{
	uint64_t began = now_usec(), ended;
	long slept;
	ssize_t n;

	if (!io_direct_may(&self->direct, size, began))
		return false;
	slept = sleeps();
	n = pwrite(fd, data, size, (off_t)offset);
	op->result = n < 0 ? -errno : (int)n;
	ended = now_usec();
	io_direct_wrote(&self->direct, ended - began, sleeps() != slept, ended);
	self->burst += size;
	list_append(&self->written, &op->finished);
	if (!self->serving)
		(void)eventfd_write(self->event_fd, 1);
	return true;
}

static void engine_write(struct io_engine *engine, struct io_op *op, int fd, const void *data,
			 size_t size, uint64_t offset)
{
	struct uring_engine *self = uring_of(engine);
	struct io_uring_sqe *entry;

	if (write_direct(self, op, fd, data, size, offset))
		return;
	entry = ring_entry(self);
	io_uring_prep_write(entry, fd, data, (unsigned)size, offset);
	io_uring_sqe_set_data(entry, op);
}

static void engine_sync(struct io_engine *engine, struct io_op *op, int fd)
{
	struct io_uring_sqe *entry = ring_entry(uring_of(engine));

	io_uring_prep_fsync(entry, fd, 0);
	io_uring_sqe_set_data(entry, op);
}

static void engine_punch(struct io_engine *engine, struct io_op *op, int fd, uint64_t offset,
			 uint64_t size)
{
	struct io_uring_sqe *entry = ring_entry(uring_of(engine));

	io_uring_prep_fallocate(entry, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				(__off_t)offset, (__off_t)size);
	io_uring_sqe_set_data(entry, op);
}

static void engine_delay(struct io_engine *engine, struct io_op *op, uint64_t usec)
{
	struct uring_engine *self = uring_of(engine);
	struct io_uring_sqe *entry = ring_entry(self);

	/* the kernel reads this at the submit, which comes before the next delay is started */
	self->delay.tv_sec = (long long)(usec / USEC_PER_SEC);
	self->delay.tv_nsec = (long long)(usec % USEC_PER_SEC) * 1000;
	io_uring_prep_timeout(entry, &self->delay, 0, IORING_TIMEOUT_ETIME_SUCCESS);
	io_uring_sqe_set_data(entry, op);
}

static void engine_cancel(struct io_engine *engine, struct io_op *op)
{
	struct io_uring_sqe *entry = ring_entry(uring_of(engine));

	io_uring_prep_cancel(entry, op, 0);
	io_uring_sqe_set_data(entry, NULL);
}

static void engine_submit(struct io_engine *engine)
{
	struct uring_engine *self = uring_of(engine);

	if (!self->serving)
		ring_submit(self);
}

static void engine_free(struct io_engine *engine)
{
	struct uring_engine *self = uring_of(engine);

	loop_timer_cancel(&self->retry);
	loop_remove(&self->file);
	io_uring_queue_exit(&self->ring);
	(void)close(self->event_fd);
	io_direct_close(&self->direct);
	free(self);
}

static const struct io_engine_class uring_class = {
	.free = engine_free,
	.poll = engine_poll,
	.read = engine_read,
	.write = engine_write,
	.sync = engine_sync,
	.punch = engine_punch,
	.delay = engine_delay,
	.cancel = engine_cancel,
	.submit = engine_submit,
};

/*
 * DEFER_TASKRUN keeps completions from interrupting other system calls of this thread.
 * Linux 6.1 and later have it; older kernels get a plain ring.
 */
static int ring_setup(struct io_uring *ring)
{
	static const unsigned flags[] = {
		IORING_SETUP_CLAMP | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		IORING_SETUP_CLAMP,
	};
	int r = -EINVAL;

	for (size_t i = 0; i < ARRAY_SIZE(flags) && r == -EINVAL; i++)
		r = io_uring_queue_init(RING_ENTRIES, ring, flags[i]);
	return r;
}

/*
 * A read of an empty pipe must fail with EAGAIN. Kernels whose pipes support RWF_NOWAIT
 * need that flag, because without it they wait inside the ring in spite of O_NONBLOCK;
 * older kernels refuse the flag and honour O_NONBLOCK.
 */
static int pipe_read_flags(void)
{
	struct iovec vector;
	int fds[2];
	char byte;
	int flags = 0;

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return 0;
	vector = (struct iovec){.iov_base = &byte, .iov_len = 1};
	if (preadv2(fds[0], &vector, 1, -1, RWF_NOWAIT) < 0 && errno == EAGAIN)
		flags = RWF_NOWAIT;
	(void)close(fds[0]);
	(void)close(fds[1]);
	return flags;
}

int io_engine_uring_new(struct loop *loop, struct io_engine **ret_engine)
{
	struct uring_engine *self = calloc(1, sizeof(*self));
	int r;

	if (!self)
		return -ENOMEM;
	self->engine.class = &uring_class;
	self->engine.loop = loop;
	self->file = LOOP_FILE_NULL;
	self->retry = LOOP_TIMER_NULL;
	self->direct.vmstat_fd = -1;
	r = ring_setup(&self->ring);
	if (r < 0) {
		free(self);
		return r;
	}
	self->read_flags = pipe_read_flags();
	io_direct_open(&self->direct, "/proc/vmstat");
	self->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = self->event_fd < 0 ? -errno : 0;
	if (r == 0)
		r = io_uring_register_eventfd(&self->ring, self->event_fd);
	if (r == 0)
		r = loop_add(loop, &self->file, self->event_fd, EPOLLIN, ring_serve);
	if (r < 0) {
		engine_free(&self->engine);
		return r;
	}
	*ret_engine = &self->engine;
	return 0;
}
