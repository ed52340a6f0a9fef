/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_RUNBOOK_FILE_H
#define CLI_RUNBOOK_FILE_H

/* A runbook on disk (or text from the api), read and checked here. */

#include "cli/cli.h"
#include "runbook/runbook.h"

/** struct runbook_file - @runbook is NULL when there are findings */
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
 * Return: CLI_OK also when there are findings; CLI_NOT_FOUND or CLI_REFUSED
 * with @error set when it cannot be read.
 */
enum cli_exit runbook_file_read(const char *path, struct runbook_file *file, struct error *error);
/** runbook_file_parse() - check @text, which the structure takes over */
enum cli_exit runbook_file_parse(char *text, size_t size, struct runbook_file *file,
				 struct error *error);
/**
 * runbook_file_check_zones() - add findings about time zones that this host does not know
 *
 * Return: false when this host cannot tell, because it has no time zones.
 */
bool runbook_file_check_zones(struct runbook_file *file);
/** runbook_file_print_findings() - one a line on standard error, places in bold */
void runbook_file_print_findings(const struct cli *cli, const char *name,
				 const struct runbook_file *file);
void runbook_file_done(struct runbook_file *file);
#define cleanup_runbook_file __attribute__((cleanup(runbook_file_done)))

#endif
