/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

/*
 * DOC: Messages on standard error
 *
 * Handlers of commands report errors and notes with these functions, so that all begin with
 * "runbookctl: " and standard output has results only.
 */

#include "cli/cli.h"

/** cli_fail() - print "runbookctl: TEXT" to standard error. Return: @code. */
int cli_fail(int code, const struct error *error);
/** cli_usage() - print a usage error and refer to --help of @command. Return: CLI_USAGE. */
int cli_usage(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** cli_note() - print "runbookctl: …" to standard error */
void cli_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** cli_run_id() - parse the number of a run, "42" or "#42". Return: 0 or -EINVAL with @error. */
int cli_run_id(const char *text, uint64_t *ret_run, struct error *error);

#endif
