/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_FOLLOW_LOG_H
#define CLI_FOLLOW_LOG_H

/* The output of a run's steps, several at a time, as lines with their step's name. */

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/log_lines.h"

struct follow_log;

/** struct follow_logs - zero but for the first four members */
struct follow_logs {
	struct cli *cli;
	uint64_t run;
	bool timestamps;
	struct text_buffer *out; /* where lines go */
	struct follow_log *list; /* oldest first */
	size_t n_seen;
};

/** follow_logs_add() - output of one attempt of a step; asked for as soon as there is room */
void follow_logs_add(struct follow_logs *logs, const char *slug, const char *name,
		     unsigned attempt);
/** follow_logs_step_ended() - no more output will come for this attempt */
void follow_logs_step_ended(struct follow_logs *logs, const char *slug, unsigned attempt);
/** follow_logs_check() - start, restart and end streams; @run_ended bounds how long */
void follow_logs_check(struct follow_logs *logs, uint64_t now_ms, bool run_ended);
/** follow_logs_pending() - is there output of this attempt that is not here yet? */
bool follow_logs_pending(const struct follow_logs *logs, const char *slug, unsigned attempt);
/** follow_logs_prefix() - what is in front of its lines; "" when it is not known */
const char *follow_logs_prefix(const struct follow_logs *logs, const char *slug, unsigned attempt);
/** follow_logs_busy() - is there output that is not here yet? */
bool follow_logs_busy(const struct follow_logs *logs);
void follow_logs_done(struct follow_logs *logs);

#endif
