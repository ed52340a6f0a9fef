/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_OUTBOX_H
#define SCHEDULER_OUTBOX_H

/*
 * DOC: The outbox
 *
 * What leaves the scheduler waits here until the transaction that it reports is on disk. What
 * changes something calls these functions; the end of the turn, which claims steps and commits,
 * is in turn.c above all of them, and is reached through scheduler->turn_end.
 */

#include "scheduler/model/scheduler.h"

/** turn_schedule() - something changed: the turn ends after the events of this one */
void turn_schedule(struct scheduler *scheduler);
/** turn_now() - end the turn at once, for what cannot wait for the loop */
void turn_now(struct scheduler *scheduler);
/**
 * outbox_put() - send @message (owned) to @peer after the commit
 *
 * NULL is the message that there was no memory for: it ends the process.
 */
void outbox_put(struct peer *peer, struct message *message);
/** outbox_send_all() - send everything that waits: the commit has succeeded */
void outbox_send_all(struct scheduler *scheduler);
/** outbox_clear() - drop everything that waits */
void outbox_clear(struct scheduler *scheduler);
/** event_push() - record an event in the open transaction and tell the api after the commit */
void event_push(struct scheduler *scheduler, struct store_event *event);

#endif
