/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_LOG_QUOTA_H
#define DAEMON_LOG_QUOTA_H

/*
 * DOC: Disk space of logs
 *
 * The space that the logs of a project and of all projects take is estimated: what the last
 * walk through the directory of logs found, plus what was written since. A walk is done in
 * small pieces between other work, and starts again now and then, so that removed logs are
 * noticed. Without any limit there is no walk.
 *
 * When a limit is reached, nothing waits and no step fails: logs that grow lose their
 * middle, as logs that are longer than StepLog= do (daemon/log_pump_cut.c). Each log may
 * take LOG_LIMIT_MIN in any case.
 */

#include "common/limits.h"
#include "common/loop.h"

#include <stdbool.h>
#include <stdint.h>

struct log_quota;

/** struct log_share - the logs of one project; lives as long as its struct log_quota */
struct log_share {
	struct log_quota *quota;
	struct log_share *next;
	char project[PROJECT_NAME_MAX + 1];
	uint64_t used, limit; /* bytes; limit 0: the project has none of its own */
	uint64_t found;	      /* bytes, by the walk in progress */
	uint64_t grown;	      /* bytes written since that began */
};

/** struct log_quota_limits - bytes of all projects, of each project; 0: no limit */
struct log_quota_limits {
	uint64_t all, each;
};

/**
 * log_quota_limits_fn - the limits that are configured now
 * @project: NULL, or the project whose own limit is returned in .each
 */
typedef struct log_quota_limits (*log_quota_limits_fn)(const void *userdata, const char *project);

/** log_quota_new() - @log_path: the directory of logs. Return: NULL without memory. */
struct log_quota *log_quota_new(struct loop *loop, const char *log_path, log_quota_limits_fn limits,
				const void *userdata);
/** log_quota_free() - NULL is fine. Return: NULL. */
struct log_quota *log_quota_free(struct log_quota *quota);
/** log_quota_share() - the share of @project. Return: NULL without memory: unlimited. */
struct log_share *log_quota_share(struct log_quota *quota, const char *project);

/** log_share_grow() - count @bytes that were written, or freed if negative. NULL is fine. */
void log_share_grow(struct log_share *share, int64_t bytes);
/** log_share_full() - would @bytes more exceed a limit of the project or of all? NULL is fine. */
bool log_share_full(const struct log_share *share, uint64_t bytes);

/** log_quota_walk() - do a whole walk at once, for tests */
void log_quota_walk(struct log_quota *quota);

#endif
