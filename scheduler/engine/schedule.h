/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_SCHEDULE_H
#define SCHEDULER_SCHEDULE_H

/*
 * DOC: Runs by the clock
 *
 * What "on.schedule" of a project's default branch asks for is kept in the store,
 * and learnt anew from each run of that branch's newest commit. Each schedule has
 * a time up to which everything is done or given up; the run of a time, the
 * delivery id that stands for it and that mark are one transaction, so that no
 * time has two runs, whatever dies when.
 *
 * Missed times (nobody was there, or the clock was set forward) are made up for by
 * one run, for the latest of them, if that is not older than SCHEDULE_LATE_MAX_SEC.
 * A clock that is set back repeats nothing, unless by more than a day: then it was
 * wrong before, and schedules begin anew. A paused project misses its times for
 * good.
 */

#include "common/cron.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCHEDULE_LATE_MAX_SEC (24 * 3600ULL)

struct project;
struct run;
struct scheduler;

/** struct schedule - one entry of "on.schedule" */
struct schedule {
	struct schedule *next; /* of its project */
	struct cron cron;
	char *text;	/* of cron, as in the file */
	char *timezone; /* "": UTC */
	char *branch;	/* "": the default branch */
	uint64_t last_usec;
	uint64_t next_usec;  /* 0: never */
	const char *problem; /* why there is no next time, NULL: there is */
};

/** schedules_load() - from the store, at start. Return: 0 or -errno. */
int schedules_load(struct scheduler *scheduler);
/** schedules_check() - start what is due; called by its own timer and after a configuration */
void schedules_check(struct scheduler *scheduler);
/** schedules_learn() - the runbook of @run was read, or (NULL in it) there is none */
void schedules_learn(struct run *run);
/** schedules_free() - release those of @project */
void schedules_free(struct project *project);
/** schedule_listed() - does the runbook of @run, a scheduled one, have its schedule still? */
bool schedule_listed(const struct run *run);

#endif
