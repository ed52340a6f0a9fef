/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_PROJECT_H
#define SCHEDULER_PROJECT_H

/* The table of projects. */

#include "scheduler/model/scheduler.h"

/** project_find() - NULL when there is none of this name */
struct project *project_find(struct scheduler *scheduler, const char *name);
/** project_get() - find or make; NULL without memory */
struct project *project_get(struct scheduler *scheduler, const char *name);
/** project_next() - walk all projects; *@bucket starts at 0, @project at NULL */
struct project *project_next(struct scheduler *scheduler, size_t *bucket, struct project *project);
/** project_update() - after a change of its settings: limits and holds of its queue */
void project_update(struct project *project);
/** projects_free() - release all of them; schedules_free() was called for each */
void projects_free(struct scheduler *scheduler);

#endif
