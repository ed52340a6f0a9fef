/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/peers/configuration.h"

#include "common/log.h"
#include "scheduler/engine/deliveries.h"
#include "scheduler/engine/retention.h"
#include "scheduler/engine/schedule.h"
#include "scheduler/model/give_up.h"
#include "scheduler/model/outbox.h"
#include "scheduler/model/project.h"

#include <inttypes.h>
#include <stdlib.h>

void config_discard(struct scheduler *scheduler)
{
	struct staged_project *staged = scheduler->staged, *next;

	for (; staged; staged = next) {
		next = staged->next;
		free(staged->repository);
		free(staged);
	}
	scheduler->staged = NULL;
	scheduler->staging = NULL;
}

static void config_apply_project(struct scheduler *scheduler, struct staged_project *staged)
{
	struct project *project = project_get(scheduler, staged->name);

	if (!project) {
		/* with a project missing, its deliveries would be refused for good */
		scheduler_give_up(scheduler, NULL);
		return;
	}
	free(project->repository);
	project->repository = staged->repository;
	staged->repository = NULL;
	project->max_running = staged->max_running;
	project->weight = staged->weight;
	project->workspace = staged->workspace;
	project->fork_secrets = staged->fork_secrets;
	if (staged->own_retry)
		project->fetch_retry_sec = staged->fetch_retry_sec;
	project->retention = staged->retention;
	if (!project->configured)
		scheduler->n_projects++;
	project->configured = true;
}

void config_apply(struct scheduler *scheduler)
{
	struct project *project = NULL;
	bool reloaded;
	size_t bucket = 0;

	scheduler->config = scheduler->staged_config;
	executor_configure(scheduler->staging, &scheduler->staged_executor);
	while ((project = project_next(scheduler, &bucket, project))) {
		project->configured = false;
		project->fetch_retry_sec = scheduler->config.fetch_retry_sec;
	}
	scheduler->n_projects = 0;
	for (struct staged_project *staged = scheduler->staged; staged; staged = staged->next)
		config_apply_project(scheduler, staged);
	bucket = 0;
	while ((project = project_next(scheduler, &bucket, project)))
		project_update(project);
	config_discard(scheduler);
	reloaded = scheduler->configured;
	scheduler->configured = true;
	schedules_check(scheduler);
	deliveries_configure(scheduler);
	if (reloaded)
		retention_reloaded(scheduler);
	else
		retention_configured(scheduler);
	log_info("%zu projects, at most %" PRIu64 " steps at once", scheduler->n_projects,
		 queue_places(&scheduler->queue));
	turn_schedule(scheduler);
}
