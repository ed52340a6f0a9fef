/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_RETENTION_STATE_H
#define SCHEDULER_RETENTION_STATE_H

/* The limits of retention, and how far it is with them; see retention.h. */

#include "common/limits.h"
#include "common/loop.h"
#include "common/retention.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RETENTION_NO_LIMIT UINT64_MAX
#define RETENTION_LIMITS (3 * RETENTION_NUM)
#define REMOVALS_MAX 64 /* under way at once */

/** struct retention_limit - 0 in a project: that of all; RETENTION_NO_LIMIT: none */
struct retention_limit {
	uint64_t age_sec, count, bytes;
};

struct retention_policy {
	struct retention_limit kinds[RETENTION_NUM];
};

/** enum retention_rule - why something goes */
enum retention_rule {
	RETENTION_KEEP,
	RETENTION_AGE,
	RETENTION_COUNT,
	RETENTION_BYTES,
	RETENTION_SPACE,
	RETENTION_RULES,
};

/** struct retention_sum - what was met on the way so far, this one included */
struct retention_sum {
	uint64_t count, bytes;
};

/** what a pass counts of each project: runs, their logs, their artifacts, unwanted ones */
enum retention_counted {
	COUNTED_RUNS,
	COUNTED_LOGS,
	COUNTED_ARTIFACTS,
	COUNTED_UNWANTED,
	COUNTED_NUM,
};

/** struct retention_sums - of one project; void unless @pass is that of the pass under way */
struct retention_sums {
	uint64_t pass;
	struct retention_sum sums[COUNTED_NUM];
};

struct retention_pass;
struct removal;
struct tree_removal;

/** struct retention_short - bytes that are missing to what is to be kept free, 0: none are */
struct retention_short {
	uint64_t logs, state; /* where logs are; where artifacts and trees are */
	bool one;	      /* both are one file system */
};

/** struct retention - part of struct scheduler */
struct retention {
	struct loop_timer timer;
	struct retention_pass *pass; /* under way, NULL: none */
	uint64_t pass_serial;
	uint64_t passed_usec, pass_took_usec; /* monotonic: end of the last one, and its work */
	uint64_t held_usec; /* monotonic: until then only a request or want of room begins a pass */
	bool ended;	    /* a run did, since the last pass began */
	struct retention_short missing;
	bool helpless; /* nothing is left that could go for it: said once */
	/* a person's request for a pass, that waits or is being done */
	bool wanted, wanted_dry;
	uint64_t wanted_serial, wanted_generation;
	/* removals */
	struct removal *first, *last;
	size_t n_removals;
	bool resuming;	  /* not all that the store has marked is among them yet */
	uint64_t resumed; /* number of the last one that was taken from there */
	struct loop_timer delete_timer;
	struct tree_removal *trees; /* questions to the fetcher that are open */
	uint64_t trees_cursor;	    /* how far the trees were looked at, by their last use */
	size_t n_measuring;	    /* questions to the cacher that are open */
};

#endif
