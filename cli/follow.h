/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_FOLLOW_H
#define CLI_FOLLOW_H

/*
 * DOC: Following a run
 *
 * The states of a run come from an event stream, and the output of each running step from
 * a log stream (follow_log.h). When the api is restarted, both go on where they stopped:
 * events by id, logs by byte offset. On a terminal the states are a block that is redrawn
 * in place, above which the output scrolls (view.h). Elsewhere each change of a state is
 * a line. All of it is one loop, which waits for the streams and for signals.
 */

#include "cli/cli.h"

#include <jansson.h>

struct follow_options {
	bool logs;	 /* show the output of steps */
	bool only_logs;	 /* only output: no states, no summary (logs -f) */
	bool timestamps; /* request a time in front of each line */
	bool from_now;	 /* begin with the present states and the events after @after */
	uint64_t after;
	bool cancel_on_interrupt; /* Ctrl-C cancels the run; otherwise the run goes on */
};

/**
 * follow_run() - show @run until it ends
 *
 * Return: CLI_OK when the run succeeded, CLI_FAILED when it ended otherwise,
 * CLI_INTERRUPTED after Ctrl-C without @cancel_on_interrupt, or the exit code of an
 * error, which was printed.
 */
int follow_run(struct cli *cli, uint64_t run, const struct follow_options *options);

/** follow_last_event() - id of the newest event of @run, from which to follow it */
enum cli_exit follow_last_event(struct cli *cli, uint64_t run, uint64_t *ret_event,
				struct error *error);

/**
 * follow_or_print() - after a run was made: follow it if --follow was given, else print its number
 * @answer:  the api's answer, printed for --json
 * @options: NULL follows from the first event, with output if --logs was given
 *
 * Return: the exit code.
 */
int follow_or_print(struct cli *cli, const struct cli_arguments *arguments, uint64_t run,
		    const json_t *answer, const struct follow_options *options);

#endif
