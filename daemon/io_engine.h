/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_IO_ENGINE_H
#define DAEMON_IO_ENGINE_H

/*
 * DOC: Asynchronous reads, writes and syncs
 *
 * One small interface over two implementations: io_uring, and epoll with plain
 * system calls where the kernel or its administrator refuses io_uring. What is
 * built on top (the log pump) does not know which one it has.
 *
 * A struct io_op is one thing in flight: embedded by its owner, not touched
 * while it is busy, and told by done() with the result of the system call
 * (negative: -errno). done() may start the next one with the same op. Calls
 * never recurse into done(): it is always called from the loop.
 */

#include "common/error.h"
#include "common/list.h"
#include "common/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct io_engine;
struct io_op;

typedef void (*io_done_fn)(struct io_op *op, int result);

struct io_op {
	io_done_fn done;
	bool busy;
	/* of the epoll engine */
	struct loop_file file;
	struct loop_timer timer;
	struct io_engine *engine;
	struct list_node finished;
	int result;
};

#define IO_OP_INIT(function)                                                                       \
	((struct io_op){                                                                           \
		.done = (function),                                                                \
		.file = LOOP_FILE_NULL,                                                            \
		.timer = LOOP_TIMER_NULL,                                                          \
	})

enum io_engine_kind {
	IO_ENGINE_AUTO, /* io_uring if there is one */
	IO_ENGINE_URING,
	IO_ENGINE_EPOLL,
};

/** io_engine_new() - Return: 0, or -errno with @error (IO_ENGINE_AUTO falls back instead) */
int io_engine_new(struct loop *loop, enum io_engine_kind kind, struct io_engine **ret_engine,
		  struct error *error);
/** io_engine_free() - nothing may be busy any more. NULL is fine. Return: NULL. */
struct io_engine *io_engine_free(struct io_engine *engine);

/** io_poll() - wait until @fd is readable or at its end; result > 0 */
void io_poll(struct io_engine *engine, struct io_op *op, int fd);
/** io_read() - read from @fd, which is non-blocking: -EAGAIN when it is empty */
void io_read(struct io_engine *engine, struct io_op *op, int fd, void *data, size_t size);
/** io_write() - write to a file at @offset */
void io_write(struct io_engine *engine, struct io_op *op, int fd, const void *data, size_t size,
	      uint64_t offset);
/** io_sync() - fsync(2) */
void io_sync(struct io_engine *engine, struct io_op *op, int fd);
/**
 * io_punch() - make a hole of @size bytes at @offset: they take no room and read as zeroes
 *
 * The result is 0; -EOPNOTSUPP where the file system cannot.
 */
void io_punch(struct io_engine *engine, struct io_op *op, int fd, uint64_t offset, uint64_t size);
/** io_delay() - end @op after @usec, with result 0 */
void io_delay(struct io_engine *engine, struct io_op *op, uint64_t usec);
/** io_cancel() - make a busy poll or read end soon, with -ECANCELED or its result */
void io_cancel(struct io_engine *engine, struct io_op *op);
/**
 * io_submit() - hand over what was asked since the last time
 *
 * Needed after calls from outside a done() function; once for many calls.
 */
void io_submit(struct io_engine *engine);

/* ---- how an engine is made; for the engines' own files ---- */

struct io_engine_class {
	void (*free)(struct io_engine *engine);
	void (*poll)(struct io_engine *engine, struct io_op *op, int fd);
	void (*read)(struct io_engine *engine, struct io_op *op, int fd, void *data, size_t size);
	void (*write)(struct io_engine *engine, struct io_op *op, int fd, const void *data,
		      size_t size, uint64_t offset);
	void (*sync)(struct io_engine *engine, struct io_op *op, int fd);
	void (*punch)(struct io_engine *engine, struct io_op *op, int fd, uint64_t offset,
		      uint64_t size);
	void (*delay)(struct io_engine *engine, struct io_op *op, uint64_t usec);
	void (*cancel)(struct io_engine *engine, struct io_op *op);
	void (*submit)(struct io_engine *engine);
};

struct io_engine {
	const struct io_engine_class *class;
	struct loop *loop;
};

int io_engine_uring_new(struct loop *loop, struct io_engine **ret_engine);
int io_engine_epoll_new(struct loop *loop, struct io_engine **ret_engine);

#endif
