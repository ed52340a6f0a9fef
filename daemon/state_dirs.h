/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_STATE_DIRS_H
#define DAEMON_STATE_DIRS_H

#include "common/error.h"
#include "common/paths.h"
#include "daemon/fd_store.h"

/**
 * state_dirs_make() - make every directory of ours, with owner and mode
 *
 * One that exists is kept when it is a directory with the right owner that
 * others cannot write. A symlink, another owner or a looser mode is refused
 * with the fix: somebody planted it, or the users changed.
 *
 * Return: 0 or -errno with @error.
 */
int state_dirs_make(const struct paths *paths, struct error *error);

/**
 * state_dirs_make_images() - the store of images: layers/ is root's, oci/ runbook-image's
 *
 * Return: 0 or -errno with @error.
 */
int state_dirs_make_images(const char *store, struct error *error);

/**
 * state_lock() - be the only runbookd of this root
 * @store: holds the lock as well, beyond our end; NULL: it ends with us
 *
 * Return: fd that holds the lock until it is closed, or -errno with @error.
 */
int state_lock(const struct paths *paths, struct fd_store *store, struct error *error);

#endif
