/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_PROGRESS_H
#define SCHEDULER_PROGRESS_H

/*
 * DOC: Consequences of a change
 *
 * A function that changes a run or a step marks it (state.h) and returns. The consequences are
 * drawn here, in one pass: dependants are decided, the run is settled, its timers start and stop,
 * and a concurrency group releases its next run. The pass is made after each message, between the
 * claims at the end of a turn and when runs are loaded at the start, and lasts until nothing is
 * marked. No handler calls step_propagate(), run_settle() or step_release() itself. So a function that changes something never finds
 * other objects changed under it, and this file alone decides the order of consequences:
 *
 *   a run     its state: group, timers, memory; then the phase that is due: its tree, or its
 *             runbook with all that this decides; then each of its changed steps; then whether
 *             all of them are final, which ends the run and begins with its state again
 *   a step    ready: its time begins, it goes to the queue or waits for its image
 *             final: its dependants and its matrix
 *
 * Runs and steps are processed in the order in which they were marked. All consequences belong to
 * the transaction of the change: a crash loses all of them or none.
 */

#include "scheduler/model/scheduler.h"

/** progress() - draw the consequences of all changes since the last call */
void progress(struct scheduler *scheduler);
/**
 * step_release() - start the time of a ready step and queue it or park it for its image; no-op
 * while its run is held
 */
void step_release(struct step *step);

#endif
