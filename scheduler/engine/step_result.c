/* SPDX-License-Identifier: Apache-2.0 */
/* The result of an attempt: the state of its step and the reason that people read. */
#include "scheduler/engine/step_result.h"

#include "common/cleanup.h"
#include "scheduler/engine/run.h"
#include "scheduler/engine/secrets.h"
#include "scheduler/engine/step_retry.h"
#include "scheduler/engine/step_when.h"
#include "scheduler/model/state.h"
#include "scheduler/model/steps.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void format_memory(char *out, size_t size, uint64_t bytes)
{
	static const struct {
		uint64_t bytes;
		const char *unit;
	} units[] = {{GIB, "G"}, {MIB, "M"}, {KIB, "K"}};

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (bytes >= units[i].bytes && bytes % units[i].bytes == 0) {
			(void)snprintf(out, size, "%" PRIu64 "%s", bytes / units[i].bytes,
				       units[i].unit);
			return;
		}
	}
	(void)snprintf(out, size, "%" PRIu64, bytes);
}

static void reason_exited(const struct step *step, const struct step_end *end, char *out,
			  size_t size)
{
	if (end->exit_code)
		(void)snprintf(out, size, "exit code %" PRIu64, end->exit_code);
}

static void reason_signaled(const struct step *step, const struct step_end *end, char *out,
			    size_t size)
{
	const char *name = end->signal < 256 ? sigabbrev_np((int)end->signal) : NULL;

	(void)snprintf(out, size, "killed by signal %" PRIu64 "%s%s%s", end->signal,
		       name ? " (" : "", name ? name : "", name ? ")" : "");
}

static void reason_timeout(const struct step *step, const struct step_end *end, char *out,
			   size_t size)
{
	uint64_t sec = step_timeout_sec(step);

	if (sec % 3600 == 0)
		(void)snprintf(out, size, "timeout after %" PRIu64 "h", sec / 3600);
	else if (sec % 60 == 0)
		(void)snprintf(out, size, "timeout after %" PRIu64 "m", sec / 60);
	else
		(void)snprintf(out, size, "timeout after %" PRIu64 "s", sec);
}

static void reason_cancelled(const struct step *step, const struct step_end *end, char *out,
			     size_t size)
{
	run_stop_reason(step->run, out, size);
}

static void reason_memory(const struct step *step, const struct step_end *end, char *out,
			  size_t size)
{
	uint64_t memory = step_text(step)->resources.memory;
	char text[32];

	format_memory(text, sizeof(text), memory);
	(void)snprintf(out, size, "out of memory%s%s", memory ? ": limit " : "",
		       memory ? text : "");
}

static void reason_sandbox(const struct step *step, const struct step_end *end, char *out,
			   size_t size)
{
	(void)snprintf(out, size, "cannot build the sandbox");
}

static const struct result_rule {
	enum step_state state; /* EXITED with code 0 becomes succeeded */
	void (*reason)(const struct step *step, const struct step_end *end, char *out, size_t size);
} result_rules[] = {
	[STEP_RESULT_EXITED] = {STEP_STATE_FAILED, reason_exited},
	[STEP_RESULT_SIGNALED] = {STEP_STATE_FAILED, reason_signaled},
	[STEP_RESULT_TIMEOUT] = {STEP_STATE_FAILED, reason_timeout},
	[STEP_RESULT_CANCELLED] = {STEP_STATE_CANCELLED, reason_cancelled},
	[STEP_RESULT_MEMORY] = {STEP_STATE_FAILED, reason_memory},
	[STEP_RESULT_SANDBOX] = {STEP_STATE_ERRORED, reason_sandbox},
};
static_assert(ARRAY_SIZE(result_rules) == STEP_RESULT_NUM, "a step result without its rule");

static void attempt_end(struct step *step, const struct store_attempt *attempt)
{
	store_attempt_ended(step->run->scheduler->store, attempt);
	free(step->instance);
	step->instance = NULL;
	state_step_set(step, attempt->state, attempt->reason);
}

static void step_end_with(struct step *step, const struct store_attempt *attempt)
{
	attempt_end(step, attempt);
	(void)step_attempt_again(step);
}

/* Whether @step may wait again: it was not cancelled, and is interruptible or never ran. */
static bool interruptible(const struct step *step, bool ran)
{
	return (step_text(step)->interruptible || !ran) && !step->cancelling &&
	       !step->run->row.cancelling;
}

void step_exited(struct step *step, const struct step_end *end)
{
	const struct result_rule *rule = &result_rules[end->result];
	char reason[REASON_MAX + 1] = "";
	struct store_attempt attempt = {
		.order = step->order,
		.state = rule->state,
		.reason = reason,
		.exit_code = -1,
		.started_usec = end->started_usec,
		.ended_usec = end->ended_usec ? end->ended_usec : wall_usec(),
		.log_bytes = end->log_bytes,
		.usage = end->usage,
	};

	if (end->result == STEP_RESULT_EXITED) {
		attempt.exit_code = (int64_t)end->exit_code;
		if (end->exit_code == 0)
			attempt.state = STEP_STATE_SUCCEEDED;
	}
	if (end->result == STEP_RESULT_SIGNALED)
		attempt.signal = end->signal;
	/* the daemon's own sentence is more exact (which limit, what failed) */
	if (end->reason[0] && (end->result != STEP_RESULT_CANCELLED || !step->run->row.stop))
		(void)snprintf(reason, sizeof(reason), "%.*s", REASON_MAX, end->reason);
	else
		rule->reason(step, end, reason, sizeof(reason));
	if (attempt.state == STEP_STATE_FAILED && step_secrets_withheld(step))
		(void)snprintf(reason + strlen(reason), sizeof(reason) - strlen(reason), " (%s)",
			       step_secrets_withheld(step));
	if (end->result == STEP_RESULT_CANCELLED && step->cancelling)
		(void)step_fail_fast_reason(step, reason, sizeof(reason));
	if (end->result == STEP_RESULT_CANCELLED && interruptible(step, end->started_usec != 0)) {
		attempt_end(step, &attempt);
		step_interrupted(step);
	} else {
		step_end_with(step, &attempt);
	}
}

/* Names that clash are a fault of the runbook: "failed". All other causes are ours. */
void step_not_started(struct step *step, const struct error *error)
{
	struct store_attempt attempt = {
		.order = step->order,
		.state = error->number == EEXIST ? STEP_STATE_FAILED : STEP_STATE_ERRORED,
		.reason = error->text,
		.exit_code = -1,
		.ended_usec = wall_usec(),
	};

	step_end_with(step, &attempt);
}

void step_host_lost(struct step *step, const char *reason)
{
	struct store_attempt attempt = {
		.order = step->order,
		.state = STEP_STATE_ERRORED,
		.reason = reason,
		.exit_code = -1,
		.started_usec = step->started_usec,
		.ended_usec = wall_usec(),
	};

	attempt_end(step, &attempt);
	if (interruptible(step, true))
		step_interrupted(step);
	else
		(void)step_attempt_again(step);
}
