/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/model/executor.h"

#include "common/cleanup.h"
#include "scheduler/model/outbox.h"
#include "scheduler/model/scheduler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char sync_reason[] = "waiting for runbookd to report which steps are still running";
static const char stopping_reason[] = "runbookd is stopping";

/* ---- the list of executors ---- */

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

void executor_admit(struct executor *executor)
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

/* ---- reports of its runbookd ---- */

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
	executor_admit(executor);
}

void executor_set_space(struct executor *executor, const char *why)
{
	(void)snprintf(executor->space, sizeof(executor->space), "%s", why);
	executor_admit(executor);
}

void executor_set_stopping(struct executor *executor)
{
	executor->stopping = true;
	executor_admit(executor);
}

void executor_opened(struct executor *executor)
{
	executor_admit(executor);
}

struct step *executor_step(struct executor *executor, uint64_t order)
{
	struct step *step = map_get(&executor->peer.scheduler->orders, order);

	/* claimed in an earlier life: the first executor that reports the order has the step */
	if (step && step->instance && !step->confirmed)
		queue_move(&step->item, &executor->host);
	return step && step_executor(step) == executor ? step : NULL;
}
