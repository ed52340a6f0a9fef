/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_PROJECT_H
#define SCHEDULER_PROJECT_H

/*
 * DOC: Projects
 *
 * A project is what the configuration calls one, or the target of an upload. All projects are in
 * a hash table by name and stay in memory until the process ends: runs point to them.
 */

#include "scheduler/model/scheduler.h"

/** project_find() - the project called @name. Return: NULL when there is none. */
struct project *project_find(struct scheduler *scheduler, const char *name);
/** project_get() - find or make the project called @name. Return: NULL without memory. */
struct project *project_get(struct scheduler *scheduler, const char *name);
/**
 * project_next() - visit all projects. *@bucket starts at 0, @project at NULL. Return: NULL at the
 * end.
 */
struct project *project_next(struct scheduler *scheduler, size_t *bucket, struct project *project);
/** project_update() - a setting of @project changed: pass weight, limit and hold to the queue */
void project_update(struct project *project);
/** projects_free() - release all projects; schedules_free() was called for each */
void projects_free(struct scheduler *scheduler);

#endif
