/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/engine/schedule.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/zones.h"
#include "scheduler/engine/cron.h"
#include "scheduler/engine/run.h"
#include "scheduler/model/give_up.h"
#include "scheduler/model/outbox.h"
#include "scheduler/model/project.h"
#include "scheduler/model/run_row.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The monotonic clock does not show when the wall clock is set, so look this often. */
#define CHECK_USEC (30 * USEC_PER_SEC)
#define LATE_USEC (SCHEDULE_LATE_MAX_SEC * USEC_PER_SEC)
#define CLOCK_WAS_WRONG_USEC (24 * 3600 * USEC_PER_SEC)

/* ---- one schedule ---- */

static struct schedule *schedule_free(struct schedule *schedule)
{
	if (!schedule)
		return NULL;
	free(schedule->text);
	free(schedule->timezone);
	free(schedule->branch);
	free(schedule);
	return NULL;
}

static void next_find(struct schedule *schedule)
{
	int64_t next = 0;

	schedule->problem = NULL;
	if (!zone_known(schedule->timezone))
		schedule->problem = "this host does not know the time zone: correct its name, or "
				    "install tzdata";
	else
		next = cron_next(&schedule->cron, schedule->timezone,
				 (int64_t)(schedule->last_usec / USEC_PER_SEC));
	if (next <= 0 && !schedule->problem)
		schedule->problem = "it is never due";
	schedule->next_usec = next > 0 ? (uint64_t)next * USEC_PER_SEC : 0;
}

/* Return: NULL without memory, or when a text from the store is invalid. */
static struct schedule *schedule_new(const char *cron, const char *timezone, const char *branch,
				     uint64_t last_usec)
{
	struct schedule *schedule = calloc(1, sizeof(*schedule));
	char why[256], fix[256];

	if (!schedule)
		return NULL;
	schedule->text = strdup(cron);
	schedule->timezone = strdup(timezone ? timezone : "");
	schedule->branch = strdup(branch ? branch : "");
	schedule->last_usec = last_usec;
	if (!schedule->text || !schedule->timezone || !schedule->branch ||
	    cron_parse(cron, &schedule->cron, why, sizeof(why), fix, sizeof(fix)) < 0)
		return schedule_free(schedule);
	next_find(schedule);
	return schedule;
}

static bool schedule_is(const struct schedule *schedule, const char *cron, const char *timezone,
			const char *branch)
{
	return strcmp(schedule->text, cron) == 0 && strcmp(schedule->timezone, timezone) == 0 &&
	       strcmp(schedule->branch, branch) == 0;
}

static struct schedule *schedule_find(struct schedule *list, const char *cron, const char *timezone,
				      const char *branch)
{
	while (list && !schedule_is(list, cron, timezone ? timezone : "", branch ? branch : ""))
		list = list->next;
	return list;
}

static void schedule_append(struct schedule **list, struct schedule *schedule)
{
	while (*list)
		list = &(*list)->next;
	*list = schedule;
}

void schedules_free(struct project *project)
{
	struct schedule *schedule = project->schedules, *next;

	project->schedules = NULL;
	for (; schedule; schedule = next) {
		next = schedule->next;
		(void)schedule_free(schedule);
	}
	free(project->default_branch);
	project->default_branch = NULL;
}

/* The actor of a scheduled run, as people read it; it also identifies the run's schedule. */
static void actor_format(char *out, size_t size, const char *cron, const char *timezone)
{
	(void)snprintf(out, size, "schedule %s%s%s", cron, *timezone ? " " : "", timezone);
}

bool schedule_listed(const struct run *run)
{
	char actor[CRON_TEXT_MAX + CRON_TIMEZONE_MAX + 16];

	for (size_t i = 0; i < run->runbook->n_schedules; i++) {
		const struct runbook_schedule *text = &run->runbook->schedules[i];

		actor_format(actor, sizeof(actor), text->cron,
			     text->timezone ? text->timezone : "");
		if (strcmp(actor, run->row.actor) == 0)
			return true;
	}
	return false;
}

/* ---- schedules in the store ---- */

static void mark_done(const struct project *project, struct schedule *schedule, uint64_t last_usec)
{
	const struct store_schedule row = {
		.project = project->name,
		.cron = schedule->text,
		.timezone = schedule->timezone,
		.branch = schedule->branch,
		.last_usec = last_usec,
	};

	schedule->last_usec = last_usec;
	store_schedule_set_last(project->scheduler->store, &row);
	next_find(schedule);
	turn_schedule(project->scheduler);
}

struct loading {
	struct scheduler *scheduler;
	int failed;
};

static void load_source(const char *name, uint64_t run, const char *branch, void *userdata)
{
	struct loading *loading = userdata;
	struct project *project = project_get(loading->scheduler, name);

	if (!project || run_set_text((const char **)&project->default_branch, branch) < 0)
		loading->failed = -ENOMEM;
	else
		project->schedules_run = run;
}

