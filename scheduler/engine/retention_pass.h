/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_RETENTION_PASS_H
#define SCHEDULER_RETENTION_PASS_H

/* A pass of retention, for the retention_*.c files only. */

#include "scheduler/engine/retention.h"
#include "scheduler/store/store_retention.h"

#define PASS_ROWS 64	    /* looked at in one turn */
#define PASS_ITEMS_MAX 1000 /* that a person is told one by one */

/** struct pass_item - one thing that goes */
struct pass_item {
	uint64_t run, bytes;
	char project[PROJECT_NAME_MAX + 1];
	enum retention_kind kind;
	enum retention_rule rule;
};

/** struct pass_count - how many went by a rule, and how large they were */
struct pass_count {
	uint64_t n, bytes;
};

struct retention_pass {
	uint64_t serial;
	bool dry;			/* nothing is removed, only counted */
	bool for_space;			/* from the oldest on, until enough is gone */
	bool asked;			/* a person waits for it */
	bool walked;			/* to its end: what is left of it are removals */
	uint64_t cursor;		/* number of the last run that was looked at, 0: none yet */
	struct retention_short missing; /* for_space: what is still to go */
	uint64_t n_for_space;
	bool short_of_state; /* for_space: trees help as well */
	uint64_t now_usec;   /* wall clock at its beginning: one time for all */
	uint64_t worked_usec;
	struct retention_sum all[COUNTED_NUM];
	struct pass_count counts[RETENTION_NUM][RETENTION_RULES];
	uint64_t n_runs, n_open, n_pinned, n_successes;
	struct pass_item *items;
	size_t n_items;
	bool more_items; /* than PASS_ITEMS_MAX */
};

#endif
