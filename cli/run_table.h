/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_RUN_TABLE_H
#define CLI_RUN_TABLE_H

/*
 * DOC: Runs and their steps for people
 *
 * "show" and the summary of a followed run print these parts to standard output. @run is the
 * api's Run object in each function.
 */

#include "cli/cli.h"
#include "cli/client.h"

/** ref_short() - "main" for "refs/heads/main", "v1" for "refs/tags/v1", otherwise @ref */
const char *ref_short(const char *ref);

/** run_fetch() - GET one run with its steps. Return: as client_call(). */
enum cli_exit run_fetch(struct client *client, uint64_t run, json_t **ret_run, struct error *error);

/** run_find_step() - find a step by slug or name; NULL with @error, which lists the steps */
json_t *run_find_step(const json_t *run, const char *name, struct error *error);

/** run_print_header() - print number, project, state, commit and times */
void run_print_header(const struct cli *cli, const json_t *run);
/**
 * run_print_steps() - print a table with state, step, duration, attempt and reason
 * @containers: add the container and the exit code of each attempt to its reason
 */
void run_print_steps(const struct cli *cli, const json_t *run, bool containers);
/** run_print_findings() - print the findings in the run's runbook, one a line, if there are any */
void run_print_findings(const json_t *run);
/**
 * run_print_failures() - print the reason and the end of the log of each failed or errored step
 * @lines: number of log lines
 */
void run_print_failures(struct cli *cli, const json_t *run, unsigned lines);

/** run_exit_code() - CLI_OK for a run that succeeded, CLI_FAILED for any other final state */
int run_exit_code(const json_t *run);

#endif
