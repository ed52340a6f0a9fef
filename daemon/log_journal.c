/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/log_journal_parts.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "daemon/log_pump.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

static void state_set(struct log_slot *slot, enum log_slot_state state)
{
	__atomic_store_n(&slot->head->state, (uint32_t)state, __ATOMIC_SEQ_CST);
}

/* ---- one slot ---- */

void log_slot_begin(struct log_slot *slot, uint64_t sink, unsigned stream)
{
	slot->head->sink = sink;
	slot->head->stream = stream;
	slot->head->size = 0;
	slot->head->sequence = 0;
	slot->head->masked = 0;
}

ssize_t log_slot_pull(struct log_slot *slot, uint64_t sink, unsigned stream, int fd, bool masked)
{
	size_t room = masked ? LOG_BUFFER_SIZE - MASK_HEADROOM : LOG_BUFFER_SIZE;
	ssize_t n;

	log_slot_begin(slot, sink, stream);
	slot->head->masked = masked;
	state_set(slot, LOG_SLOT_TAKEN);
	n = splice(fd, NULL, slot->write_fd, NULL, room, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n > 0)
		__atomic_store_n(&slot->head->size, (uint64_t)n, __ATOMIC_SEQ_CST);
	else if (n < 0)
		n = -errno;
	return n;
}

char *log_slot_raw(const struct log_slot *slot)
{
	return slot->head->masked ? slot->data + slot->buffer_size : slot->data;
}

void log_slot_queue(struct log_slot *slot, uint64_t sequence, uint64_t at_usec, size_t text,
		    size_t text_size, const struct mask_stream *mask)
{
	struct log_slot_head *head = slot->head;

	head->sequence = sequence;
	head->at_usec = at_usec;
	head->text = text;
	head->text_size = text_size;
	if (mask)
		head->mask = *mask;
	state_set(slot, LOG_SLOT_QUEUED);
}

void log_slot_write(struct log_slot *slot, uint64_t base)
{
	slot->head->base = base;
	state_set(slot, LOG_SLOT_WRITING);
}

void log_slot_done(struct log_slot *slot)
{
	state_set(slot, LOG_SLOT_FREE);
}

/* ---- free slots and their pipes ---- */

static void pipe_name(char *name, char end, unsigned index)
{
	(void)snprintf(name, FD_STORE_NAME_MAX, FD_STORE_PREFIX "%c%u", end, index);
}

/* Drop a pipe that may contain output: it must not get into the next log that uses the slot. */
static void pipe_drop(struct log_journal *journal, struct log_slot *slot)
{
	char name[FD_STORE_NAME_MAX];

	pipe_name(name, 'i', slot->index);
	fd_store_drop(journal->store, name);
	pipe_name(name, 'o', slot->index);
	fd_store_drop(journal->store, name);
	slot->read_fd = slot->write_fd = -1;
}

static int pipe_make(struct log_journal *journal, struct log_slot *slot)
{
	char name[FD_STORE_NAME_MAX];
	int fds[2], r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	/* the kernel may refuse: then chunks are smaller */
	(void)fcntl(fds[0], F_SETPIPE_SZ, (int)LOG_BUFFER_SIZE);
	pipe_name(name, 'i', slot->index);
	r = fd_store_put(journal->store, name, fds[0]);
	if (r < 0)
		(void)close(fds[1]);
	pipe_name(name, 'o', slot->index);
	if (r == 0)
		r = fd_store_put(journal->store, name, fds[1]);
	if (r < 0) {
		pipe_drop(journal,
			  slot); /* an end that the service manager did not get is in the store */
		return r;
	}
	slot->read_fd = fds[0];
	slot->write_fd = fds[1];
	return 0;
}

struct log_slot *log_journal_take(struct log_journal *journal)
{
	struct log_slot *slot = journal->free_slots;

	if (!slot)
		return NULL;
	if (slot->write_fd < 0 && pipe_make(journal, slot) < 0)
		return NULL;
	journal->free_slots = slot->next;
	slot->next = NULL;
	return slot;
}

void log_journal_give(struct log_journal *journal, struct log_slot *slot)
{
	state_set(slot, LOG_SLOT_FREE);
	explicit_bzero(&slot->head->mask, sizeof(slot->head->mask));
	(void)madvise(slot->data, 2 * slot->buffer_size, MADV_REMOVE);
	slot->next = journal->free_slots;
	journal->free_slots = slot;
}

/* ---- slots of a predecessor ---- */

