/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_SCHEDULE_H
#define SCHEDULER_SCHEDULE_H

/*
 * DOC: Scheduled runs
 *
 * The schedules in "on.schedule" of a project's default branch are kept in the store, and read
 * again from each run of that branch's newest commit. Each schedule has a time up to which every
 * time is done or given up. A run, the delivery id that stands for its time, and that mark are
 * written in one transaction, so that no time gets two runs, whichever process dies.
 *
 * Missed times (the scheduler did not run, or the clock was set forward) get one run, for the
 * latest of them, if that is not older than SCHEDULE_LATE_MAX_SEC. A clock that is set back repeats
 * nothing, unless by more than a day: then it was wrong before, and schedules begin anew. Times at
 * which the project is paused are never made up for.
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
	char *text;	/* the expression in .cron, as in the file */
	char *timezone; /* "": UTC */
	char *branch;	/* "": the default branch */
	uint64_t last_usec;
	uint64_t next_usec;  /* 0: never */
	const char *problem; /* why there is no next time, NULL: there is one */
};

/** schedules_load() - at start: read all schedules from the store. Return: 0 or -errno. */
int schedules_load(struct scheduler *scheduler);
/**
 * schedules_check() - start the runs that are due; called by its own timer and after a
 * configuration
 */
void schedules_check(struct scheduler *scheduler);
/**
 * schedules_learn() - replace the project's schedules by those in the runbook of @run (none without
 * a runbook), if it is the newest commit of the default branch
 */
void schedules_learn(struct run *run);
/** schedules_free() - release the schedules of @project */
void schedules_free(struct project *project);
/** schedule_listed() - whether the runbook of @run, a scheduled one, still has its schedule */
bool schedule_listed(const struct run *run);

#endif
