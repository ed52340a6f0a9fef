/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_INSTANCE_H
#define CLI_INSTANCE_H

/* An instance of runbookd for the time of one command, where none answers. */

#include "cli/cli.h"
#include "cli/embedded.h"

/**
 * instance_run() - start one, have @work talk to it, stop it
 * @work: gets a copy of @cli whose client speaks to the instance
 *
 * SIGINT, SIGTERM and SIGHUP are blocked from here on: @work looks for them.
 *
 * Return: what @work returned, or an exit code after telling why.
 */
int instance_run(struct cli *cli, const struct embedded_options *options,
		 int (*work)(struct cli *cli, void *userdata), void *userdata);

/**
 * instance_or_daemon() - the same, if the daemon does not answer and we are root
 * @instead: the command, for people who are not
 *
 * Return: as above; CLI_UNREACHABLE or CLI_REFUSED after telling what to do.
 */
int instance_or_daemon(struct cli *cli, const struct embedded_options *options, const char *instead,
		       int (*with_daemon)(struct cli *cli, void *userdata),
		       int (*with_instance)(struct cli *cli, void *userdata), void *userdata);

#endif
