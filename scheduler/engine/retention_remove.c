/* SPDX-License-Identifier: Apache-2.0 */
/* Removals under way: first the files, by the processes that own them, then the rows. */

#include "common/cleanup.h"
#include "common/log.h"
#include "common/messages/artifacts.h"
#include "common/messages/config.h"
#include "common/messages/host.h"
#include "common/names.h"
#include "scheduler/engine/retention.h"
#include "scheduler/model/outbox.h"
#include "scheduler/store/store_retention.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_PER_TURN 500 /* takes a few milliseconds */
#define ATTEMPTS_MAX 5	  /* after so many, what cannot be removed stays, so that others go on */
#define AGAIN_USEC (2 * USEC_PER_SEC)

struct removal {
	struct removal *next, *previous;
	struct scheduler *scheduler;
	struct loop_timer again;
	uint64_t run;
	uint64_t bits; /* enum store_removing: what is left to remove */
	uint64_t at_usec;
	unsigned n_failed;
	char project[PROJECT_NAME_MAX + 1];
};

/* ---- the list of removals ---- */

static struct removal *removal_get(const struct scheduler *scheduler, uint64_t run)
{
	struct removal *removal = scheduler->retention.first;

	while (removal && removal->run != run)
		removal = removal->next;
	return removal;
}

bool removal_find(const struct scheduler *scheduler, uint64_t run)
{
	return removal_get(scheduler, run) != NULL;
}

static struct removal *removal_add(struct scheduler *scheduler, uint64_t run, const char *project,
				   uint64_t bits, uint64_t at_usec)
{
	struct retention *retention = &scheduler->retention;
	struct removal *removal = calloc(1, sizeof(*removal));

	if (!removal)
		return NULL;
	removal->scheduler = scheduler;
	removal->again = LOOP_TIMER_NULL;
	removal->run = run;
	removal->bits = bits;
	removal->at_usec = at_usec;
	(void)snprintf(removal->project, sizeof(removal->project), "%s", project);
	removal->previous = retention->last;
	if (retention->last)
		retention->last->next = removal;
	else
		retention->first = removal;
	retention->last = removal;
	retention->n_removals++;
	return removal;
}

static void removal_free(struct removal *removal)
{
	struct retention *retention = &removal->scheduler->retention;

	loop_timer_cancel(&removal->again);
	if (removal->previous)
		removal->previous->next = removal->next;
	else
		retention->first = removal->next;
	if (removal->next)
		removal->next->previous = removal->previous;
	else
		retention->last = removal->previous;
	retention->n_removals--;
	free(removal);
}

void removals_clear(struct scheduler *scheduler)
{
	loop_timer_cancel(&scheduler->retention.delete_timer);
	while (scheduler->retention.first)
		removal_free(scheduler->retention.first);
}

/* ---- requests to the owners of files ---- */

static void ask_daemon(struct removal *removal)
{
	outbox_put(&executor_home(removal->scheduler)->peer,
		   MESSAGE_NEW(log_remove, removal->run, .project = removal->project,
			       .run = removal->run));
}

static void ask_cacher(struct scheduler *scheduler, const char *project, uint64_t run)
{
	outbox_put(&scheduler->cacher,
		   MESSAGE_NEW(artifacts_remove, run, .project = project, .run = run));
}

static void removal_ask(struct removal *removal)
{
	if (removal->bits & STORE_REMOVING_LOGS)
		ask_daemon(removal);
	if (removal->bits & STORE_REMOVING_ARTIFACTS)
		ask_cacher(removal->scheduler, removal->project, removal->run);
}

/* ---- deleting rows ---- */

static void delete_turn(struct loop_timer *timer);

static void delete_later(struct scheduler *scheduler)
{
	if (!scheduler->retention.delete_timer.loop)
		(void)loop_timer_set(scheduler->loop, &scheduler->retention.delete_timer,
				     now_usec() + USEC_PER_MSEC, delete_turn);
}

static void resume_some(struct scheduler *scheduler);

/* Delete as many rows of runs without files as one turn may cost. */
static void delete_turn(struct loop_timer *timer)
{
	struct scheduler *scheduler = container_of(timer, struct scheduler, retention.delete_timer);
	struct removal *removal = scheduler->retention.first, *next;
	unsigned rows = ROWS_PER_TURN;

	for (; removal && rows; removal = next) {
		next = removal->next;
		if (removal->bits != STORE_REMOVING_RUN)
			continue;
		/* a failed write ends the turn and the process */
		if (store_run_delete(scheduler->store, removal->run, &rows, removal->at_usec) != 0)
			removal_free(removal);
	}
	turn_schedule(scheduler);
	if (removal)
		delete_later(scheduler);
	if (scheduler->retention.resuming)
		resume_some(scheduler);
	retention_continue(scheduler);
}

