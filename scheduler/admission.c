/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/admission.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "scheduler/run.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- labels ---- */

/* @labels: words separated by single blanks */
static bool has_label(const char *labels, const char *label)
{
	size_t length = strlen(label);

	while (*labels) {
		size_t word = strcspn(labels, " ");

		if (word == length && memcmp(labels, label, length) == 0)
			return true;
		labels += word;
		labels += *labels == ' ';
	}
	return false;
}

/* The first label that this host lacks; it lives as long as the runbook. */
static const char *step_missing_label(const struct step *step)
{
	const struct runbook_step *text = &step->run->runbook->steps[step->index];
	const char *labels = step->run->scheduler->config.labels;

	for (size_t i = 0; i < text->n_labels; i++) {
		if (!has_label(labels, text->labels[i]))
			return text->labels[i];
	}
	return NULL;
}

/* ---- into the queue ---- */

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
	item->missing_label = step_missing_label(step);
}

void step_enqueue(struct step *step)
{
	item_fill(step);
	queue_push(&step->run->project->queue, &step->item);
}

void step_resume_running(struct step *step)
{
	item_fill(step);
	queue_running(&step->run->project->queue, &step->item);
}

/* ---- configuration ---- */

static void relabel(struct scheduler *scheduler)
{
	size_t cursor = 0;
	struct run *run;

	while ((run = map_next(&scheduler->runs, &cursor))) {
		for (size_t i = 0; i < run->n_steps; i++) {
			struct step *step = &run->steps[i];

			if (step->state == STEP_STATE_READY)
				queue_set_missing(&step->item, step_missing_label(step));
		}
	}
}

void admission_configure(struct scheduler *scheduler)
{
	const struct scheduler_config *config = &scheduler->config;
	struct queue_host host = {
		.limit = config->max_running,
		.cpu_milli = config->host_cpu_milli,
		.memory = config->host_memory,
		.default_cpu_milli = config->step_cpu_milli,
		.default_memory = config->step_memory,
	};
	size_t cursor = 0;
	struct step *step;

	if (host.limit == 0)
		host.limit = config->host_cpu_milli / 1000;
	if (host.limit == 0)
		host.limit = 1;
	queue_configure(&scheduler->queue, &host);
	while ((step = map_next(&scheduler->orders, &cursor)))
		queue_recount(&step->item);
	relabel(scheduler);
}

/* ---- what can never start ---- */

void admission_reject(struct scheduler *scheduler)
{
	struct queue_item *item;

	while ((item = queue_impossible(&scheduler->queue))) {
		struct step *step = container_of(item, struct step, item);
		char reason[REASON_MAX + 1];

		(void)queue_reason(item, reason, sizeof(reason));
		state_step_set(step, STEP_STATE_ERRORED, reason);
		step_propagate(step);
	}
}

/* ---- reasons ---- */

/* The larger step that is waited for, by name: people may want to look at it. */
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
