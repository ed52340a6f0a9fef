/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_LOG_JOURNAL_PARTS_H
#define DAEMON_LOG_JOURNAL_PARTS_H

/* Insides of the journal, for the log_journal*.c files only. */

#include "daemon/log_journal.h"

struct log_journal {
	struct fd_store *store;
	char *memory;
	size_t bytes;
	size_t heads_at, data_at; /* in .memory */
	size_t n_slots, buffer_size;
	bool inherited;
	struct log_slot *slots;
	struct log_slot *free_slots;
};

/** log_journal_head() - of slot number @index */
struct log_slot_head *log_journal_head(const struct log_journal *journal, size_t index);
/** log_journal_data() - of slot number @index */
char *log_journal_data(const struct log_journal *journal, size_t index);
/**
 * log_journal_memory() - what a predecessor of any version left, or new memory
 *
 * Return: 0 or -errno.
 */
int log_journal_memory(struct log_journal *journal);

#endif
