/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_RETENTION_PASS_H
#define SCHEDULER_RETENTION_PASS_H

/* Data of a pass of retention, for the retention_*.c files only. */

#include "scheduler/engine/retention.h"
#include "scheduler/store/store_retention.h"

#define PASS_ROWS 64	    /* rows that are read in one turn */
#define PASS_ITEMS_MAX 1000 /* removals that a reply lists one by one */

/** struct pass_item - one removal, for the reply */
struct pass_item {
	uint64_t run, bytes;
	char project[PROJECT_NAME_MAX + 1];
	enum retention_kind kind;
	enum retention_rule rule;
};

/** struct pass_count - number and size of removals by one rule */
struct pass_count {
	uint64_t n, bytes;
};

struct retention_pass {
	uint64_t serial;
	bool dry;			/* only count, remove nothing */
	bool for_space;			/* visit from the oldest on, until enough is freed */
	bool asked;			/* a person waits for the reply */
	bool walked;			/* all runs were visited: only removals are left */
	uint64_t cursor;		/* number of the last visited run, 0: none yet */
	struct retention_short missing; /* for_space: bytes still to be freed */
	uint64_t n_for_space;
	bool short_of_state; /* for_space: removing trees helps as well */
	uint64_t now_usec;   /* wall clock at its beginning, used for all ages */
	uint64_t worked_usec;
	struct retention_sum all[COUNTED_NUM];
	struct pass_count counts[RETENTION_NUM][RETENTION_RULES];
	uint64_t n_runs, n_open, n_pinned, n_successes;
	struct pass_item *items;
	size_t n_items;
	bool more_items; /* there are more than PASS_ITEMS_MAX */
};

#endif
