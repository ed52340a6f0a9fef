/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_DISPATCH_H
#define SCHEDULER_DISPATCH_H

/*
 * DOC: Claims and orders
 *
 * A step that the queue picks is claimed: its attempt gets an order number in the store. The order,
 * with the payload that only the command sees, goes to the outbox and so leaves after the commit of
 * the claim. After a restart an order may be sent again, under the same number.
 */

#include "scheduler/model/scheduler.h"

/**
 * dispatch_next() - claim the step that the queue picks and put its order into the outbox
 *
 * Return: false when no step may start.
 */
bool dispatch_next(struct scheduler *scheduler);
/**
 * step_order_send() - put the order of a claimed step into the outbox; a step that cannot be
 * ordered ends
 */
void step_order_send(struct step *step);

#endif
