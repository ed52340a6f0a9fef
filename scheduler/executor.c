/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/executor.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "scheduler/give_up.h"
#include "scheduler/outbox.h"
#include "scheduler/run.h"
#include "scheduler/step_result.h"
#include "scheduler/steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char lost_reason[] = "host lost: runbookd ended while the step was running";
static const char sync_reason[] = "waiting until runbookd told what already runs";
static const char stopping_reason[] = "runbookd is stopping";

/* ---- the list ---- */

struct executor *executor_home(const struct scheduler *scheduler)
{
	return list_entry(scheduler->executors.first, struct executor, node);
}

struct executor *executor_of(struct peer *peer)
{
	return container_of(peer, struct executor, peer);
}

struct executor *step_executor(const struct step *step)
{
	return step->item.host ? container_of(step->item.host, struct executor, host) : NULL;
}

bool executor_configured(const struct executor *executor)
{
	return executor->config.instance[0] != '\0';
}

static bool is_ready(const struct executor *executor)
{
	return executor_configured(executor) && executor->synced && !executor->stopping &&
	       executor->peer.channel.open;
}

/* The queue admits nothing there until all that keeps a step from starting is over. */
static void admit(struct executor *executor)
{
	const char *why = executor->space[0] ? executor->space : NULL;

	if (!is_ready(executor))
		why = executor->synced ? stopping_reason : sync_reason;
	queue_host_stop(&executor->host, why);
	turn_schedule(executor->peer.scheduler);
}

struct executor *executor_add(struct scheduler *scheduler, const char *name)
{
	struct executor *executor = calloc(1, sizeof(*executor));

	if (!executor)
		return NULL;
	executor->peer = (struct peer){.scheduler = scheduler, .role = ROLE_DAEMON};
	list_append(&scheduler->executors, &executor->node);
	/* one place until its configuration says more */
	queue_host_add(&scheduler->queue, &executor->host, name, 1);
	queue_host_stop(&executor->host, sync_reason);
	return executor;
}

void executors_free(struct scheduler *scheduler)
{
	struct executor *executor, *next;

	list_each_safe (executor, next, &scheduler->executors, node) {
		list_remove(&executor->node);
		free(executor);
	}
}

bool executors_ready(const struct scheduler *scheduler)
{
	const struct executor *executor;

	list_each (executor, &scheduler->executors, node) {
		if (is_ready(executor))
			return true;
	}
	return false;
}

const char *executors_wait_reason(const struct scheduler *scheduler, char *out, size_t size)
{
	const struct executor *executor;
	const char *reason = sync_reason;

	out[0] = '\0';
	if (executors_ready(scheduler))
		return NULL;
	list_each (executor, &scheduler->executors, node) {
		if (executor_configured(executor) && executor->synced)
			reason = stopping_reason;
	}
	(void)snprintf(out, size, "%s", reason);
	return reason == stopping_reason ? "stopping" : "sync";
}

/* ---- what its runbookd says ---- */

void executor_configure(struct executor *executor, const struct executor_config *config)
{
	struct scheduler *scheduler = executor->peer.scheduler;
	struct queue_capacity capacity = {
		.limit = config->max_running,
		.cpu_milli = config->cpu_milli,
		.memory = config->memory,
		.default_cpu_milli = config->step_cpu_milli,
		.default_memory = config->step_memory,
	};
	size_t cursor = 0;
	struct step *step;

	executor->config = *config;
	if (capacity.limit == 0)
		capacity.limit = config->cpu_milli / 1000;
	if (capacity.limit == 0)
		capacity.limit = 1;
	queue_host_configure(&executor->host, &capacity, config->labels);
	while ((step = map_next(&scheduler->orders, &cursor)))
		queue_recount(&step->item);
	admit(executor);
}

void executor_set_space(struct executor *executor, const char *why)
{
	(void)snprintf(executor->space, sizeof(executor->space), "%s", why);
	admit(executor);
}

void executor_set_stopping(struct executor *executor)
{
	executor->stopping = true;
	admit(executor);
}

void executor_opened(struct executor *executor)
{
	admit(executor);
}

struct step *executor_step(struct executor *executor, uint64_t order)
{
	struct step *step = map_get(&executor->peer.scheduler->orders, order);

	/* claimed in an earlier life: the first one that speaks of it is the one that has it */
	if (step && step->instance && !step->known)
		queue_move(&step->item, &executor->host);
	return step && step_executor(step) == executor ? step : NULL;
}

/* ---- what it runs ---- */

/* All that run, in a list that stays while some of them end. Return: NULL without memory. */
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

/* Can an executor still speak of what @instance was to run? */
static bool instance_may_have(const struct scheduler *scheduler, const char *instance)
{
	const struct executor *executor;

	list_each (executor, &scheduler->executors, node) {
		if (!executor->synced || strcmp(executor->config.instance, instance) == 0)
			return true;
	}
	return false;
}

static void claim_settle(struct executor *executor, struct step *step, const char *instance)
{
	struct step_end cancelled = {.result = STEP_RESULT_CANCELLED, .reason = ""};

	if (step->known) {
		/* its runbookd has it; a wish to cancel may have been lost with us */
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
	admit(executor);
}

void executor_closed(struct executor *executor)
{
	struct scheduler *scheduler = executor->peer.scheduler;
	cleanup_free struct step **steps = NULL;
	size_t n = 0;

	if (executor == executor_home(scheduler)) {
		/* commit what this turn brought, then end with it: it starts us again */
		turn_now(scheduler);
		loop_exit(scheduler->loop, 0);
		return;
	}
	log_error("%s is lost, and with it what runs there", executor->host.name);
	executor->synced = false;
	admit(executor);
	steps = running_steps(scheduler, &n);
	for (size_t i = 0; steps && i < n; i++) {
		if (step_executor(steps[i]) == executor)
			step_host_lost(steps[i], lost_reason);
	}
}
