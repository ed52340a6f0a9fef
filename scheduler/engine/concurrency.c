/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/engine/concurrency.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "scheduler/engine/run.h"
#include "scheduler/engine/run_timers.h"
#include "scheduler/engine/source_retry.h"
#include "scheduler/model/give_up.h"
#include "scheduler/model/outbox.h"
#include "scheduler/model/project.h"
#include "scheduler/model/run_row.h"
#include "scheduler/model/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct concurrency_group {
	struct list_node node; /* of project->groups */
	struct project *project;
	char *name;
	bool of_forks;
	struct list
		runs; /* by number; a final run leaves when the consequences of its end are drawn */
};

/* ---- names ---- */

/* The value of the placeholder whose name begins at @name. Return: NULL when it is unknown. */
static const char *placeholder_value(const struct run *run, const char *name, size_t length)
{
	const struct {
		const char *name;
		const char *value;
	} values[] = {
		{"ref", run->row.ref},
		{"branch", ref_branch(run->row.ref)},
		{"event", runbook_event_name(run_event(run))},
	};

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		if (strlen(values[i].name) == length && memcmp(values[i].name, name, length) == 0)
			return values[i].value;
	}
	return NULL;
}

/* The placeholder at @text. Return: its length in bytes, 0: there is none. */
static size_t placeholder_read(const struct run *run, const char *text, const char **ret_value)
{
	const char *name, *end;

	if (strncmp(text, "{{", 2) != 0)
		return 0;
	name = text + 2 + strspn(text + 2, " \t");
	end = name + strcspn(name, " \t}");
	*ret_value = placeholder_value(run, name, (size_t)(end - name));
	end += strspn(end, " \t");
	return *ret_value && strncmp(end, "}}", 2) == 0 ? (size_t)(end + 2 - text) : 0;
}

/*
 * The name of @run's group by its runbook, with {{ ref }}, {{ branch }} and {{ event }} filled in.
 * The branch of a pull request is its own ref without "refs/". Return: malloc'ed, NULL without
 * memory.
 */
static char *concurrency_name(const struct run *run)
{
	char *name = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&name, &size);

	if (!stream)
		return NULL;
	for (const char *text = run->runbook->concurrency_group; *text;) {
		const char *value = NULL;
		size_t length = placeholder_read(run, text, &value);

		if (length)
			(void)fputs(value, stream);
		else
			(void)fputc(*text, stream);
		text += length ? length : 1;
	}
	if (fclose(stream) != 0) {
		free(name);
		return NULL;
	}
	return name;
}

/* ---- membership ---- */

/* Find or make the group of @run. Return: NULL without memory. */
static struct concurrency_group *group_get(struct run *run)
{
	struct project *project = run->project;
	cleanup_free char *name = concurrency_name(run);
	struct concurrency_group *group;

	if (!name)
		return NULL;
	list_each (group, &project->groups, node) {
		if (group->of_forks == run->row.from_fork && strcmp(group->name, name) == 0)
			return group;
	}
	group = calloc(1, sizeof(*group));
	if (!group)
		return NULL;
	group->project = project;
	group->of_forks = run->row.from_fork;
	group->name = TAKE_PTR(name);
	list_prepend(&project->groups, &group->node);
	return group;
}

static void group_free_if_empty(struct concurrency_group *group)
{
	if (!list_empty(&group->runs))
		return;
	list_remove(&group->node);
	free(group->name);
	free(group);
}

static struct run *member_before(const struct run *run)
{
	return list_entry(run->group_node.previous, struct run, group_node);
}

/* Sorted by number. A new run has the highest, so the search starts at the end. */
static void member_insert(struct concurrency_group *group, struct run *run)
{
	struct run *before = list_entry(group->runs.last, struct run, group_node);

	while (before && before->row.id > run->row.id)
		before = member_before(before);
	run->group = group;
	list_insert(&group->runs, &run->group_node,
		    before ? before->group_node.next : group->runs.first);
}

static struct concurrency_group *member_remove(struct run *run)
{
	struct concurrency_group *group = run->group;

	list_remove(&run->group_node);
	run->group = NULL;
	return group;
}

/* Return: whether @run is in a group now. */
static bool join(struct run *run)
{
	struct concurrency_group *group;

	if (!run->runbook || !run->runbook->concurrency_group || run->group)
		return false;
	group = group_get(run);
	if (!group) {
		scheduler_give_up(run->scheduler, NULL);
		return false;
	}
	member_insert(group, run);
	return true;
}

/* ---- releasing and superseding ---- */

static void held_set(struct run *run, bool held)
{
	if (run->row.held == held)
		return;
	run->row.held = held;
	store_run_set_limits(run->scheduler->store, &run->row);
	turn_schedule(run->scheduler);
}

static void let_go(struct run *run)
{
	held_set(run, false);
	log_info("%s run %" PRIu64 ": its turn in concurrency group \"%s\"", run->row.project,
		 run->row.id, run->group->name);
	if (run->row.state == RUN_STATE_RUNNING) /* retried: its time begins when it is released */
		run_timers_started(run);
	for (size_t i = 0; i < run->n_steps; i++) {
		if (run->steps[i].state == STEP_STATE_READY)
			state_step_ready_again(&run->steps[i]);
	}
}

