/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_WAIT_REASON_H
#define SCHEDULER_WAIT_REASON_H

/* Why a step does not run yet, asked of everything that can hold it up. */

#include "scheduler/model/scheduler.h"

/**
 * step_wait_reason() - why a pending or ready step does not run yet
 *
 * Return: the same for machines ("project-limit", …); static.
 */
const char *step_wait_reason(const struct step *step, char *out, size_t size);

#endif
