/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/store/states.h"

#include "common/cleanup.h"

#include <assert.h>
#include <string.h>

static const char *const run_names[] = {
	[RUN_STATE_PENDING] = "pending",     [RUN_STATE_RUNNING] = "running",
	[RUN_STATE_SUCCEEDED] = "succeeded", [RUN_STATE_FAILED] = "failed",
	[RUN_STATE_ERRORED] = "errored",     [RUN_STATE_CANCELLED] = "cancelled",
};
static_assert(ARRAY_SIZE(run_names) == RUN_STATE_NUM, "a run state without a name");

static const char *const step_names[] = {
	[STEP_STATE_PENDING] = "pending",     [STEP_STATE_READY] = "ready",
	[STEP_STATE_RUNNING] = "running",     [STEP_STATE_SKIPPED] = "skipped",
	[STEP_STATE_SUCCEEDED] = "succeeded", [STEP_STATE_FAILED] = "failed",
	[STEP_STATE_ERRORED] = "errored",     [STEP_STATE_CANCELLED] = "cancelled",
};
static_assert(ARRAY_SIZE(step_names) == STEP_STATE_NUM, "a step state without a name");

#define TO(state) (1u << (state))

static const unsigned run_allowed[] = {
	/* succeeded: no step of it is to run */
	[RUN_STATE_PENDING] = TO(RUN_STATE_RUNNING) | TO(RUN_STATE_SUCCEEDED) |
			      TO(RUN_STATE_FAILED) | TO(RUN_STATE_ERRORED) |
			      TO(RUN_STATE_CANCELLED),
	[RUN_STATE_RUNNING] = TO(RUN_STATE_SUCCEEDED) | TO(RUN_STATE_FAILED) |
			      TO(RUN_STATE_ERRORED) | TO(RUN_STATE_CANCELLED),
	/* a retried step opens its run again; a run that never had steps is fetched again */
	[RUN_STATE_SUCCEEDED] = TO(RUN_STATE_RUNNING),
	[RUN_STATE_FAILED] = TO(RUN_STATE_RUNNING) | TO(RUN_STATE_PENDING),
	[RUN_STATE_ERRORED] = TO(RUN_STATE_RUNNING) | TO(RUN_STATE_PENDING),
	[RUN_STATE_CANCELLED] = TO(RUN_STATE_RUNNING) | TO(RUN_STATE_PENDING),
};
static_assert(ARRAY_SIZE(run_allowed) == RUN_STATE_NUM, "a run state without its transitions");

static const unsigned step_allowed[] = {
	[STEP_STATE_PENDING] =
		TO(STEP_STATE_READY) | TO(STEP_STATE_SKIPPED) | TO(STEP_STATE_CANCELLED),
	/* errored: its image cannot be had */
	[STEP_STATE_READY] =
		TO(STEP_STATE_RUNNING) | TO(STEP_STATE_ERRORED) | TO(STEP_STATE_CANCELLED),
	[STEP_STATE_RUNNING] = TO(STEP_STATE_SUCCEEDED) | TO(STEP_STATE_FAILED) |
			       TO(STEP_STATE_ERRORED) | TO(STEP_STATE_CANCELLED),
	[STEP_STATE_SKIPPED] = TO(STEP_STATE_PENDING),
	[STEP_STATE_SUCCEEDED] = TO(STEP_STATE_PENDING),
	[STEP_STATE_FAILED] = TO(STEP_STATE_PENDING),
	[STEP_STATE_ERRORED] = TO(STEP_STATE_PENDING),
	[STEP_STATE_CANCELLED] = TO(STEP_STATE_PENDING),
};
static_assert(ARRAY_SIZE(step_allowed) == STEP_STATE_NUM, "a step state without its transitions");

static unsigned name_find(const char *const *names, unsigned n, const char *name)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		if (strcmp(names[i], name) == 0)
			break;
	}
	return i;
}

const char *run_state_name(enum run_state state)
{
	return state < RUN_STATE_NUM ? run_names[state] : "invalid";
}

const char *step_state_name(enum step_state state)
{
	return state < STEP_STATE_NUM ? step_names[state] : "invalid";
}

enum run_state run_state_parse(const char *name)
{
	return (enum run_state)name_find(run_names, RUN_STATE_NUM, name);
}

enum step_state step_state_parse(const char *name)
{
	return (enum step_state)name_find(step_names, STEP_STATE_NUM, name);
}

bool run_state_final(enum run_state state)
{
	return state >= RUN_STATE_SUCCEEDED && state < RUN_STATE_NUM;
}

bool step_state_final(enum step_state state)
{
	return state >= STEP_STATE_SKIPPED && state < STEP_STATE_NUM;
}

bool run_state_allowed(enum run_state from, enum run_state to)
{
	return from < RUN_STATE_NUM && to < RUN_STATE_NUM && (run_allowed[from] & TO(to));
}

bool step_state_allowed(enum step_state from, enum step_state to)
{
	return from < STEP_STATE_NUM && to < STEP_STATE_NUM && (step_allowed[from] & TO(to));
}

static const char *const source_names[] = {
	[RUN_SOURCE_FETCH] = "fetch",
	[RUN_SOURCE_WORKSPACE] = "workspace",
	[RUN_SOURCE_UPLOAD] = "upload",
};
static_assert(ARRAY_SIZE(source_names) == RUN_SOURCE_NUM, "a source without a name");

const char *run_source_name(enum run_source source)
{
	return source < RUN_SOURCE_NUM ? source_names[source] : "invalid";
}

enum run_source run_source_parse(const char *name)
{
	unsigned i;

	for (i = 0; i < RUN_SOURCE_NUM; i++) {
		if (strcmp(source_names[i], name) == 0)
			break;
	}
	return (enum run_source)i;
}
