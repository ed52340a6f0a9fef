/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_LEDGER_PARTS_H
#define DAEMON_LEDGER_PARTS_H

/*
 * DOC: Insides of the ledger, for the ledger*.c files and the tables only
 *
 * The memory: the description (daemon/kept_memory.h), struct ledger_head, a bit for each of
 * the last LEDGER_ORDERS orders, and the entries, each on pages of its own. ledger.c
 * works on memory of this version's layout only; ledger_adopt.c reads other layouts.
 */

#include "daemon/ledger.h"

#include <stddef.h>

#define LEDGER_PAGE 4096
#define LEDGER_WORD_BITS 64

/** struct ledger_head - in shared memory, changed in place */
struct ledger_head {
	char instance[LEDGER_INSTANCE_SIZE];
	uint64_t n_touched; /* entries that were ever used; those behind have no memory yet */
	uint64_t highest;   /* order that was begun */
};

struct ledger {
	int fd;
	bool converted; /* .fd is not the descriptor that ledger_new() got */
	char *memory;
	struct ledger_head *head;
	uint64_t *begun;
	char *steps;
	uint32_t *free_steps; /* a stack: the last one freed is used first, so few pages are */
	size_t n_free;
};

/** ledger_memory_make() - make and map empty memory. Return: 0; -errno with @error. */
int ledger_memory_make(struct ledger *ledger, struct error *error);
/** ledger_memory_ours() - is the memory of @fd laid out exactly as this version does it? */
bool ledger_memory_ours(int fd);
/** ledger_step_at() - entry number @index */
struct ledger_step *ledger_step_at(const struct ledger *ledger, size_t index);
/**
 * ledger_step_known() - does this version know every enumerator in @step?
 *
 * An enumerator of a newer version could neither be reported to the scheduler nor logged.
 */
bool ledger_step_known(const struct ledger_step *step);
/** ledger_order_set() - note that @order was begun; .highest is set already */
void ledger_order_set(struct ledger *ledger, uint64_t order);
/**
 * ledger_convert() - fill @ledger, which is empty, from the memory of another version
 * @fd: only read
 *
 * Return: 0; -errno with @error, see ledger_new().
 */
int ledger_convert(int fd, struct ledger *ledger, struct error *error);

#endif
