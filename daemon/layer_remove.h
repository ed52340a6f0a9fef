/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_LAYER_REMOVE_H
#define DAEMON_LAYER_REMOVE_H

/*
 * DOC: Removing layers
 *
 * A layer that was taken out of the store, or was never finished, is removed in two steps:
 * a sandbox empties its directory, one sandbox at a time, then root removes that. A removal
 * that fails is tried again, six times within half a minute. After that the directory stays
 * until the next start of runbookd, which finds it with dir_store_sweep().
 */

#include "daemon/layer_sandbox.h"

struct daemon;
struct layer_remover;

/**
 * layer_remover_new() - a remover without work
 * @by: not owned; must not move
 *
 * Return: 0 or -ENOMEM.
 */
int layer_remover_new(struct daemon *daemon, struct layer_sandboxes *by,
		      struct layer_remover **ret_remover);
/** layer_remover_free() - kills a sandbox that runs. NULL is fine. Return: NULL. */
struct layer_remover *layer_remover_free(struct layer_remover *remover);
/** layer_remover_add() - remove @claim (taken over, also on failure). Return: 0 or -ENOMEM. */
int layer_remover_add(struct layer_remover *remover, struct dir_claim *claim);
/** layer_remover_stop() - kill the sandbox that runs, and start no other */
void layer_remover_stop(struct layer_remover *remover);
/** layer_remover_resume() - undo layer_remover_stop() */
void layer_remover_resume(struct layer_remover *remover);
/** layer_remover_busy() - does a sandbox run? */
bool layer_remover_busy(const struct layer_remover *remover);

#endif
