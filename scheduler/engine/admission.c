/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/engine/admission.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "scheduler/model/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- queueing a step ---- */

int64_t run_priority(const struct run *run)
{
	int64_t priority = run->runbook->priority;

	return run->row.from_fork && priority > 0 ? 0 : priority;
}

static void item_fill(struct step *step)
{
	const struct runbook_step *text = &step->run->runbook->steps[step->index];
	struct queue_item *item = &step->item;

	item->ready_usec = step->ready_usec;
	item->priority = run_priority(step->run);
	item->run = step->run->row.id;
	item->index = step->index;
	item->cpu_milli = text->resources.cpu_milli;
	item->memory = text->resources.memory;
	item->labels = (const char *const *)text->labels;
	item->n_labels = text->n_labels;
}

void step_enqueue(struct step *step)
{
	item_fill(step);
	queue_push(&step->run->project->queue, &step->item);
}

void step_resume_running(struct step *step)
{
	item_fill(step);
	queue_running(&step->run->project->queue, &step->item,
		      &executor_home(step->run->scheduler)->host);
}

/* ---- steps that can never start ---- */

bool admission_reject(struct scheduler *scheduler)
{
	struct queue_item *item = queue_impossible(&scheduler->queue);
	char reason[REASON_MAX + 1];
	struct step *step;

	if (!item)
		return false;
	step = container_of(item, struct step, item);
	(void)queue_reason(item, reason, sizeof(reason));
	state_step_set(step, STEP_STATE_ERRORED, reason);
	return true;
}

/* ---- reasons of waiting ---- */

/* Name the larger step that the room is reserved for, so that people can look at it. */
static void reason_set_aside(const struct scheduler *scheduler, char *out, size_t size)
{
	const struct step *step = container_of(scheduler->queue.reserved, struct step, item);

	(void)snprintf(out, size,
		       "what is free is kept for step \"%.100s\" of run %" PRIu64
		       ", which needs more and waits longer",
		       step->run->runbook->steps[step->index].name, step->run->row.id);
}

const char *admission_reason(const struct step *step, char *out, size_t size)
{
	enum queue_wait wait = queue_reason(&step->item, out, size);

	if (wait == QUEUE_WAIT_SET_ASIDE)
		reason_set_aside(step->run->scheduler, out, size);
	if (wait == QUEUE_WAIT_HELD)
		return step->run->project->paused ? "project-paused" : "project-gone";
	return queue_wait_name(wait);
}
