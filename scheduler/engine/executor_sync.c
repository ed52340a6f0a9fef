/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/engine/executor_sync.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "scheduler/engine/dispatch.h"
#include "scheduler/engine/step_result.h"
#include "scheduler/model/give_up.h"
#include "scheduler/model/outbox.h"
#include "scheduler/model/steps.h"

#include <stdlib.h>
#include <string.h>

static const char lost_reason[] = "host lost: runbookd ended while the step was running";

/*
 * All running steps, in a list that stays valid while some of them end. Return: NULL without
 * memory.
 */
static struct step **running_steps(struct scheduler *scheduler, size_t *ret_n)
{
	struct step **steps = calloc(scheduler->orders.n_used + 1, sizeof(*steps)), *step;
	size_t n = 0, cursor = 0;

	if (!steps) {
		scheduler_give_up(scheduler, NULL);
		return NULL;
	}
	while ((step = map_next(&scheduler->orders, &cursor)))
		steps[n++] = step;
	*ret_n = n;
	return steps;
}

/* Whether an executor may still report what was claimed for @instance. */
static bool instance_may_have(const struct scheduler *scheduler, const char *instance)
{
	const struct executor *executor;

	list_each (executor, &scheduler->executors, node) {
		if (!executor->synced || strcmp(executor->config.instance, instance) == 0)
			return true;
	}
	return false;
}

/* Settle one claim after @executor, of @instance, has reported its steps. */
static void claim_settle(struct executor *executor, struct step *step, const char *instance)
{
	struct step_end cancelled = {.result = STEP_RESULT_CANCELLED, .reason = ""};

	if (step->confirmed) {
		/* its runbookd has the step; STEP_CANCEL may have been lost with our last life */
		if (step->cancelling && step_executor(step) == executor)
			(void)step_cancel(step);
		return;
	}
	if (step->instance && strcmp(step->instance, instance) != 0) {
		if (!instance_may_have(executor->peer.scheduler, step->instance))
			step_host_lost(step, lost_reason);
		return;
	}
	if (step->instance)
		queue_move(&step->item, &executor->host);
	if (step_executor(step) != executor)
		return;
	if (step->cancelling) {
		/* its order never arrived, or waits in the daemon's queue and must not start */
		(void)step_cancel(step);
		step_exited(step, &cancelled);
	} else {
		step_order_send(step);
	}
}

void executor_sync(struct executor *executor, const char *instance)
{
	struct scheduler *scheduler = executor->peer.scheduler;
	size_t n = 0;
	cleanup_free struct step **steps = running_steps(scheduler, &n);

	if (!steps)
		return;
	executor->stopping = false;
	executor->synced = true;
	for (size_t i = 0; i < n; i++)
		claim_settle(executor, steps[i], instance);
	executor_admit(executor);
}

void executor_closed(struct executor *executor)
{
	struct scheduler *scheduler = executor->peer.scheduler;
	cleanup_free struct step **steps = NULL;
	size_t n = 0;

	if (executor == executor_home(scheduler)) {
		/* commit this turn and end with it; the next runbookd starts a new scheduler */
		turn_now(scheduler);
		loop_exit(scheduler->loop, 0);
		return;
	}
	log_error("%s is lost, and with it the steps that run there", executor->host.name);
	executor->synced = false;
	executor_admit(executor);
	steps = running_steps(scheduler, &n);
	for (size_t i = 0; steps && i < n; i++) {
		if (step_executor(steps[i]) == executor)
			step_host_lost(steps[i], lost_reason);
	}
}
