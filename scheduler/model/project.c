/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/model/project.h"

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
			free(project->repository);
			free(project);
		}
		scheduler->projects[i] = NULL;
	}
}
