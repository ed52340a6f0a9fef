/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_LEDGER_PARTS_H
#define DAEMON_LEDGER_PARTS_H

/* Insides of the ledger, for the ledger*.c files and the tables only. */

#include "daemon/ledger.h"

#include <stddef.h>

#define LEDGER_PAGE 4096
#define LEDGER_WORD_BITS 64

/** struct ledger_head - what there is once; changed in place */
struct ledger_head {
	char instance[LEDGER_INSTANCE_SIZE];
	uint64_t n_touched; /* steps behind that were never used: no page is made for them */
	uint64_t highest;   /* order that was begun */
};

struct ledger {
	int fd;
	bool converted; /* .fd is not the one that was given */
	char *memory;
	struct ledger_head *head;
	uint64_t *begun;
	char *steps;
	uint32_t *free_steps; /* a stack: those used last come first, so that few pages are */
	size_t n_free;
};

/** ledger_memory_make() - new memory, described, with nothing in it. Return: 0 or -errno. */
int ledger_memory_make(struct ledger *ledger, struct error *error);
/** ledger_memory_ours() - is what is in @fd laid out exactly as this version does it? */
bool ledger_memory_ours(int fd);
/** ledger_step_at() - entry number @index */
struct ledger_step *ledger_step_at(const struct ledger *ledger, size_t index);
/**
 * ledger_step_known() - does this version know what every enumerator in @step means?
 *
 * What a newer one has thought of, neither people nor the scheduler could be told.
 */
bool ledger_step_known(const struct ledger_step *step);
/** ledger_order_set() - @order was begun, and it is not the highest of them */
void ledger_order_set(struct ledger *ledger, uint64_t order);
/**
 * ledger_convert() - fill @ledger, which is new, from what another version left in @fd
 *
 * @fd is only read. Return: 0; -EBADMSG, -ENOTSUP, -ERANGE, -ENOSPC; -errno; with @error.
 */
int ledger_convert(int fd, struct ledger *ledger, struct error *error);

#endif
