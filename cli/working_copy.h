/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_WORKING_COPY_H
#define CLI_WORKING_COPY_H

/* The directory that "runbookctl run" runs: its name and its git state. */

#include "common/error.h"
#include "common/limits.h"

#include <stdint.h>

/** working_copy_name() - a valid project name out of the last part of @directory */
void working_copy_name(char out[PROJECT_NAME_MAX + 1], const char *directory);

struct working_copy_git {
	char ref[REF_NAME_MAX + 1];	 /* "" when detached or no git */
	char commit[COMMIT_HEX_MAX + 1]; /* "" without a commit */
};

/**
 * working_copy_git() - ask git; anything that goes wrong leaves empty strings
 *
 * Run by root, git runs as the directory's owner: its configuration is that
 * user's and must not act as root.
 */
void working_copy_git(const char *directory, struct working_copy_git *ret_git);

#endif
