/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_RUNBOOK_NAME_H
#define COMMON_RUNBOOK_NAME_H

/*
 * Where a runbook is: in runbook.yml at the top of a tree, and nowhere else. A file
 * that was likely meant to be it is named to people, never read.
 */

#define RUNBOOK_FILE "runbook.yml"
/* what is said about one; %s: its name */
#define RUNBOOK_MISNAMED RUNBOOK_FILE " is missing, but %s exists: rename it"
#define RUNBOOK_NAME_MAX 32

/**
 * runbook_misnamed() - the name of a file in @dir_fd that looks like the runbook
 *
 * Looks for some names and does not read the directory, which may have any number of
 * entries. Follows no symbolic link.
 *
 * Return: a static string, shorter than RUNBOOK_NAME_MAX; NULL when there is none.
 */
const char *runbook_misnamed(int dir_fd);

#endif
