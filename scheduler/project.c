/* SPDX-License-Identifier: Apache-2.0 */
/* Projects and the configuration that the daemon sends. */
#include "scheduler/project.h"

#include "common/log.h"
#include "scheduler/deliveries.h"
#include "scheduler/outbox.h"
#include "scheduler/schedule.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct project **project_bucket(struct scheduler *scheduler, const char *name)
{
	uint32_t hash = 2166136261u; /* FNV-1a; names come from the administrator */

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619u;
	return &scheduler->projects[hash & (PROJECT_BUCKETS - 1)];
}

struct project *project_find(struct scheduler *scheduler, const char *name)
{
	struct project *project = *project_bucket(scheduler, name);

	while (project && strcmp(project->name, name) != 0)
		project = project->next;
	return project;
}

struct project *project_get(struct scheduler *scheduler, const char *name)
{
	struct project *project = project_find(scheduler, name);
	struct project **bucket = project_bucket(scheduler, name);

	if (project || strlen(name) > PROJECT_NAME_MAX)
		return project;
	project = calloc(1, sizeof(*project));
	if (!project)
		return NULL;
	project->scheduler = scheduler;
	project->weight = 1;
	project->fetch_retry_sec = scheduler->config.fetch_retry_sec;
	memcpy(project->name, name, strlen(name) + 1);
	queue_project_init(&scheduler->queue, &project->queue);
	project->next = *bucket;
	*bucket = project;
	project_update(project);
	return project;
}

struct project *project_next(struct scheduler *scheduler, size_t *bucket, struct project *project)
{
	if (project)
		project = project->next;
	while (!project && *bucket < PROJECT_BUCKETS)
		project = scheduler->projects[(*bucket)++];
	return project;
}

void project_update(struct project *project)
{
	const char *held = NULL;

	if (project->paused)
		held = "project is paused";
	else if (!project->configured && !project->upload)
		held = "project is not configured any more: add it again or cancel the run";
	queue_project_set(&project->queue, project->weight, project->max_running, held);
}

void projects_free(struct scheduler *scheduler)
{
	for (size_t i = 0; i < PROJECT_BUCKETS; i++) {
		struct project *project = scheduler->projects[i], *next;

		for (; project; project = next) {
			next = project->next;
			schedules_free(project);
			free(project->repository);
			free(project);
		}
		scheduler->projects[i] = NULL;
	}
}

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
		log_error("project %s: out of memory", staged->name);
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
