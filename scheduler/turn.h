/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_TURN_H
#define SCHEDULER_TURN_H

/* The outbox, and the end of a loop turn. */

#include "scheduler/scheduler.h"

/** turn_schedule() - something changed: turn_end() runs after the events of this turn */
void turn_schedule(struct scheduler *scheduler);
/** turn_end() - claim, commit, send. Called by the loop; ends it after a failed commit. */
void turn_end(struct scheduler *scheduler);
/**
 * outbox_put() - send @message (owned) to @peer after the commit
 *
 * NULL is the message that there was no memory for: it ends the process.
 */
void outbox_put(struct peer *peer, struct message *message);
/** outbox_clear() - drop everything that waits */
void outbox_clear(struct scheduler *scheduler);
/** event_push() - record an event in the open transaction and tell the api after the commit */
void event_push(struct scheduler *scheduler, struct store_event *event);

#endif
