/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_WAIT_REASON_H
#define SCHEDULER_WAIT_REASON_H

/*
 * DOC: Why a step waits
 *
 * Asks each part of the scheduler that can hold up a step (dependencies, concurrency, image, queue,
 * executors) in turn, so that people and machines get one reason.
 */

#include "scheduler/model/scheduler.h"

/**
 * step_wait_reason() - why a pending or ready step does not run yet
 * @out: a sentence for people
 *
 * Return: the same as a static word for machines ("project-limit", …).
 */
const char *step_wait_reason(const struct step *step, char *out, size_t size);

#endif
