/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_TURN_H
#define SCHEDULER_TURN_H

/* The end of a loop turn, above everything that a turn changes. */

#include "scheduler/model/scheduler.h"

/**
 * turn_end() - claim, commit, send
 *
 * It is scheduler->turn_end, which outbox.h calls. A failed commit ends the loop.
 */
void turn_end(struct scheduler *scheduler);

#endif