static void load_schedule(const struct store_schedule *row, void *userdata)
{
	struct loading *loading = userdata;
	struct project *project = project_get(loading->scheduler, row->project);
	struct schedule *schedule =
		schedule_new(row->cron, row->timezone, row->branch, row->last_usec);

	if (project && schedule) {
		schedule_append(&project->schedules, schedule);
		return;
	}
	(void)schedule_free(schedule);
	/* another version may have written it; the next run of the branch replaces it */
	log_warning("project %s: schedule \"%s\" cannot be read, ignoring", row->project,
		    row->cron);
}

int schedules_load(struct scheduler *scheduler)
{
	struct loading loading = {.scheduler = scheduler};
	int r;

	r = store_schedule_sources_each(scheduler->store, load_source, &loading);
	if (r == 0)
		r = store_schedules_each(scheduler->store, load_schedule, &loading);
	return r < 0 ? r : loading.failed;
}

/* ---- schedules of a runbook ---- */

/* Whether @run brings the project's schedules: the newest commit of the default branch. */
static bool tells(const struct run *run)
{
	const char *branch = run->project->default_branch;
	enum runbook_event event = run_event(run);

	if (run->row.retry_of || run->row.id < run->project->schedules_run)
		return false;
	if (run->row.source == RUN_SOURCE_WORKSPACE)
		return true;
	return run->row.source == RUN_SOURCE_FETCH && branch && *branch &&
	       strcmp(branch, run->row.ref) == 0 &&
	       (event == RUNBOOK_EVENT_PUSH || !run->row.asked[0]);
}

static struct schedule *learn_one(struct project *project, const struct runbook_schedule *text,
				  uint64_t now)
{
	const struct schedule *known =
		schedule_find(project->schedules, text->cron, text->timezone, text->branch);

	return schedule_new(text->cron, text->timezone, text->branch,
			    known ? known->last_usec : now);
}

static void learnt_write(struct project *project, uint64_t run)
{
	cleanup_free struct store_schedule *rows = NULL;
	size_t n = 0;

	for (const struct schedule *schedule = project->schedules; schedule;
	     schedule = schedule->next)
		n++;
	rows = calloc(n + 1, sizeof(*rows));
	if (!rows) {
		scheduler_give_up(project->scheduler, NULL);
		return;
	}
	n = 0;
	for (const struct schedule *schedule = project->schedules; schedule;
	     schedule = schedule->next)
		rows[n++] = (struct store_schedule){
			.cron = schedule->text,
			.timezone = schedule->timezone,
			.branch = schedule->branch,
			.last_usec = schedule->last_usec,
		};
	store_schedules_set(project->scheduler->store, project->name, run,
			    project->default_branch ? project->default_branch : "", rows, n);
	turn_schedule(project->scheduler);
}

void schedules_learn(struct run *run)
{
	struct project *project = run->project;
	struct schedule *learnt = NULL, *old = project->schedules;
	const struct runbook *runbook = run->runbook;
	uint64_t now = wall_usec();

	if (!tells(run))
		return;
	project->schedules_run = run->row.id;
	if (!old && (!runbook || runbook->n_schedules == 0))
		return;
	for (size_t i = 0; runbook && i < runbook->n_schedules; i++) {
		const struct runbook_schedule *text = &runbook->schedules[i];
		struct schedule *schedule;

		if (schedule_find(learnt, text->cron, text->timezone, text->branch))
			continue;
		schedule = learn_one(project, text, now);
		if (!schedule)
			continue; /* out of memory: the next run brings it again */
		if (schedule->problem)
			log_warning("project %s: schedule \"%s\" %s: %s", project->name, text->cron,
				    schedule->timezone, schedule->problem);
		schedule_append(&learnt, schedule);
	}
	project->schedules = learnt;
	while (old) {
		struct schedule *next = old->next;

		(void)schedule_free(old);
		old = next;
	}
	learnt_write(project, run->row.id);
	schedules_check(project->scheduler);
}

/* ---- due runs ---- */

static bool ref_format(const struct project *project, const struct schedule *schedule, char *out,
		       size_t size)
{
	const char *branch = *schedule->branch ? schedule->branch : project->default_branch;

	if (project->workspace) {
		out[0] = '\0';
		return true;
	}
	if (!branch || !*branch)
		return false;
	return snprintf(out, size, "%s%s", strncmp(branch, "refs/", 5) == 0 ? "" : "refs/heads/",
			branch) < (int)size;
}

