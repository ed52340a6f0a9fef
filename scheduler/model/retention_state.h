/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_RETENTION_STATE_H
#define SCHEDULER_RETENTION_STATE_H

/* Data of retention.h: the limits, and the state of passes and removals. */

#include "common/limits.h"
#include "common/loop.h"
#include "common/retention.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RETENTION_NO_LIMIT UINT64_MAX
#define RETENTION_LIMITS (3 * RETENTION_NUM)
#define REMOVALS_MAX 64 /* removals that are under way at once */

/** struct retention_limit - 0 in a project: the limit of all projects; RETENTION_NO_LIMIT: none */
struct retention_limit {
	uint64_t age_sec, count, bytes;
};

struct retention_policy {
	struct retention_limit kinds[RETENTION_NUM];
};

/** enum retention_rule - the rule by which something is removed */
enum retention_rule {
	RETENTION_KEEP,
	RETENTION_AGE,
	RETENTION_COUNT,
	RETENTION_BYTES,
	RETENTION_SPACE,
	RETENTION_RULES,
};

/** struct retention_sum - number and size of what a pass has met so far, this one included */
struct retention_sum {
	uint64_t count, bytes;
};

/** what a pass counts for each project: runs, their logs, their artifacts, unwanted runs */
enum retention_counted {
	COUNTED_RUNS,
	COUNTED_LOGS,
	COUNTED_ARTIFACTS,
	COUNTED_UNWANTED,
	COUNTED_NUM,
};

/** struct retention_sums - of one project; valid only if @pass is the current pass */
struct retention_sums {
	uint64_t pass;
	struct retention_sum sums[COUNTED_NUM];
};

struct retention_pass;
struct removal;
struct tree_removal;

/** struct retention_short - bytes that must be freed to reach the configured free space, 0: none */
struct retention_short {
	uint64_t logs, state; /* on the file systems of logs; of artifacts and trees */
	bool one;	      /* both are the same file system */
};

/** struct retention - part of struct scheduler */
struct retention {
	struct loop_timer timer;
	struct retention_pass *pass; /* the current pass, NULL: none */
	uint64_t pass_serial;
	uint64_t passed_usec,
		pass_took_usec; /* monotonic: end of the last pass; its working time */
	uint64_t
		held_usec; /* monotonic: until then only a request or lack of space starts a pass */
	bool ended;	   /* a run has ended since the last pass began */
	struct retention_short missing;
	bool helpless; /* nothing is left to remove for space; logged once */
	/* a person's request for a pass that waits or is being done */
	bool wanted, wanted_dry;
	uint64_t wanted_serial, wanted_generation;
	/* removals */
	struct removal *first, *last;
	size_t n_removals;
	bool resuming;	  /* some removals that the store has marked are not loaded yet */
	uint64_t resumed; /* number of the last run whose removal was loaded */
	struct loop_timer delete_timer;
	struct tree_removal *trees; /* open requests to the fetcher */
	uint64_t trees_cursor;	    /* last use of the last tree that was examined */
	size_t n_measuring;	    /* open requests to the cacher */
};

#endif
