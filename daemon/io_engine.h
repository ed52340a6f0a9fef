/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_IO_ENGINE_H
#define DAEMON_IO_ENGINE_H

/*
 * DOC: Asynchronous reads, writes and syncs
 *
 * One small interface over two implementations: io_uring(7), and epoll(7) with plain
 * system calls where the kernel or its administrator refuses io_uring. The log pump,
 * which is built on top, does not know which one it has.
 *
 * A struct io_op is one operation in flight. Its owner embeds it and leaves it alone
 * while it is busy; done() gets the result of the system call (negative: -errno), and may
 * start the next operation with the same op. done() is always called from the loop, never
 * from within the call that started the operation.
 */

#include "common/error.h"
#include "common/list.h"
#include "common/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct io_engine;
struct io_op;

/** io_done_fn - @op has ended with @result, -errno or as the function that started it says */
typedef void (*io_done_fn)(struct io_op *op, int result);

/** struct io_op - to be initialized with IO_OP_INIT() */
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
	IO_ENGINE_AUTO, /* io_uring if the kernel allows it */
	IO_ENGINE_URING,
	IO_ENGINE_EPOLL,
};

/**
 * io_engine_new() - an engine that calls done() from @loop
 *
 * IO_ENGINE_AUTO falls back to epoll. Return: 0, or -errno with @error.
 */
int io_engine_new(struct loop *loop, enum io_engine_kind kind, struct io_engine **ret_engine,
		  struct error *error);
/** io_engine_free() - when no op is busy any more. NULL is fine. Return: NULL. */
struct io_engine *io_engine_free(struct io_engine *engine);

/** io_poll() - wait until @fd is readable or at its end; the result is > 0 then */
void io_poll(struct io_engine *engine, struct io_op *op, int fd);
/** io_read() - read(2) from @fd, which is non-blocking: -EAGAIN when it is empty */
void io_read(struct io_engine *engine, struct io_op *op, int fd, void *data, size_t size);
/** io_write() - pwrite(2) to a file at @offset */
void io_write(struct io_engine *engine, struct io_op *op, int fd, const void *data, size_t size,
	      uint64_t offset);
/** io_sync() - fsync(2) */
void io_sync(struct io_engine *engine, struct io_op *op, int fd);
/**
 * io_punch() - make a hole of @size bytes at @offset, which takes no space and reads as zeroes
 *
 * fallocate(2), FALLOC_FL_PUNCH_HOLE. The result is 0; -EOPNOTSUPP where the file system
 * has no holes.
 */
void io_punch(struct io_engine *engine, struct io_op *op, int fd, uint64_t offset, uint64_t size);
/** io_delay() - end @op after @usec, with result 0 */
void io_delay(struct io_engine *engine, struct io_op *op, uint64_t usec);
/** io_cancel() - make a busy poll or read end soon, with -ECANCELED or its result */
void io_cancel(struct io_engine *engine, struct io_op *op);
/**
 * io_submit() - give the kernel all operations that were started since the last call
 *
 * Needed after operations that were started outside of a done() function; one call for
 * many of them.
 */
void io_submit(struct io_engine *engine);

/* ---- for the engines' own files ---- */

/** struct io_engine_class - an implementation; the functions above call these */
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

/** io_engine_uring_new(), io_engine_epoll_new() - Return: 0 or -errno */
int io_engine_uring_new(struct loop *loop, struct io_engine **ret_engine);
int io_engine_epoll_new(struct loop *loop, struct io_engine **ret_engine);

#endif
