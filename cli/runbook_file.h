/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_RUNBOOK_FILE_H
#define CLI_RUNBOOK_FILE_H

/*
 * DOC: A runbook that runbookctl checks itself
 *
 * "validate", "graph" and "run" parse a runbook without a daemon, with the same parser as the
 * scheduler. The text comes from a file, standard input or the api. Findings are part of the
 * result; an error means that the text could not be read at all.
 */

#include "cli/cli.h"
#include "runbook/runbook.h"

/** struct runbook_file - a runbook with its text; @runbook is NULL when there are findings */
struct runbook_file {
	char *text;
	size_t size;
	struct runbook *runbook;
	struct runbook_finding findings[RUNBOOK_FINDINGS_MAX];
	size_t n_findings;
};

/**
 * runbook_file_read() - read and parse @path ("-": standard input)
 *
 * Return: CLI_OK, also when there are findings; CLI_NOT_FOUND or CLI_REFUSED with @error
 * set when it cannot be read.
 */
enum cli_exit runbook_file_read(const char *path, struct runbook_file *file, struct error *error);
/** runbook_file_parse() - parse @text, which @file takes over. Return: as runbook_file_read(). */
enum cli_exit runbook_file_parse(char *text, size_t size, struct runbook_file *file,
				 struct error *error);
/**
 * runbook_file_check_zones() - add findings for time zones that do not exist on this host
 *
 * Return: false when this host has no time zone database, so they were not checked.
 */
bool runbook_file_check_zones(struct runbook_file *file);
/** runbook_file_print_findings() - print them on standard error, one a line, places in bold */
void runbook_file_print_findings(const struct cli *cli, const char *name,
				 const struct runbook_file *file);
/** runbook_file_done() - free the contents of @file */
void runbook_file_done(struct runbook_file *file);
#define cleanup_runbook_file __attribute__((cleanup(runbook_file_done)))

#endif