static void group_update(struct concurrency_group *group)
{
	uint64_t n_running = 0, oldest = 0;
	struct run *run;

	list_each (run, &group->runs, group_node)
		n_running += !run->row.held && !run_state_final(run->row.state);
	list_each (run, &group->runs, group_node) {
		if (!run->row.held || run_state_final(run->row.state))
			continue;
		/* older runs of its branch that wait for their trees go first */
		if (n_running + source_retry_before(run, &oldest) >=
		    run->runbook->concurrency_limit)
			break; /* in order: a younger run never overtakes the oldest held one */
		let_go(run);
		n_running++;
	}
}

/* Return: whether @run itself was superseded. */
static bool supersede(struct run *run)
{
	struct run *newer = list_entry(run->group->runs.last, struct run, group_node), *previous;

	for (; newer != run; newer = member_before(newer)) {
		if (!newer->runbook->cancel_superseded || run_state_final(newer->row.state))
			continue;
		(void)run_stop(run, RUN_STOP_SUPERSEDED, newer->row.id);
		return true;
	}
	if (!run->runbook->cancel_superseded)
		return false;
	/* backwards, so that none of them is released when one before it ends */
	for (struct run *older = member_before(run); older; older = previous) {
		previous = member_before(older);
		(void)run_stop(older, RUN_STOP_SUPERSEDED, run->row.id);
	}
	return false;
}

void concurrency_enter(struct run *run)
{
	if (run->runbook->concurrency_group && run->runbook->cancel_superseded)
		source_retry_supersede(run);
	if (!join(run))
		return;
	held_set(run, true);
	if (supersede(run) || !run->group)
		return;
	group_update(run->group);
}

void concurrency_enter_again(struct run *run)
{
	if (!join(run))
		return;
	held_set(run, true);
	group_update(run->group);
}

void concurrency_restore(struct run *run)
{
	if (!join(run))
		run->row.held = false;
}

void concurrency_settle_project(struct project *project)
{
	struct concurrency_group *group, *next;

	/* its last run may end here, which frees the group */
	list_each_safe (group, next, &project->groups, node)
		group_update(group);
}

void concurrency_settle(struct scheduler *scheduler)
{
	struct project *project = NULL;
	size_t bucket = 0;

	while ((project = project_next(scheduler, &bucket, project)))
		concurrency_settle_project(project);
}

void concurrency_leave(struct run *run)
{
	struct concurrency_group *group;

	if (!run->group)
		return;
	group = member_remove(run);
	held_set(run, false);
	group_update(group);
	group_free_if_empty(group);
}

void concurrency_forget(struct run *run)
{
	if (run->group)
		group_free_if_empty(member_remove(run));
}

void concurrency_reason(const struct run *run, char *out, size_t size)
{
	const struct run *oldest = NULL, *other;
	uint64_t n = 0, n_delayed, delayed = 0;

	out[0] = '\0';
	if (!run->row.held || !run->group)
		return;
	list_each (other, &run->group->runs, group_node) {
		/* before it are those that run, whatever their numbers, and older ones */
		if (other == run || (other->row.held && other->row.id > run->row.id))
			continue;
		if (n++ == 0)
			oldest = other;
	}
	n_delayed = source_retry_before(run, &delayed);
	if (n_delayed && n + n_delayed == 1)
		(void)snprintf(out, size,
			       "concurrency group \"%.200s\": run %" PRIu64
			       " of this branch, which is not fetched yet, is before it",
			       run->group->name, delayed);
	else if (n_delayed)
		(void)snprintf(out, size,
			       "concurrency group \"%.200s\": run %" PRIu64
			       " of this branch, which is not fetched yet, and %" PRIu64
			       " more are before it",
			       run->group->name, delayed, n + n_delayed - 1);
	else if (n == 1)
		(void)snprintf(out, size,
			       "concurrency group \"%.200s\": run %" PRIu64 " is before it",
			       run->group->name, oldest->row.id);
	else if (n > 1)
		(void)snprintf(out, size,
			       "concurrency group \"%.200s\": run %" PRIu64 " and %" PRIu64
			       " more are before it",
			       run->group->name, oldest->row.id, n - 1);
}

uint64_t concurrency_held_each(struct scheduler *scheduler, uint64_t max,
			       void (*each)(const struct step *step, void *userdata),
			       void *userdata)
{
	const struct concurrency_group *group;
	struct project *project = NULL;
	const struct run *run;
	size_t bucket = 0;
	uint64_t n = 0;

	while ((project = project_next(scheduler, &bucket, project))) {
		list_each (group, &project->groups, node) {
			list_each (run, &group->runs, group_node) {
				for (size_t i = 0; run->row.held && i < run->n_steps; i++) {
					if (run->steps[i].state != STEP_STATE_READY)
						continue;
					if (n++ < max)
						each(&run->steps[i], userdata);
				}
			}
		}
	}
	return n;
}
