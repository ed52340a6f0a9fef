/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_STEPS_H
#define SCHEDULER_STEPS_H

/* The life of a step: claim, order, cancel, and why it waits. step_*.h: what follows. */

#include "scheduler/scheduler.h"

/** step_text() - what the runbook says about @step */
static inline const struct runbook_step *step_text(const struct step *step)
{
	return &step->run->runbook->steps[step->index];
}

/** steps_claim() - claim what may start now and give the orders to the outbox */
void steps_claim(struct scheduler *scheduler);
/** step_order_send() - give the order of a claimed step to the outbox */
void step_order_send(struct step *step);
/** step_cancel() - at once if it waits, by way of the daemon if it runs. Return: 1 or 0. */
size_t step_cancel(struct step *step);
/** step_release() - a ready step may start, unless its run is held: queue it, its time begins */
void step_release(struct step *step);
/**
 * step_wait_reason() - why a pending or ready step does not run yet
 *
 * Return: the same for machines ("project-limit", …); static.
 */
const char *step_wait_reason(const struct step *step, char *out, size_t size);
/** step_timeout_sec() - effective timeout */
uint64_t step_timeout_sec(const struct step *step);

#endif