/* A part of the run is gone: continue with what is left. */
static void removal_go_on(struct removal *removal)
{
	struct scheduler *scheduler = removal->scheduler;

	turn_schedule(scheduler);
	if (removal->bits & (STORE_REMOVING_LOGS | STORE_REMOVING_ARTIFACTS))
		return;
	if (removal->bits & STORE_REMOVING_RUN) {
		delete_later(scheduler);
		return;
	}
	store_run_set_removing(scheduler->store, removal->run, 0);
	removal_free(removal);
	if (scheduler->retention.resuming)
		resume_some(scheduler);
	retention_continue(scheduler);
}

static void removal_again(struct loop_timer *timer)
{
	struct removal *removal = container_of(timer, struct removal, again);

	removal_ask(removal);
}

/* @bit of @run is removed, or could not be removed: then try again, at most ATTEMPTS_MAX times. */
static void removal_answered(struct scheduler *scheduler, uint64_t run, uint64_t bit,
			     const char *error)
{
	struct removal *removal = removal_get(scheduler, run);

	if (!removal || !(removal->bits & bit))
		return; /* the request was sent twice */
	if (error[0] && ++removal->n_failed < ATTEMPTS_MAX) {
		(void)loop_timer_set(scheduler->loop, &removal->again, now_usec() + AGAIN_USEC,
				     removal_again);
		return;
	}
	if (error[0])
		log_warning("%s of run %" PRIu64 " (project %s) cannot be removed and stay: %s",
			    bit == STORE_REMOVING_LOGS ? "the logs" : "the artifacts", run,
			    removal->project, error);
	removal->bits &= ~bit;
	if (bit == STORE_REMOVING_ARTIFACTS && !(removal->bits & STORE_REMOVING_RUN))
		store_run_set_artifact_bytes(scheduler->store, run, 0);
	removal_go_on(removal);
}

/* ---- starting a removal ---- */

int removal_start(struct scheduler *scheduler, const struct store_kept *run, uint64_t bits,
		  const char *sentence)
{
	uint64_t at_usec = wall_usec();
	struct removal *removal = removal_add(scheduler, run->id, run->project, bits, at_usec);
	char reason[REASON_MAX + 1];
	struct store_event event = {
		.run = run->id,
		.from = run_state_name(run->state),
		.to = "removed",
		.reason = reason,
		.at_usec = at_usec,
	};

	if (!removal)
		return -ENOMEM;
	store_run_mark(scheduler->store, run->id, bits, at_usec);
	if (bits & STORE_REMOVING_RUN) {
		(void)snprintf(reason, sizeof(reason), "removed by retention: %.400s", sentence);
		event_push(scheduler, &event);
		scheduler->run_counts[run->state]--;
	}
	log_debug("%s run %" PRIu64 ": %s: %s", run->project, run->id,
		  bits & STORE_REMOVING_RUN ? "it is removed" : "logs or artifacts are removed",
		  sentence);
	turn_schedule(scheduler);
	removal_ask(removal);
	return 0;
}

struct resuming {
	struct scheduler *scheduler;
	size_t n;
};

static void resume_row(const struct store_kept *row, void *userdata)
{
	struct resuming *resuming = userdata;
	struct scheduler *scheduler = resuming->scheduler;
	struct removal *removal;

	resuming->n++;
	scheduler->retention.resumed = row->id;
	if (removal_find(scheduler, row->id))
		return;
	removal = removal_add(scheduler, row->id, row->project, row->removing, wall_usec());
	if (!removal)
		return; /* out of memory: resumed at the next start */
	removal_ask(removal);
	if (removal->bits == STORE_REMOVING_RUN)
		delete_later(scheduler);
}

static void resume_some(struct scheduler *scheduler)
{
	struct retention *retention = &scheduler->retention;
	struct resuming resuming = {.scheduler = scheduler};
	size_t room =
		retention->n_removals < REMOVALS_MAX ? REMOVALS_MAX - retention->n_removals : 0;

	if (!room)
		return;
	if (store_removing_each(scheduler->store, retention->resumed, room, resume_row, &resuming) <
		    0 ||
	    resuming.n < room)
		retention->resuming = false;
}

