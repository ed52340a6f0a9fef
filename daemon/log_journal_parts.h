/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_LOG_JOURNAL_PARTS_H
#define DAEMON_LOG_JOURNAL_PARTS_H

/*
 * DOC: Insides of the journal, for the log_journal*.c files only
 *
 * The memory: the description (daemon/kept_memory.h), a struct log_slot_head for each slot,
 * then two buffers for each slot. log_journal_adopt.c finds or makes that memory;
 * log_journal.c uses the slots.
 */

#include "daemon/log_journal.h"

struct log_journal {
	struct fd_store *store;
	char *memory;
	size_t bytes;
	size_t heads_at, data_at; /* offsets in .memory */
	size_t n_slots, buffer_size;
	bool inherited; /* slots may have output of a predecessor */
	struct log_slot *slots;
	struct log_slot *free_slots;
};

/** log_journal_head() - the shared head of slot number @index */
struct log_slot_head *log_journal_head(const struct log_journal *journal, size_t index);
/** log_journal_data() - the two buffers of slot number @index */
char *log_journal_data(const struct log_journal *journal, size_t index);
/**
 * log_journal_memory() - map the memory of a predecessor of any version, or new memory
 *
 * Return: 0 or -errno.
 */
int log_journal_memory(struct log_journal *journal);

#endif
