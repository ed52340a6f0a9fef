/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_STEP_RETRY_H
#define SCHEDULER_STEP_RETRY_H

/*
 * DOC: Retries of steps
 *
 * A step gets another attempt by itself, as `attempts` allows, or because a person asks for it,
 * which begins a new budget of automatic attempts. A retry also resets the steps behind it whose
 * decision depended on its end.
 */

#include "scheduler/model/scheduler.h"

/**
 * step_retry() - new attempt of a final step and of the steps that were skipped because of it.
 * Return: 0, or -EBUSY with @error.
 */
int step_retry(struct step *step, struct error *error);
/**
 * run_retry_failed() - retry all steps of a final run that did not succeed
 *
 * The tree of a run that never had steps is fetched again.
 *
 * Return: how many steps there are, or -EBUSY with @error.
 */
int run_retry_failed(struct run *run, struct error *error);
/**
 * step_attempt_again() - an attempt ended: make another one if `attempts` allows. Return: whether
 * it did.
 */
bool step_attempt_again(struct step *step);
/**
 * step_interrupted() - the daemon interrupted an interruptible step: it waits again, without using
 * up an attempt
 */
void step_interrupted(struct step *step);

#endif
