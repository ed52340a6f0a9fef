/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_STEPS_H
#define SCHEDULER_STEPS_H

/*
 * DOC: Steps
 *
 * Small functions on a step that all upper floors need. dispatch.h starts steps, the step_*.h
 * headers of engine/ handle their results, retries and dependants.
 */

#include "scheduler/model/scheduler.h"

/** step_text() - the step as written in the runbook */
static inline const struct runbook_step *step_text(const struct step *step)
{
	return &step->run->runbook->steps[step->index];
}

/**
 * step_cancel() - end a waiting step at once, a running one through its runbookd. Return: 1, or 0
 * when it is final or being cancelled.
 */
size_t step_cancel(struct step *step);
/** step_timeout_sec() - the timeout that is in force for @step, in seconds */
uint64_t step_timeout_sec(const struct step *step);

#endif
