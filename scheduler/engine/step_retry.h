/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_STEP_RETRY_H
#define SCHEDULER_STEP_RETRY_H

/* Another attempt of a step that had ended. */

#include "scheduler/model/scheduler.h"

/** step_retry() - new attempt of a final step and of what was skipped because of it */
int step_retry(struct step *step, struct error *error);
/**
 * run_retry_failed() - the same for all steps of a final run that did not succeed
 *
 * A run that never had steps is fetched again.
 *
 * Return: how many of them there are, -EBUSY with @error.
 */
int run_retry_failed(struct run *run, struct error *error);
/** step_attempt_again() - an attempt ended: make another one if `attempts` allows. Return: did it? */
bool step_attempt_again(struct step *step);
/** step_interrupted() - an interruptible step was cut off by us: it waits again */
void step_interrupted(struct step *step);

#endif
