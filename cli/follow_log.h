/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_FOLLOW_LOG_H
#define CLI_FOLLOW_LOG_H

/*
 * DOC: The output of several steps at a time
 *
 * follow.c adds a log for each attempt that starts. A limited number of them is streamed at
 * a time; the others wait. Each line is written with the name of its step in front, to the
 * buffer of follow.c. A stream that breaks is restarted at the offset where it stopped; after
 * CLIENT_RETRY_SEC without success a line reports that the output is lost.
 */

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/log_lines.h"

struct follow_log;

/** struct follow_logs - the caller sets the first four members and zeroes the others */
struct follow_logs {
	struct cli *cli;
	uint64_t run;
	bool timestamps;
	struct text_buffer *out; /* gets the lines */
	struct follow_log *list; /* oldest first */
	size_t n_seen;		 /* chooses the next colour */
};

/** follow_logs_add() - show the output of an attempt of a step; no-op if it was added before */
void follow_logs_add(struct follow_logs *logs, const char *slug, const char *name,
		     unsigned attempt);
/** follow_logs_step_ended() - no more output will come for this attempt */
void follow_logs_step_ended(struct follow_logs *logs, const char *slug, unsigned attempt);
/** follow_logs_check() - start, restart and end streams; @run_ended: no log will appear any more */
void follow_logs_check(struct follow_logs *logs, uint64_t now_ms, bool run_ended);
/** follow_logs_pending() - may more output of this attempt come? */
bool follow_logs_pending(const struct follow_logs *logs, const char *slug, unsigned attempt);
/** follow_logs_prefix() - the text in front of its lines; "" if it was not added */
const char *follow_logs_prefix(const struct follow_logs *logs, const char *slug, unsigned attempt);
/** follow_logs_busy() - may more output of any attempt come? */
bool follow_logs_busy(const struct follow_logs *logs);
/** follow_logs_done() - stop all streams and free the list */
void follow_logs_done(struct follow_logs *logs);

#endif
