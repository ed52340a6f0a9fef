/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_LOG_JOURNAL_H
#define DAEMON_LOG_JOURNAL_H

/*
 * DOC: Output on its way, where a kill -9 does not reach it
 *
 * What the log pump has taken out of a step's pipe and not yet written would be lost
 * with this process. So its buffers are slots of shared memory, and each slot has a
 * pipe of its own; memory and pipes are in the fd store.
 *
 *   splice(2)  moves pages from the step's pipe into the slot's, copying nothing;
 *              whatever happens, they are in one of the two
 *   read(2)    from the slot's pipe, which nobody else writes to: what is missing in
 *              the memory is what is still in the pipe
 *   write      at an offset that was noted before: how much of it happened is
 *              what the file is long
 *
 * A successor therefore knows to the byte what is in the log, what is in memory and
 * what is in which pipe, at whatever instruction the process was killed. The price
 * is one splice(2) for each chunk.
 */

#include "common/error.h"
#include "daemon/fd_store.h"
#include "daemon/mask.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum log_slot_state {
	LOG_SLOT_FREE = 0,
	LOG_SLOT_TAKEN,	  /* something may be in its pipe; .size 0: all there is */
	LOG_SLOT_QUEUED,  /* read; chunks are written in the order of .sequence */
	LOG_SLOT_WRITING, /* from .base on */
	LOG_SLOT_STATE_NUM,
};

/**
 * struct log_slot_head - shared; .state is set last
 *
 * Each member is a field with a tag (daemon/kept_fields.c), by which another version
 * reads it. A new member needs its line there.
 */
struct log_slot_head {
	uint32_t state;
	uint32_t stream;
	uint64_t sink; /* whose */
	uint64_t sequence;
	uint64_t size;
	uint64_t base;	  /* offset in the log */
	uint64_t at_usec; /* wall clock */
	uint64_t masked;  /* 1: .size bytes are behind the first .buffer_size, to be masked */
	/* from QUEUED on: what is to be written, and what the mask held back after it */
	uint64_t text, text_size;
	struct mask_stream mask;
};

struct log_slot {
	struct log_slot *next;
	struct log_slot_head *head;
	char *data;	    /* 2 * .buffer_size */
	size_t buffer_size; /* LOG_BUFFER_SIZE, or more: what a predecessor left must fit */
	unsigned index;
	int read_fd, write_fd; /* its pipe; -1: not made yet */
};

struct log_journal;

/**
 * log_journal_new() - slots in @store, those of a predecessor if it left any
 *
 * Return: 0 or -errno with @error.
 */
int log_journal_new(struct fd_store *store, struct log_journal **ret_journal, struct error *error);
/**
 * log_journal_check() - could log_journal_new() go on with what is in @store?
 *
 * Changes nothing. Return: 0, also when there is nothing; -errno with @error.
 */
int log_journal_check(const struct fd_store *store, struct error *error);
/** log_journal_free() - NULL is fine. Return: NULL. */
struct log_journal *log_journal_free(struct log_journal *journal);

/** log_journal_take() - a free slot with its pipe; NULL when there is none */
struct log_slot *log_journal_take(struct log_journal *journal);
/** log_journal_give() - back, and its memory with it */
void log_journal_give(struct log_journal *journal, struct log_slot *slot);
/**
 * log_journal_recover() - the next slot that a predecessor left for @sink, oldest first
 *
 * It is taken then, and holds its .head->size bytes. NULL when there is none (any more).
 */
struct log_slot *log_journal_recover(struct log_journal *journal, uint64_t sink);
/** log_journal_settle() - whatever nobody recovered is free now */
void log_journal_settle(struct log_journal *journal);

/** log_slot_begin() - it is for @sink from now on, and empty */
void log_slot_begin(struct log_slot *slot, uint64_t sink, unsigned stream);
/**
 * log_slot_pull() - begin, and move what @fd, a pipe, has into the slot's
 * @masked: it will have to be masked
 *
 * Return: bytes; 0 at its end; -EAGAIN when it is empty; -errno.
 */
ssize_t log_slot_pull(struct log_slot *slot, uint64_t sink, unsigned stream, int fd, bool masked);
/** log_slot_raw() - where what was pulled is to be read to */
char *log_slot_raw(const struct log_slot *slot);
/**
 * log_slot_queue() - it is number @sequence of those to be written
 * @text: where in .data
 * @mask: what is held back after it, NULL: there is no mask
 */
void log_slot_queue(struct log_slot *slot, uint64_t sequence, uint64_t at_usec, size_t text,
		    size_t text_size, const struct mask_stream *mask);
/** log_slot_write() - it is going to be written at @base */
void log_slot_write(struct log_slot *slot, uint64_t base);
/** log_slot_done() - nothing of it is needed any more */
void log_slot_done(struct log_slot *slot);

#endif
