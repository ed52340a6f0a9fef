/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/model/state.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/message_ids.h"
#include "scheduler/model/image_wait.h"
#include "scheduler/model/outbox.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

/* ": reason" or nothing, for the end of a log line */
#define REASON_TAIL(reason) (reason)[0] ? ": " : "", (reason)

void run_changed(struct run *run)
{
	if (!list_linked(&run->changed_node))
		list_append(&run->scheduler->changed, &run->changed_node);
	turn_schedule(run->scheduler);
}

void run_next(struct run *run, enum run_due due)
{
	run->due = due;
	run_changed(run);
}

void state_run_set(struct run *run, enum run_state to, const char *reason)
{
	enum run_state from = run->row.state;
	char id[24];
	const struct log_field fields[] = {
		{"MESSAGE_ID", run_state_final(to)	 ? MESSAGE_ID_RUN_ENDED
			       : to == RUN_STATE_RUNNING ? MESSAGE_ID_RUN_STARTED
							 : NULL},
		{"RUNBOOK_PROJECT", run->row.project},
		{"RUNBOOK_RUN", id},
		{"RUNBOOK_STATE", run_state_name(to)},
	};
	struct store_event event = {
		.run = run->row.id,
		.from = run_state_name(from),
		.to = run_state_name(to),
		.reason = reason,
		.at_usec = wall_usec(),
	};

	assert(run_state_allowed(from, to));
	(void)snprintf(id, sizeof(id), "%" PRIu64, run->row.id);
	log_fields(LOG_LEVEL_INFO, fields, ARRAY_SIZE(fields), "%s run %s: %s -> %s%s%s",
		   run->row.project, id, event.from, event.to, REASON_TAIL(reason));
	run->scheduler->run_counts[from]--;
	run->scheduler->run_counts[to]++;
	run->row.state = to;
	if (to == RUN_STATE_RUNNING && run->row.started_usec == 0)
		run->row.started_usec = event.at_usec;
	run->row.ended_usec = run_state_final(to) ? event.at_usec : 0;
	if (run_state_final(from)) { /* the run is not cut short any more */
		run->row.stop = RUN_STOP_NONE;
		run->row.stop_by = 0;
		store_run_set_limits(run->scheduler->store, &run->row);
	}
	run->row.reason = reason;
	store_run_set_state(run->scheduler->store, &run->row);
	run->row.reason = NULL;
	event_push(run->scheduler, &event);
	run_changed(run);
}

void step_changed(struct step *step)
{
	if (!list_linked(&step->changed_node))
		list_append(&step->run->changed_steps, &step->changed_node);
	run_changed(step->run);
}

/* Leave what belongs to the old state, and set what belongs to the new one. */
static void step_account(struct step *step, enum step_state from, enum step_state to)
{
	if (from == STEP_STATE_READY) {
		queue_remove(&step->item);
		images_stop(step);
	}
	if (from == STEP_STATE_RUNNING) {
		map_remove(&step->run->scheduler->orders, step->order);
		queue_finished(&step->item);
		images_stop(step);
	}
	if (to == STEP_STATE_READY)
		step->ready_usec = wall_usec();
	step->to_release = to == STEP_STATE_READY;
	step->run->n_final += step_state_final(to);
	step->run->n_final -= step_state_final(from);
}

void state_step_set(struct step *step, enum step_state to, const char *reason)
{
	const struct run *run = step->run;
	const struct runbook_step *text = &run->runbook->steps[step->index];
	enum step_state from = step->state;
	char id[24], attempt[24];
	const struct log_field fields[] = {
		{"MESSAGE_ID", to == STEP_STATE_SKIPPED ? MESSAGE_ID_STEP_SKIPPED : NULL},
		{"RUNBOOK_PROJECT", run->row.project},
		{"RUNBOOK_RUN", id},
		{"RUNBOOK_STEP", text->slug},
		{"RUNBOOK_ATTEMPT", attempt},
		{"RUNBOOK_STATE", step_state_name(to)},
	};
	struct store_event event = {
		.run = run->row.id,
		.step = text->slug,
		.attempt = step->attempt,
		.from = step_state_name(from),
		.to = step_state_name(to),
		.reason = reason,
		.at_usec = wall_usec(),
	};
	struct store_step row = {
		.run = run->row.id,
		.index = step->index,
		.state = to,
		.reason = reason,
		.attempt = step->attempt,
		.budget = step->budget,
	};

	assert(step_state_allowed(from, to));
	(void)snprintf(id, sizeof(id), "%" PRIu64, run->row.id);
	(void)snprintf(attempt, sizeof(attempt), "%" PRIu64, step->attempt);
	log_fields(to == STEP_STATE_READY ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, fields,
		   ARRAY_SIZE(fields), "%s run %s step %s: %s -> %s%s%s", run->row.project, id,
		   text->slug, event.from, event.to, REASON_TAIL(reason));
	step_account(step, from, to);
	step->state = to;
	row.ready_usec = step->ready_usec;
	store_step_set(run->scheduler->store, &row);
	event_push(run->scheduler, &event);
	step_changed(step);
}

void state_step_ready_again(struct step *step)
{
	struct store_step row = {
		.run = step->run->row.id,
		.index = step->index,
		.state = STEP_STATE_READY,
		.attempt = step->attempt,
		.budget = step->budget,
	};

	assert(step->state == STEP_STATE_READY);
	step->ready_usec = row.ready_usec = wall_usec();
	store_step_set(step->run->scheduler->store, &row);
	step->to_release = true;
	step_changed(step);
}
