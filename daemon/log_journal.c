/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/log_journal.h"

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

#define MEMORY_NAME FD_STORE_PREFIX "journal"
#define JOURNAL_MAGIC 0x4a4c4252u /* "RBLJ" */
#define JOURNAL_VERSION 1
#define HEADS_BYTES 16384
#define SLOTS LOG_BUFFERS_MAX
#define SLOT_BYTES (2 * LOG_BUFFER_SIZE)
#define JOURNAL_BYTES (HEADS_BYTES + (size_t)SLOTS * SLOT_BYTES)

struct journal_head {
	uint32_t magic, version;
	uint64_t slot_size;
	struct log_slot_head slots[SLOTS];
};
_Static_assert(sizeof(struct journal_head) <= HEADS_BYTES, "heads do not fit");

struct log_journal {
	struct fd_store *store;
	struct journal_head *head;
	struct log_slot slots[SLOTS];
	struct log_slot *free_slots;
};

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
	return slot->head->masked ? slot->data + LOG_BUFFER_SIZE : slot->data;
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

/* ---- taking and giving ---- */

static void pipe_name(char *name, char end, unsigned index)
{
	(void)snprintf(name, FD_STORE_NAME_MAX, FD_STORE_PREFIX "%c%u", end, index);
}

/* A slot's pipe with something in it that belongs to nobody would go into the next log. */
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
			  slot); /* what we could not hand over is in the store all the same */
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
	(void)madvise(slot->data, SLOT_BYTES, MADV_REMOVE);
	slot->next = journal->free_slots;
	journal->free_slots = slot;
}

/* ---- what a predecessor left ---- */

/* Read what is still in the pipe behind what is in memory. Return: whether it is whole. */
static bool slot_fill(struct log_slot *slot)
{
	struct log_slot_head *head = slot->head;
	uint64_t at;
	int left = 0;

	if (head->state != LOG_SLOT_TAKEN)
		return head->text + head->text_size <= LOG_BUFFER_SIZE;
	/* without its pipe nobody knows how much of the memory is of this chunk */
	if (slot->read_fd < 0 || ioctl(slot->read_fd, FIONREAD, &left) < 0)
		return false;
	if (head->size == 0)
		head->size = (uint64_t)left;
	if (head->size > LOG_BUFFER_SIZE || (uint64_t)left > head->size)
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

/* Those that were read in the order that they were to be written; then those that were not. */
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

		for (size_t i = 0; i < SLOTS; i++) {
			struct log_slot *slot = &journal->slots[i];

			/* those in the list or in use are marked by being their own next */
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
	for (size_t i = 0; i < SLOTS; i++) {
		struct log_slot *slot = &journal->slots[i];

		if (slot->next != slot)
			continue;
		if (slot->head->state != LOG_SLOT_FREE)
			pipe_drop(journal, slot);
		log_journal_give(journal, slot);
	}
}

/* ---- life ---- */

/* Return: 0; -EBADMSG for another version's. */
static int memory_map(struct log_journal *journal, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || st.st_size != (off_t)JOURNAL_BYTES)
		return -EBADMSG;
	journal->head = mmap(NULL, JOURNAL_BYTES, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (journal->head == MAP_FAILED) {
		journal->head = NULL;
		return -errno;
	}
	/* output before it was masked */
	(void)madvise(journal->head, JOURNAL_BYTES, MADV_DONTDUMP);
	return 0;
}

static int memory_inherit(struct log_journal *journal)
{
	int fd = fd_store_get(journal->store, MEMORY_NAME);
	int r = fd < 0 ? -ENOENT : memory_map(journal, fd);

	assert(r < 0 || journal->head);
	if (r == 0 &&
	    (journal->head->magic != JOURNAL_MAGIC || journal->head->version != JOURNAL_VERSION ||
	     journal->head->slot_size != LOG_BUFFER_SIZE))
		r = -EBADMSG;
	if (r < 0 && journal->head) {
		(void)munmap(journal->head, JOURNAL_BYTES);
		journal->head = NULL;
	}
	return r;
}

static int memory_make(struct log_journal *journal)
{
	int fd = memfd_create("runbookd-journal", MFD_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)JOURNAL_BYTES) < 0) {
		r = -errno;
		(void)close(fd);
		return r;
	}
	r = fd_store_put(journal->store, MEMORY_NAME, fd);
	if (r == 0)
		r = memory_map(journal, fd);
	assert(r < 0 || journal->head);
	if (r == 0)
		*journal->head = (struct journal_head){.magic = JOURNAL_MAGIC,
						       .version = JOURNAL_VERSION,
						       .slot_size = LOG_BUFFER_SIZE};
	return r;
}

static void slot_init(struct log_journal *journal, unsigned index)
{
	struct log_slot *slot = &journal->slots[index];
	char name[FD_STORE_NAME_MAX];

	slot->index = index;
	slot->head = &journal->head->slots[index];
	slot->data = (char *)journal->head + HEADS_BYTES + index * SLOT_BYTES;
	pipe_name(name, 'i', index);
	slot->read_fd = fd_store_get(journal->store, name);
	pipe_name(name, 'o', index);
	slot->write_fd = fd_store_get(journal->store, name);
	/* killed between the two */
	if (slot->read_fd < 0 || slot->write_fd < 0)
		pipe_drop(journal, slot);
	slot->next = slot; /* to be recovered or settled */
}

int log_journal_new(struct fd_store *store, struct log_journal **ret_journal, struct error *error)
{
	struct log_journal *journal = calloc(1, sizeof(*journal));
	bool inherited;
	int r;

	if (!journal)
		return error_errno(error, ENOMEM, "cannot keep output on its way");
	journal->store = store;
	r = memory_inherit(journal);
	inherited = r == 0;
	if (r < 0) {
		fd_store_drop(store, MEMORY_NAME);
		r = memory_make(journal);
	}
	if (r < 0) {
		(void)log_journal_free(journal);
		return error_errno(error, -r, "cannot keep output on its way");
	}
	for (unsigned i = 0; i < SLOTS; i++) {
		slot_init(journal, i);
		if (!inherited)
			pipe_drop(journal, &journal->slots[i]);
	}
	*ret_journal = journal;
	return 0;
}

struct log_journal *log_journal_free(struct log_journal *journal)
{
	if (!journal)
		return NULL;
	if (journal->head)
		(void)munmap(journal->head, JOURNAL_BYTES);
	free(journal);
	return NULL;
}
