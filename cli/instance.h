/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_INSTANCE_H
#define CLI_INSTANCE_H

/*
 * DOC: A daemon for one command
 *
 * "run" and the image commands need a daemon. If none answers and the user is root, they
 * start an instance (embedded.h) for the duration of the command and send their requests
 * to it. Errors are printed here.
 */

#include "cli/cli.h"
#include "cli/embedded.h"

/**
 * instance_run() - start an instance, call @work, stop the instance
 * @work: gets a copy of @cli whose client is connected to the instance
 *
 * SIGINT, SIGTERM and SIGHUP stay blocked afterwards; @work has to check for them.
 *
 * Return: the exit code that @work returned, or that of an error, which was printed.
 */
int instance_run(struct cli *cli, const struct embedded_options *options,
		 int (*work)(struct cli *cli, void *userdata), void *userdata);

/**
 * instance_or_daemon() - use the daemon if it answers, otherwise an instance, if we are root
 * @instead: the command that a user who is not root should run with sudo
 *
 * Return: as above; CLI_UNREACHABLE or CLI_REFUSED after the remedy was printed.
 */
int instance_or_daemon(struct cli *cli, const struct embedded_options *options, const char *instead,
		       int (*with_daemon)(struct cli *cli, void *userdata),
		       int (*with_instance)(struct cli *cli, void *userdata), void *userdata);

#endif
