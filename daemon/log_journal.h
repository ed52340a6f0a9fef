/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_LOG_JOURNAL_H
#define DAEMON_LOG_JOURNAL_H

/*
 * DOC: Output on its way, safe from kill -9
 *
 * Output that the log pump has read from a step's pipe and not yet written to the log
 * would be lost with this process. Therefore the buffers of the pump are slots of shared
 * memory, and each slot has a pipe of its own; memory and pipes are in the fd store.
 *
 *   splice(2)  moves pages from the step's pipe into the slot's pipe without a copy;
 *              at every moment they are in one of the two
 *   read(2)    copies from the slot's pipe, which has no other writer, into the slot's
 *              memory: the bytes that the memory lacks are still in the pipe
 *   write      goes to an offset that was noted before: the length of the file tells how
 *              much of it happened
 *
 * A successor therefore knows to the byte which output is in the log, which in memory and
 * which in a pipe, at whatever instruction the process was killed. The price is one
 * splice(2) for each chunk.
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
	LOG_SLOT_TAKEN,	  /* its pipe may have output: .size bytes, or if that is 0, any number */
	LOG_SLOT_QUEUED,  /* read into memory; chunks are written in the order of .sequence */
	LOG_SLOT_WRITING, /* being written at .base */
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
	uint64_t sink; /* id of log_sink_persist() */
	uint64_t sequence;
	uint64_t size;	  /* bytes that were read from the step */
	uint64_t base;	  /* offset in the log */
	uint64_t at_usec; /* wall clock */
	uint64_t masked;  /* 1: these bytes are in the second buffer, as they were read */
	/* from QUEUED on: the bytes to write (offset, size), and the mask's state after them */
	uint64_t text, text_size;
	struct mask_stream mask;
};

/** struct log_slot - this process's view of a slot */
struct log_slot {
	struct log_slot *next; /* free ones; itself: to be recovered */
	struct log_slot_head *head;
	char *data;	    /* two buffers: output to write, output before it was masked */
	size_t buffer_size; /* LOG_BUFFER_SIZE, or more if a predecessor's buffers were larger */
	unsigned index;
	int read_fd, write_fd; /* its pipe; -1: not made yet */
};

struct log_journal;

/**
 * log_journal_new() - the slots that a predecessor left in @store, or new ones
 *
 * Slots that cannot be read are logged as lost output and replaced. Return: 0; -errno with
 * @error.
 */
int log_journal_new(struct fd_store *store, struct log_journal **ret_journal, struct error *error);
/**
 * log_journal_check() - could log_journal_new() go on with what is in @store?
 *
 * Changes nothing. Return: 0, also when @store has no journal; -errno with @error.
 */
int log_journal_check(const struct fd_store *store, struct error *error);
/** log_journal_free() - unmap it; the fd store has memory and pipes. NULL is fine. Return: NULL. */
struct log_journal *log_journal_free(struct log_journal *journal);

/** log_journal_take() - a free slot with its pipe; NULL when there is none */
struct log_slot *log_journal_take(struct log_journal *journal);
/** log_journal_give() - make @slot free, and give its memory back to the kernel */
void log_journal_give(struct log_journal *journal, struct log_slot *slot);
/**
 * log_journal_recover() - the next slot that a predecessor left for @sink, oldest first
 *
 * The slot is taken then, and its output is completely in memory. Output that cannot be
 * completed is logged as lost. Return: NULL when there are no more.
 */
struct log_slot *log_journal_recover(struct log_journal *journal, uint64_t sink);
/** log_journal_settle() - all sinks are adopted: make free the slots that none recovered */
void log_journal_settle(struct log_journal *journal);

/** log_slot_begin() - assign @slot, which is empty, to @sink and @stream (1 or 2) */
void log_slot_begin(struct log_slot *slot, uint64_t sink, unsigned stream);
/**
 * log_slot_pull() - log_slot_begin(), then splice output from @fd, a pipe, into the slot's pipe
 * @masked: the output has to be masked before it is written
 *
 * Return: bytes; 0 at the end of @fd; -EAGAIN when it is empty; -EINVAL when it is not a
 * pipe; another -errno.
 */
ssize_t log_slot_pull(struct log_slot *slot, uint64_t sink, unsigned stream, int fd, bool masked);
/** log_slot_raw() - the buffer for the bytes that log_slot_pull() moved */
char *log_slot_raw(const struct log_slot *slot);
/**
 * log_slot_queue() - note that @slot is to be written, as number @sequence
 * @text: offset in .data of the @text_size bytes to write
 * @mask: state of the stream's mask after them; NULL: no mask
 */
void log_slot_queue(struct log_slot *slot, uint64_t sequence, uint64_t at_usec, size_t text,
		    size_t text_size, const struct mask_stream *mask);
/** log_slot_write() - note that it is about to be written at offset @base of the log */
void log_slot_write(struct log_slot *slot, uint64_t base);
/** log_slot_done() - note that its output is written or given up */
void log_slot_done(struct log_slot *slot);

#endif
