/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_TURN_H
#define SCHEDULER_TURN_H

/*
 * DOC: The end of a turn
 *
 * All changes that the messages of one loop turn make become one transaction: with one fsync for
 * many deliveries, results and claims, the rate does not depend on how long an fsync takes. This
 * file is above everything that a turn changes.
 */

#include "scheduler/model/scheduler.h"

/**
 * turn_end() - draw consequences, claim steps, commit, then send the outbox
 *
 * It is scheduler->turn_end, which outbox.h calls. A failed commit ends the loop.
 */
void turn_end(struct scheduler *scheduler);

#endif
