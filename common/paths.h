/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_PATHS_H
#define COMMON_PATHS_H

/*
 * Where things are. `--root DIR` (or $RUNBOOK_ROOT) puts all of it under DIR:
 * DIR/etc/runbookd, DIR/var/lib/runbookd, DIR/var/log/runbookd, DIR/run/runbookd.
 */

#include "common/error.h"

#include <limits.h>

struct paths {
	char root[PATH_MAX]; /* "" for the system's own */
	char etc[PATH_MAX];  /* configuration */
	char lib[PATH_MAX];  /* state */
	char log[PATH_MAX];  /* step logs */
	char run[PATH_MAX];  /* sockets, lost at boot */
};

/**
 * paths_init() - fill @paths for @root
 * @root: NULL takes $RUNBOOK_ROOT; "" or "/" is the system. Made absolute.
 */
int paths_init(struct paths *paths, const char *root, struct error *error);

#endif
