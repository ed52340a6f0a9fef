/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_ADMISSION_H
#define SCHEDULER_ADMISSION_H

/*
 * DOC: Steps in the queue
 *
 * Translates a step into what the queue decides by: declared processors and memory, the priority
 * in its run's runbook, and the labels that its host must have. Only these functions put steps
 * into the queue; queue_remove() and queue_finished() need nothing but the item.
 */

#include "scheduler/model/scheduler.h"

/** run_priority() - the priority in the runbook; at most 0 for a run from a fork */
int64_t run_priority(const struct run *run);
/** step_enqueue() - queue @step, which is ready (ready_usec is set) and has its image */
void step_enqueue(struct step *step);
/**
 * step_resume_running() - count @step, which was claimed in an earlier life, as running
 *
 * It counts on home until an executor reports that it has the step.
 */
void step_resume_running(struct step *step);
/**
 * admission_reject() - end one step that needs more than any host has, as errored
 *
 * Return: false when there is none.
 */
bool admission_reject(struct scheduler *scheduler);
/**
 * admission_reason() - why @step, which waits in the queue, does not run yet
 * @out: a sentence for people
 *
 * Return: the same as a static word for machines.
 */
const char *admission_reason(const struct step *step, char *out, size_t size);

#endif