/* Read the rest of the output from the pipe into memory. Return: whether it is complete. */
static bool slot_fill(struct log_slot *slot)
{
	struct log_slot_head *head = slot->head;
	uint64_t at;
	int left = 0;

	if (head->state != LOG_SLOT_TAKEN)
		return head->text <= slot->buffer_size &&
		       head->text_size <= slot->buffer_size - head->text;
	/* without its pipe it is not known how much of the memory belongs to this chunk */
	if (slot->read_fd < 0 || ioctl(slot->read_fd, FIONREAD, &left) < 0)
		return false;
	if (head->size == 0)
		head->size = (uint64_t)left;
	if (head->size > slot->buffer_size - (head->masked ? MASK_HEADROOM : 0) ||
	    (uint64_t)left > head->size)
		return false;
	at = head->size - (uint64_t)left;
	while (left > 0) {
		ssize_t n = read(slot->read_fd, log_slot_raw(slot) + at, (size_t)left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += (uint64_t)n;
		left -= (int)n;
	}
	return true;
}

/* Slots that were queued, by sequence number; then those that were only read. */
static bool comes_before(const struct log_slot_head *a, const struct log_slot_head *b)
{
	if ((a->state == LOG_SLOT_TAKEN) != (b->state == LOG_SLOT_TAKEN))
		return b->state == LOG_SLOT_TAKEN;
	return a->sequence < b->sequence;
}

struct log_slot *log_journal_recover(struct log_journal *journal, uint64_t sink)
{
	for (;;) {
		struct log_slot *first = NULL;

		for (size_t i = 0; i < journal->n_slots; i++) {
			struct log_slot *slot = &journal->slots[i];

			/* a slot that is not recovered yet is its own .next */
			if (slot->next != slot || slot->head->state == LOG_SLOT_FREE ||
			    slot->head->sink != sink)
				continue;
			if (!first || comes_before(slot->head, first->head))
				first = slot;
		}
		if (!first)
			return NULL;
		if (slot_fill(first) &&
		    (first->head->size > 0 || first->head->state != LOG_SLOT_TAKEN)) {
			first->next = NULL;
			return first;
		}
		if (first->head->size > 0)
			log_error("output of a step is lost: its buffer is damaged");
		pipe_drop(journal, first);
		state_set(first, LOG_SLOT_FREE);
	}
}

void log_journal_settle(struct log_journal *journal)
{
	for (size_t i = 0; i < journal->n_slots; i++) {
		struct log_slot *slot = &journal->slots[i];

		if (slot->next != slot)
			continue;
		if (slot->head->state != LOG_SLOT_FREE)
			pipe_drop(journal, slot);
		log_journal_give(journal, slot);
	}
}

/* ---- life ---- */

static void slot_init(struct log_journal *journal, unsigned index)
{
	struct log_slot *slot = &journal->slots[index];
	char name[FD_STORE_NAME_MAX];

	slot->index = index;
	slot->head = log_journal_head(journal, index);
	slot->data = log_journal_data(journal, index);
	slot->buffer_size = journal->buffer_size;
	pipe_name(name, 'i', index);
	slot->read_fd = fd_store_get(journal->store, name);
	pipe_name(name, 'o', index);
	slot->write_fd = fd_store_get(journal->store, name);
	/* runbookd was killed before it had stored both ends */
	if (slot->read_fd < 0 || slot->write_fd < 0)
		pipe_drop(journal, slot);
	slot->next = slot; /* to be recovered or settled */
}

int log_journal_new(struct fd_store *store, struct log_journal **ret_journal, struct error *error)
{
	struct log_journal *journal = calloc(1, sizeof(*journal));
	int r;

	if (!journal)
		return error_errno(error, ENOMEM, "cannot keep output on its way");
	journal->store = store;
	r = log_journal_memory(journal);
	if (r == 0) {
		journal->slots = calloc(journal->n_slots, sizeof(*journal->slots));
		r = journal->slots ? 0 : -ENOMEM;
	}
	if (r < 0) {
		(void)log_journal_free(journal);
		return error_errno(error, -r, "cannot keep output on its way");
	}
	for (unsigned i = 0; i < journal->n_slots; i++) {
		slot_init(journal, i);
		if (!journal->inherited)
			pipe_drop(journal, &journal->slots[i]);
	}
	*ret_journal = journal;
	return 0;
}

struct log_journal *log_journal_free(struct log_journal *journal)
{
	if (!journal)
		return NULL;
	if (journal->memory)
		(void)munmap(journal->memory, journal->bytes);
	free(journal->slots);
	free(journal);
	return NULL;
}
