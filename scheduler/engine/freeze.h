/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_FREEZE_H
#define SCHEDULER_FREEZE_H

/* The runbook of a run becomes its steps. */

#include "scheduler/model/scheduler.h"

/**
 * run_freeze() - read and keep the runbook of @run, and make its steps in memory
 *
 * The text is run->text, which is released, or the one that is frozen already.
 * Return: false when the run ended by that, as failed with the findings, say.
 */
bool run_freeze(struct run *run);
/**
 * run_add_steps() - write the rows of the steps
 *
 * A step whose conditions what started the run does not meet is skipped.
 */
void run_add_steps(struct run *run);
/** run_thaw() - runbook and steps in memory only, for a run that has its rows */
int run_thaw(struct run *run, struct error *error);

#endif
