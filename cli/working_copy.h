/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_WORKING_COPY_H
#define CLI_WORKING_COPY_H

/*
 * DOC: The working copy of "runbookctl run"
 *
 * The project's name is made from that of the directory. Branch and commit come from
 * git(1); a working copy without git is run without them.
 */

#include "common/error.h"
#include "common/limits.h"

#include <stdint.h>

/** working_copy_name() - make a valid project name from the last part of @directory */
void working_copy_name(char out[PROJECT_NAME_MAX + 1], const char *directory);

struct working_copy_git {
	char ref[REF_NAME_MAX + 1];	 /* "" when detached or without git */
	char commit[COMMIT_HEX_MAX + 1]; /* "" without a commit */
};

/**
 * working_copy_git() - get branch and commit from git; failures leave empty strings
 *
 * If we are root, git runs as the owner of the directory, because the repository's
 * configuration is that user's and can make git execute programs.
 */
void working_copy_git(const char *directory, struct working_copy_git *ret_git);

#endif
