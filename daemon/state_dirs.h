/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_STATE_DIRS_H
#define DAEMON_STATE_DIRS_H

/*
 * DOC: Directories of the state, and the lock on them
 *
 * Root makes every directory that the programs use, with owner and mode, before it starts
 * them; the table in state_dirs.c is the list (docs/state.md explains it). A lock on a
 * file beneath run/ makes sure that one runbookd at a time uses them.
 */

#include "common/error.h"
#include "common/paths.h"
#include "daemon/fd_store.h"

/**
 * state_dirs_make() - make every directory, with owner and mode
 *
 * A directory that exists is kept if it has the right owner and others cannot write it.
 * A symlink, another owner or a looser mode is refused with the fix: an attacker may have
 * planted it, or the system's users have changed.
 *
 * Return: 0; -errno with @error.
 */
int state_dirs_make(const struct paths *paths, struct error *error);

/**
 * state_dirs_make_images() - make the store of images: layers/ for root, oci/ for runbook-image
 *
 * Return: 0; -errno with @error.
 */
int state_dirs_make_images(const char *store, struct error *error);

/**
 * state_lock() - lock the state, so that no other runbookd uses it
 * @store: gets a copy of the lock, which outlives this process; NULL: the lock ends with us
 *
 * Waits up to three seconds for a process that is ending. Return: fd that holds the lock
 * until it is closed; -EBUSY and other -errno with @error.
 */
int state_lock(const struct paths *paths, struct fd_store *store, struct error *error);

#endif
