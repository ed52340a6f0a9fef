/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_FREEZE_H
#define SCHEDULER_FREEZE_H

/* The runbook of a run becomes its steps. */

#include "scheduler/scheduler.h"

/** run_freeze() - parse and keep the runbook of @run, make its steps or fail it with the findings */
void run_freeze(struct run *run, const char *text, size_t size);
/** run_freeze_again() - the same from the text that is frozen already: a retry */
void run_freeze_again(struct run *run);
/** run_start_steps() - make the steps' rows and let those without dependencies be ready */
void run_start_steps(struct run *run);
/** run_thaw() - runbook and steps in memory only, for a run that has its rows */
int run_thaw(struct run *run, struct error *error);

#endif
