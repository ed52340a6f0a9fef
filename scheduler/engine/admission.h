/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_ADMISSION_H
#define SCHEDULER_ADMISSION_H

/*
 * DOC: Steps and the queue
 *
 * What the queue has to know of a step: declared processors and memory, the
 * priority of its run's runbook, labels that its host must have. Only these
 * functions push; queue_remove() and queue_finished() need no more than the item.
 */

#include "scheduler/model/scheduler.h"

/** run_priority() - what its runbook says; of a fork's nothing above the usual one */
int64_t run_priority(const struct run *run);
/** step_enqueue() - @step is ready (ready_usec is set) and its image is here: it waits */
void step_enqueue(struct step *step);
/**
 * step_resume_running() - @step was claimed in an earlier life and still counts as running
 *
 * Where, is not known before its executor speaks of it: on home, until then.
 */
void step_resume_running(struct step *step);
/**
 * admission_reject() - end a step that needs more than any host has, as errored
 *
 * Return: false when there is none.
 */
bool admission_reject(struct scheduler *scheduler);
/**
 * admission_reason() - why @step, which waits in the queue, does not run yet
 *
 * Return: the same for machines; static.
 */
const char *admission_reason(const struct step *step, char *out, size_t size);

#endif
