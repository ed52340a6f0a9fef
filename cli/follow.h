/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_FOLLOW_H
#define CLI_FOLLOW_H

/*
 * DOC: Following a run
 *
 * One event stream gives the states, one log stream per running step its output.
 * Both go on where they stopped when the api is restarted: events by id, logs by
 * byte offset. On a terminal the states are a block that is redrawn in place and
 * output scrolls above it; elsewhere each change is a line.
 */

#include "cli/cli.h"

#include <jansson.h>

struct follow_options {
	bool logs;	 /* show the steps' output */
	bool only_logs;	 /* nothing but output: no states, no summary (logs -f) */
	bool timestamps; /* ask for a time on each line */
	bool from_now;	 /* start from the states of now and events after @after */
	uint64_t after;
	bool cancel_on_interrupt; /* Ctrl-C cancels the run; otherwise it goes on without us */
};

/**
 * follow_run() - show @run until it ends
 *
 * Return: CLI_OK when the run succeeded, CLI_FAILED when it ended otherwise,
 * CLI_INTERRUPTED after Ctrl-C without @cancel_on_interrupt, or the code of what
 * went wrong (which has been printed).
 */
int follow_run(struct cli *cli, uint64_t run, const struct follow_options *options);

/** follow_last_event() - id of the newest event of @run, to follow it from there */
enum cli_exit follow_last_event(struct cli *cli, uint64_t run, uint64_t *ret_event,
				struct error *error);

/** follow_or_print() - after a run was made: follow it when --follow was given, else say its number
 * @options: NULL: from its first event, with output when --logs was given
 */
int follow_or_print(struct cli *cli, const struct cli_arguments *arguments, uint64_t run,
		    const json_t *answer, const struct follow_options *options);

#endif
