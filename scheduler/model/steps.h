/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_STEPS_H
#define SCHEDULER_STEPS_H

/* What is asked of a step everywhere. dispatch.h starts it, step_*.h: what follows. */

#include "scheduler/model/scheduler.h"

/** step_text() - what the runbook says about @step */
static inline const struct runbook_step *step_text(const struct step *step)
{
	return &step->run->runbook->steps[step->index];
}

/** step_cancel() - at once if it waits, by way of the daemon if it runs. Return: 1 or 0. */
size_t step_cancel(struct step *step);
/** step_timeout_sec() - effective timeout */
uint64_t step_timeout_sec(const struct step *step);

#endif