/* No forge can send this delivery id: their ids have no blanks. */
static void delivery_format(const struct schedule *schedule, uint64_t at_usec, char *out,
			    size_t size)
{
	unsigned char digest[crypto_generichash_BYTES_MIN];
	char hex[sizeof(digest) * 2 + 1];
	crypto_generichash_state state;

	(void)crypto_generichash_init(&state, NULL, 0, sizeof(digest));
	for (size_t i = 0; i < 3; i++) {
		const char *part = i == 0   ? schedule->text
				   : i == 1 ? schedule->timezone
					    : schedule->branch;

		(void)crypto_generichash_update(&state, (const unsigned char *)part,
						strlen(part) + 1);
	}
	(void)crypto_generichash_final(&state, digest, sizeof(digest));
	(void)sodium_bin2hex(hex, sizeof(hex), digest, sizeof(digest));
	at_usec /= USEC_PER_SEC;
	(void)snprintf(out, size, "schedule %s %" PRIu64, hex, at_usec);
}

/* Return: 0 when that time is done, or -errno: try again. */
static int schedule_start(struct project *project, const struct schedule *schedule,
			  uint64_t at_usec)
{
	struct scheduler *scheduler = project->scheduler;
	char ref[REF_NAME_MAX + 32], delivery[DELIVERY_ID_MAX + 1];
	char actor[CRON_TEXT_MAX + CRON_TIMEZONE_MAX + 16];
	struct store_run row = {
		.event = "schedule",
		.ref = ref,
		.actor = actor,
		.source = project->workspace ? RUN_SOURCE_WORKSPACE : RUN_SOURCE_FETCH,
	};
	struct store_delivery done = {.project = project->name, .id = delivery};
	const struct run *made;
	int r;

	if (!ref_format(project, schedule, ref, sizeof(ref)))
		return 0;
	actor_format(actor, sizeof(actor), schedule->text, schedule->timezone);
	delivery_format(schedule, at_usec, delivery, sizeof(delivery));
	r = store_delivery_find(scheduler->store, project->name, delivery, &done.run);
	if (r != 0)
		return r < 0 ? r : 0;
	made = run_new(project, &row, -1);
	if (!made)
		return -ENOMEM;
	done.run = made->row.id;
	done.received_usec = wall_usec();
	store_delivery_add(scheduler->store, &done);
	log_info("project %s: run %" PRIu64 " by schedule \"%s\"", project->name, made->row.id,
		 schedule->text);
	return 0;
}

/*
 * The latest time that is due by @now; 0: the missed ones are too old. A binary search, because
 * after a day there are 1,440 times of "* * * * *", each of which takes 20 us in a time zone, for
 * each schedule.
 */
static uint64_t due_find(const struct schedule *schedule, uint64_t now)
{
	uint64_t from = schedule->last_usec, until = now / USEC_PER_SEC, due = 0;

	if (now > LATE_USEC && from < now - LATE_USEC)
		from = now - LATE_USEC;
	from /= USEC_PER_SEC;
	while (from < until) {
		uint64_t middle = from + (until - from) / 2;
		int64_t at = cron_next(&schedule->cron, schedule->timezone, (int64_t)middle);

		if (at > 0 && (uint64_t)at <= until)
			from = due = (uint64_t)at;
		else
			until = middle;
	}
	return due * USEC_PER_SEC;
}

static void schedule_check(struct project *project, struct schedule *schedule, uint64_t now)
{
	uint64_t due;

	if (schedule->last_usec > now + CLOCK_WAS_WRONG_USEC) {
		log_warning("project %s: schedule \"%s\" begins anew: the clock was wrong",
			    project->name, schedule->text);
		mark_done(project, schedule, now);
	}
	if (!schedule->next_usec || schedule->next_usec > now)
		return;
	due = due_find(schedule, now);
	if (due && project->configured && !project->paused &&
	    schedule_start(project, schedule, due) < 0)
		return;
	mark_done(project, schedule, due ? due : now);
}

static void schedule_timer_fired(struct loop_timer *timer)
{
	schedules_check(container_of(timer, struct scheduler, schedule_timer));
}

void schedules_check(struct scheduler *scheduler)
{
	struct project *project = NULL;
	uint64_t now = wall_usec(), wait = CHECK_USEC;
	size_t bucket = 0;
	bool any = false;

	/* the projects, and which of them are paused, are not known before */
	if (!scheduler->configured)
		return;
	while ((project = project_next(scheduler, &bucket, project))) {
		for (struct schedule *schedule = project->schedules; schedule;
		     schedule = schedule->next) {
			schedule_check(project, schedule, now);
			any = true;
			if (schedule->next_usec && schedule->next_usec < now + wait)
				wait = schedule->next_usec > now ? schedule->next_usec - now
								 : USEC_PER_SEC;
		}
	}
	if (!any)
		loop_timer_cancel(&scheduler->schedule_timer);
	else
		(void)loop_timer_set(scheduler->loop, &scheduler->schedule_timer, now_usec() + wait,
				     schedule_timer_fired);
}