void removals_resume(struct scheduler *scheduler)
{
	scheduler->retention.resuming = true;
	resume_some(scheduler);
}

void removals_reask(struct scheduler *scheduler)
{
	scheduler->retention.n_measuring = 0;
	for (struct removal *removal = scheduler->retention.first; removal;
	     removal = removal->next) {
		if (removal->bits & STORE_REMOVING_ARTIFACTS)
			ask_cacher(scheduler, removal->project, removal->run);
	}
}

/* ---- messages ---- */

static struct scheduler *channel_scheduler(const struct channel *channel)
{
	return ((struct peer *)channel->userdata)->scheduler;
}

int retention_handle_log_removed(struct channel *channel, struct message *message)
{
	struct message_log_removed removed;
	int r = MESSAGE_GET(message, log_removed, &removed);

	if (r < 0)
		return r;
	removal_answered(channel_scheduler(channel), removed.run, STORE_REMOVING_LOGS,
			 removed.error);
	return 0;
}

int retention_handle_artifacts_removed(struct channel *channel, struct message *message)
{
	struct message_artifacts_removed removed;
	int r = MESSAGE_GET(message, artifacts_removed, &removed);

	if (r < 0)
		return r;
	removal_answered(channel_scheduler(channel), removed.run, STORE_REMOVING_ARTIFACTS,
			 removed.error);
	return 0;
}

static void ignore_run(const struct store_run *run, void *userdata)
{
	(void)run;
	(void)userdata;
}

/* An artifact was stored while its run was being removed: no run leads to it. Remove it. */
static void artifacts_of_none(struct scheduler *scheduler, const char *project, uint64_t run)
{
	log_info("%s run %" PRIu64
		 ": removing artifacts that were stored after the run was removed",
		 project, run);
	ask_cacher(scheduler, project, run);
}

int retention_handle_artifacts_measured(struct channel *channel, struct message *message)
{
	struct scheduler *scheduler = channel_scheduler(channel);
	bool asked = message->serial != 0;
	struct message_artifacts_measured measured;
	int r = MESSAGE_GET(message, artifacts_measured, &measured);
	uint64_t run;

	if (r < 0)
		return r;
	run = measured.run;
	if (asked && scheduler->retention.n_measuring)
		scheduler->retention.n_measuring--;
	/* a run that was opened again meanwhile is measured when it ends */
	if (run == 0 || run > INT64_MAX || map_get(&scheduler->runs, run))
		return 0;
	turn_schedule(scheduler);
	if (!asked && store_run_get(scheduler->store, run, ignore_run, NULL) == 0) {
		if (project_name_valid(measured.project))
			artifacts_of_none(scheduler, measured.project, run);
		return 0;
	}
	if (measured.bytes <= INT64_MAX)
		store_run_set_artifact_bytes(scheduler->store, run, measured.bytes);
	else if (!asked)
		store_run_set_artifact_bytes(scheduler->store, run, STORE_BYTES_UNKNOWN);
	if (!asked)
		retention_run_ended(scheduler);
	return 0;
}

int retention_handle_short(struct channel *channel, struct message *message)
{
	struct message_host_short missing;
	int r = MESSAGE_GET(message, host_short, &missing);

	if (r < 0)
		return r;
	retention_short(channel_scheduler(channel), (struct retention_short){.logs = missing.logs,
									     .state = missing.state,
									     .one = missing.one});
	return 0;
}

int retention_handle_config(struct channel *channel, struct message *message)
{
	struct scheduler *scheduler = channel_scheduler(channel);
	struct staged_project *staged = scheduler->staged;
	struct message_config_retention said;
	struct retention_policy policy;
	int r = MESSAGE_GET(message, config_retention, &said);
	const char *name = said.project;

	if (r < 0)
		return r;
	while (name[0] && staged && strcmp(staged->name, name) != 0)
		staged = staged->next;
	if (!scheduler->staging || (name[0] && !staged) || said.n_kinds != RETENTION_NUM)
		return -EPROTO;
	for (unsigned i = 0; i < RETENTION_NUM; i++)
		policy.kinds[i] = (struct retention_limit){
			.age_sec = said.kinds[i].age_sec,
			.count = said.kinds[i].count,
			.bytes = said.kinds[i].bytes,
		};
	if (name[0])
		staged->retention = policy;
	else
		scheduler->staged_config.retention = policy;
	return 0;
}
