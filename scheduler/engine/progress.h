/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_PROGRESS_H
#define SCHEDULER_PROGRESS_H

/*
 * DOC: What follows from a change
 *
 * What changes a run or a step marks it (state.h) and is done; what follows from the mark is
 * drawn here, in one pass: dependants are decided, the run is settled, its timers begin and
 * stop, a concurrency group lets the next run go. The pass is made after each message and at
 * the end of the turn, and lasts until nothing is marked any more. So a function that changes
 * something never finds the world changed under it, and nothing but this file decides what
 * comes after what:
 *
 *   a run     its state: group, timers, memory; then the phase that is due: its tree, or its
 *             runbook with all that this decides; then each of its changed steps; then whether
 *             all of them are final, which ends the run and begins with its state again
 *   a step    ready: its time begins, it goes to the queue or waits for its image
 *             final: its dependants and its matrix
 *
 * Runs and steps are taken in the order in which they were marked. All of it belongs to the
 * transaction of the change: a crash loses both or none.
 */

#include "scheduler/model/scheduler.h"

/** progress() - draw what follows from all changes since the last call */
void progress(struct scheduler *scheduler);
/** step_release() - a ready step may start, unless its run is held: queue it, its time begins */
void step_release(struct step *step);

#endif
