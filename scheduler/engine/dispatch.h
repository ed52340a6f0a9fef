/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_DISPATCH_H
#define SCHEDULER_DISPATCH_H

/*
 * DOC: Claims and orders
 *
 * A step that the queue picks is claimed: its attempt gets an order number in the store. The
 * order, with the payload that only the command sees, goes to the outbox and so leaves after
 * the commit of the claim. An order may be sent again after a restart, under the same number.
 */

#include "scheduler/model/scheduler.h"

/**
 * dispatch_next() - claim the step that is to start now and give its order to the outbox
 *
 * Return: false when no step may start.
 */
bool dispatch_next(struct scheduler *scheduler);
/** step_order_send() - give the order of a claimed step to the outbox */
void step_order_send(struct step *step);

#endif
