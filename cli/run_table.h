/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_RUN_TABLE_H
#define CLI_RUN_TABLE_H

/* Runs and their steps as people read them. @run is the api's Run object. */

#include "cli/cli.h"
#include "cli/client.h"

/** ref_short() - "main" of "refs/heads/main", "v1" of "refs/tags/v1", else @ref itself */
const char *ref_short(const char *ref);

/** run_fetch() - GET one run with its steps. Return: as client_call(). */
enum cli_exit run_fetch(struct client *client, uint64_t run, json_t **ret_run, struct error *error);

/** run_find_step() - by slug, then by name; NULL with @error naming the known ones */
json_t *run_find_step(const json_t *run, const char *name, struct error *error);

/** run_print_header() - number, project, state, commit, times */
void run_print_header(const struct cli *cli, const json_t *run);
/**
 * run_print_steps() - a table: state, step, duration, attempt, reason
 * @containers: say behind the reason where each attempt ran, and with what exit code it ended
 */
void run_print_steps(const struct cli *cli, const json_t *run, bool containers);
/** run_print_findings() - all that is wrong with the run's runbook, one a line; often nothing */
void run_print_findings(const json_t *run);
/**
 * run_print_failures() - for each failed or errored step its reason and the end of its log
 * @lines: how many log lines
 */
void run_print_failures(struct cli *cli, const json_t *run, unsigned lines);

/** run_exit_code() - CLI_OK for a run that succeeded, CLI_FAILED for any other final state */
int run_exit_code(const json_t *run);

#endif
