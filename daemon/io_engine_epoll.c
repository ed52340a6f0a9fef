/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The fallback without io_uring: system calls are made at once, and their results are
 * delivered from a timer that is due immediately, so that done() is never called from
 * within the call that started the operation.
 */

#include "common/cleanup.h"
#include "daemon/io_engine.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>

struct epoll_engine {
	struct io_engine engine;
	struct list finished; /* operations whose results are not delivered yet */
	struct loop_timer deliver;
};

static struct epoll_engine *epoll_of(struct io_engine *engine)
{
	return container_of(engine, struct epoll_engine, engine);
}

static void deliver(struct loop_timer *timer)
{
	struct epoll_engine *self = container_of(timer, struct epoll_engine, deliver);
	struct list_node *last = self->finished.last, *node = NULL;

	/* up to the op that is last now: those that done() starts wait for the next turn */
	while (node != last) {
		struct io_op *op;

		node = list_pop(&self->finished);
		op = list_entry(node, struct io_op, finished);
		op->busy = false;
		op->done(op, op->result);
	}
}

static void finish(struct epoll_engine *self, struct io_op *op, ssize_t result)
{
	op->result = (int)result;
	list_append(&self->finished, &op->finished);
	if (!self->deliver.loop)
		(void)loop_timer_set(self->engine.loop, &self->deliver, now_usec(), deliver);
}

static void poll_ready(struct loop_file *file, uint32_t events)
{
	struct io_op *op = container_of(file, struct io_op, file);

	loop_remove(file);
	op->busy = false;
	op->done(op, (int)events);
}

static void engine_poll(struct io_engine *engine, struct io_op *op, int fd)
{
	int r = loop_add(engine->loop, &op->file, fd, EPOLLIN, poll_ready);

	if (r < 0)
		finish(epoll_of(engine), op, r);
}

static void engine_read(struct io_engine *engine, struct io_op *op, int fd, void *data, size_t size)
{
	ssize_t n = read(fd, data, size);

	finish(epoll_of(engine), op, n < 0 ? -errno : n);
}

static void engine_write(struct io_engine *engine, struct io_op *op, int fd, const void *data,
			 size_t size, uint64_t offset)
{
	ssize_t n = pwrite(fd, data, size, (off_t)offset);

	finish(epoll_of(engine), op, n < 0 ? -errno : n);
}

static void engine_sync(struct io_engine *engine, struct io_op *op, int fd)
{
	finish(epoll_of(engine), op, fsync(fd) < 0 ? -errno : 0);
}

static void engine_punch(struct io_engine *engine, struct io_op *op, int fd, uint64_t offset,
			 uint64_t size)
{
	int r = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
			  (off_t)size);

	finish(epoll_of(engine), op, r < 0 ? -errno : 0);
}

static void delay_over(struct loop_timer *timer)
{
	struct io_op *op = container_of(timer, struct io_op, timer);

	op->busy = false;
	op->done(op, 0);
}

static void engine_delay(struct io_engine *engine, struct io_op *op, uint64_t usec)
{
	int r = loop_timer_set(engine->loop, &op->timer, now_usec() + usec, delay_over);

	if (r < 0)
		finish(epoll_of(engine), op, r);
}

static void engine_cancel(struct io_engine *engine, struct io_op *op)
{
	if (!op->file.loop)
		return; /* not a poll: its result is in .finished already */
	loop_remove(&op->file);
	finish(epoll_of(engine), op, -ECANCELED);
}

static void engine_submit(struct io_engine *engine)
{
	(void)engine; /* operations are executed when they are started */
}

static void engine_free(struct io_engine *engine)
{
	struct epoll_engine *self = epoll_of(engine);

	loop_timer_cancel(&self->deliver);
	free(self);
}

static const struct io_engine_class epoll_class = {
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

int io_engine_epoll_new(struct loop *loop, struct io_engine **ret_engine)
{
	struct epoll_engine *self = calloc(1, sizeof(*self));

	if (!self)
		return -ENOMEM;
	self->engine.class = &epoll_class;
	self->engine.loop = loop;
	self->deliver = LOOP_TIMER_NULL;
	*ret_engine = &self->engine;
	return 0;
}
