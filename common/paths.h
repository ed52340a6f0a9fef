/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_PATHS_H
#define COMMON_PATHS_H

/*
 * DOC: Directories of runbookd
 *
 * `--root DIR` (or $RUNBOOK_ROOT) moves all of them under DIR: DIR/etc/runbookd,
 * DIR/var/lib/runbookd, DIR/var/log/runbookd, DIR/run/runbookd. docs/state.md lists the files.
 */

#include "common/error.h"

#include <limits.h>

struct paths {
	char root[PATH_MAX]; /* "" for the system's own directories */
	char etc[PATH_MAX];  /* configuration */
	char lib[PATH_MAX];  /* state */
	char log[PATH_MAX];  /* step logs */
	char run[PATH_MAX];  /* sockets, lost at boot */
};

/**
 * paths_init() - fill @paths for @root
 * @root: NULL means $RUNBOOK_ROOT; "" and "/" mean the system. Made absolute.
 *
 * Return: 0 or -errno with @error.
 */
int paths_init(struct paths *paths, const char *root, struct error *error);

#endif
