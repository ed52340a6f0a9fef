/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_OUTBOX_H
#define SCHEDULER_OUTBOX_H

/*
 * DOC: The outbox
 *
 * Messages that leave the scheduler wait here until the transaction that they report is on disk.
 * Code that changes something calls these functions. The end of the turn, which claims steps and
 * commits, is in turn.c above all of them and is reached through scheduler->turn_end.
 */

#include "scheduler/model/scheduler.h"

/** turn_schedule() - something changed: end the turn after the loop's current events */
void turn_schedule(struct scheduler *scheduler);
/**
 * turn_schedule_soon() - the same, but the change may wait for others to be committed with it
 *
 * For changes whose sender expects no answer and repeats them to a new scheduler.
 */
void turn_schedule_soon(struct scheduler *scheduler);
/** turn_now() - end the turn at once, for changes that must not wait for the loop */
void turn_now(struct scheduler *scheduler);
/**
 * outbox_put() - send @message (owned) to @peer after the commit
 *
 * A NULL @message stands for one that could not be allocated, and ends the process.
 */
void outbox_put(struct peer *peer, struct message *message);
/** outbox_send_all() - send all waiting messages, after the commit has succeeded */
void outbox_send_all(struct scheduler *scheduler);
/** outbox_clear() - drop all waiting messages */
void outbox_clear(struct scheduler *scheduler);
/**
 * event_push() - record @event in the open transaction and send it to the api after the commit;
 * sets event->id
 */
void event_push(struct scheduler *scheduler, struct store_event *event);

#endif
