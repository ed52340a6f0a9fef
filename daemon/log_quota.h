/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_LOG_QUOTA_H
#define DAEMON_LOG_QUOTA_H

/*
 * DOC: What logs take on the disk
 *
 * Of each project, and of all: what a walk through the directory of logs found last,
 * and what was written since. The walk goes on in small pieces between other work, and
 * begins anew now and then, so that what was removed meanwhile is known. Without a limit
 * there is none.
 *
 * Where a limit is reached, nothing waits and no step fails: logs that grow lose their
 * middle as those do that are longer than StepLog= (daemon/log_pump_cut.c). Each may
 * have LOG_LIMIT_MIN in any case.
 */

#include "common/limits.h"
#include "common/loop.h"

#include <stdbool.h>
#include <stdint.h>

struct log_quota;

/** struct log_share - of one project; lives as long as its struct log_quota */
struct log_share {
	struct log_quota *quota;
	struct log_share *next;
	char project[PROJECT_NAME_MAX + 1];
	uint64_t used, limit; /* bytes; limit 0: none of its own */
	uint64_t found;	      /* by the walk that is under way */
	uint64_t grown;	      /* since it began */
};

/** struct log_quota_limits - 0: none */
struct log_quota_limits {
	uint64_t all, each;
};

/** log_quota_limits_fn - the limits now; @project: NULL, or whose own one goes to @ret->each */
typedef struct log_quota_limits (*log_quota_limits_fn)(const void *userdata, const char *project);

/** log_quota_new() - @log_path: the directory of logs. NULL: no memory. */
struct log_quota *log_quota_new(struct loop *loop, const char *log_path, log_quota_limits_fn limits,
				const void *userdata);
/** log_quota_free() - NULL is fine. Return: NULL. */
struct log_quota *log_quota_free(struct log_quota *quota);
/** log_quota_share() - of @project. NULL: no memory, and no limit. */
struct log_share *log_quota_share(struct log_quota *quota, const char *project);

/** log_share_grow() - @bytes more, or fewer, are on the disk. NULL is fine. */
void log_share_grow(struct log_share *share, int64_t bytes);
/** log_share_full() - @bytes more would be too many. NULL is fine. */
bool log_share_full(const struct log_share *share, uint64_t bytes);

/** log_quota_walk() - all of it at once, for tests */
void log_quota_walk(struct log_quota *quota);

#endif
