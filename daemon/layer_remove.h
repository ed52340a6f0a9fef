/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_LAYER_REMOVE_H
#define DAEMON_LAYER_REMOVE_H

/*
 * DOC: Removing layers
 *
 * A layer has been taken out of the store, or was never finished. A sandbox empties it, one
 * at a time, then root removes the directory. What fails is tried again, six times within
 * half a minute; what is left then stays for the next start, which finds it.
 */

#include "daemon/layer_sandbox.h"

struct daemon;
struct layer_remover;

/**
 * layer_remover_new() - with nothing to do
 * @by: must stay where it is
 *
 * Return: 0 or -ENOMEM.
 */
int layer_remover_new(struct daemon *daemon, struct layer_sandboxes *by,
		      struct layer_remover **ret_remover);
/** layer_remover_free() - a sandbox that runs is ended. NULL is fine. Return: NULL. */
struct layer_remover *layer_remover_free(struct layer_remover *remover);
/** layer_remover_add() - have @claim removed; takes it over, also without memory: -ENOMEM then */
int layer_remover_add(struct layer_remover *remover, struct dir_claim *claim);
/** layer_remover_stop() - start none any more, and end the one that runs */
void layer_remover_stop(struct layer_remover *remover);
/** layer_remover_resume() - take layer_remover_stop() back */
void layer_remover_resume(struct layer_remover *remover);
/** layer_remover_busy() - a sandbox runs */
bool layer_remover_busy(const struct layer_remover *remover);

#endif
