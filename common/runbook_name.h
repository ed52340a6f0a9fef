/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_RUNBOOK_NAME_H
#define COMMON_RUNBOOK_NAME_H

/*
 * DOC: The name of the runbook
 *
 * A runbook is the file runbook.yml at the top of a tree, and nowhere else. A file with a
 * similar name is mentioned in the error message, but never read.
 */

#define RUNBOOK_FILE "runbook.yml"
/* the error message; %s: name of the similar file */
#define RUNBOOK_MISNAMED RUNBOOK_FILE " is missing, but %s exists: rename it"
#define RUNBOOK_NAME_MAX 32

/**
 * runbook_misnamed() - find a file in @dir_fd whose name looks like that of a runbook
 *
 * Checks a list of names and does not read the directory, which may have any number of entries.
 * Follows no symbolic link.
 *
 * Return: a static string, shorter than RUNBOOK_NAME_MAX; NULL if there is none.
 */
const char *runbook_misnamed(int dir_fd);

#endif
