/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/io_engine.h"

#include "common/log.h"

#include <errno.h>
#include <string.h>

int io_engine_new(struct loop *loop, enum io_engine_kind kind, struct io_engine **ret_engine,
		  struct error *error)
{
	int r = -ENOSYS;

	if (kind != IO_ENGINE_EPOLL) {
		r = io_engine_uring_new(loop, ret_engine);
		if (r == 0)
			return 0;
		if (kind == IO_ENGINE_URING)
			return error_errno(error, -r, "cannot set up io_uring");
		log_info("io_uring is not available (%s): logs are written with epoll",
			 strerror(-r));
	}
	r = io_engine_epoll_new(loop, ret_engine);
	if (r < 0)
		return error_errno(error, -r, "cannot set up the log engine");
	return 0;
}

struct io_engine *io_engine_free(struct io_engine *engine)
{
	if (engine)
		engine->class->free(engine);
	return NULL;
}

static void begin(struct io_engine *engine, struct io_op *op)
{
	op->engine = engine;
	op->busy = true;
}

void io_poll(struct io_engine *engine, struct io_op *op, int fd)
{
	begin(engine, op);
	engine->class->poll(engine, op, fd);
}

void io_read(struct io_engine *engine, struct io_op *op, int fd, void *data, size_t size)
{
	begin(engine, op);
	engine->class->read(engine, op, fd, data, size);
}

void io_write(struct io_engine *engine, struct io_op *op, int fd, const void *data, size_t size,
	      uint64_t offset)
{
	begin(engine, op);
	engine->class->write(engine, op, fd, data, size, offset);
}

void io_sync(struct io_engine *engine, struct io_op *op, int fd)
{
	begin(engine, op);
	engine->class->sync(engine, op, fd);
}

void io_punch(struct io_engine *engine, struct io_op *op, int fd, uint64_t offset, uint64_t size)
{
	begin(engine, op);
	engine->class->punch(engine, op, fd, offset, size);
}

void io_delay(struct io_engine *engine, struct io_op *op, uint64_t usec)
{
	begin(engine, op);
	engine->class->delay(engine, op, usec);
}

void io_cancel(struct io_engine *engine, struct io_op *op)
{
	if (op->busy)
		engine->class->cancel(engine, op);
}

void io_submit(struct io_engine *engine)
{
	engine->class->submit(engine);
}
