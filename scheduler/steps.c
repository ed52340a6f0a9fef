/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a step: claim, order, result, and what follows for the others. */
#include "common/cleanup.h"
#include "common/log.h"
#include "scheduler/run.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct runbook_step *step_text(const struct step *step)
{
	return &step->run->runbook->steps[step->index];
}

uint64_t step_timeout_sec(const struct step *step)
{
	if (step_text(step)->timeout_sec)
		return step_text(step)->timeout_sec;
	if (step->run->scheduler->config.timeout_sec)
		return step->run->scheduler->config.timeout_sec;
	return STEP_TIMEOUT_DEFAULT_SEC;
}

/* ---- claims and orders ---- */

/* Of image "host" nothing but its name is told. */
static void put_image(struct message *message, const struct image_record *image)
{
	message_put_string(message, image ? image->workdir : "");
	message_put_u64(message, image ? image->uid : 0);
	message_put_u64(message, image ? image->gid : 0);
	message_put_u64(message, image ? image->n_layers : 0);
	for (size_t i = 0; image && i < image->n_layers; i++)
		message_put_string(message, image->layers[i]);
}

void step_order_send(struct step *step)
{
	const struct runbook_step *text = step_text(step);
	const struct run *run = step->run;
	const struct image_record *image = NULL;
	struct error error = ERROR_INIT;
	cleanup_close int payload_fd = -1;
	struct message *message;
	int r = images_of(step, &image, &error);

	if (r == -EAGAIN) { /* claimed in an earlier life; runbook-image is not back yet */
		images_stand_aside(step);
		return;
	}
	if (r == 0)
		payload_fd = step_payload_fd(step, image, &error);
	if (payload_fd < 0) {
		step_lost(step, error.text);
		return;
	}
	message = message_new(MESSAGE_STEP_START, step->order);
	if (message) {
		message_put_u64(message, step->order);
		message_put_string(message, run->row.project);
		message_put_u64(message, run->row.id);
		message_put_string(message, text->slug);
		message_put_u64(message, step->attempt);
		message_put_string(message, text->name);
		message_put_string(message, run->row.tree[0] ? run->row.tree : run->row.commit);
		message_put_string(message, text->image);
		message_put_u64(message, text->network);
		message_put_u64(message, text->resources.memory);
		message_put_u64(message, text->resources.pids);
		message_put_u64(message, text->resources.cpu_milli);
		message_put_u64(message, text->resources.disk);
		message_put_u64(message, text->resources.io_read);
		message_put_u64(message, text->resources.io_write);
		message_put_u64(message, text->resources.io_read_ops);
		message_put_u64(message, text->resources.io_write_ops);
		message_put_u64(message, step_timeout_sec(step) * 1000);
		message_put_u64(message, STEP_GRACE_DEFAULT_SEC * 1000ULL);
		put_image(message, image);
		message_put_fd(message, payload_fd);
	}
	step->known = true;
	outbox_put(&step->run->scheduler->daemon, message);
}

static void step_claim(struct step *step)
{
	struct run *run = step->run;
	struct scheduler *scheduler = run->scheduler;
	char container[512];
	struct store_attempt attempt = {
		.run = run->row.id,
		.step = step->index,
		.attempt = step->attempt,
		.instance = scheduler->config.instance,
		.state = STEP_STATE_RUNNING,
		.container = container,
		.claimed_usec = wall_usec(),
	};

	step_container_id(step, container, sizeof(container));
	step->order = store_attempt_add(scheduler->store, &attempt);
	if (!step->order || map_put(&scheduler->orders, step->order, step) < 0) {
		/* the commit will fail as well; without memory there is no going on either */
		log_error("cannot claim a step: ending, to go on from what is committed");
		loop_exit(scheduler->loop, 1);
		return;
	}
	if (run->row.state == RUN_STATE_PENDING)
		state_run_set(run, RUN_STATE_RUNNING, "");
	state_step_set(step, STEP_STATE_RUNNING, "");
	step_order_send(step);
}

void steps_claim(struct scheduler *scheduler)
{
	struct queue_item *item;

	/* until the daemon told what it runs, nobody knows what is free */
	if (!scheduler->configured || !scheduler->synced || !scheduler->daemon.channel.open)
		return;
	while ((item = queue_next(&scheduler->queue)))
		step_claim(container_of(item, struct step, item));
}

/* ---- results ---- */

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
	(void)snprintf(out, size, "cancelled");
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
	enum step_state state; /* of an EXITED one with code 0: succeeded */
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

static void step_end_with(struct step *step, const struct store_attempt *attempt)
{
	store_attempt_ended(step->run->scheduler->store, attempt);
	free(step->instance);
	step->instance = NULL;
	state_step_set(step, attempt->state, attempt->reason);
	step_propagate(step);
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
	/* the daemon knows more (which limit, what failed): its sentence goes first */
	if (end->reason[0])
		(void)snprintf(reason, sizeof(reason), "%.*s", REASON_MAX, end->reason);
	else
		rule->reason(step, end, reason, sizeof(reason));
	step_end_with(step, &attempt);
}

void step_lost(struct step *step, const char *reason)
{
	struct store_attempt attempt = {
		.order = step->order,
		.state = STEP_STATE_ERRORED,
		.reason = reason,
		.exit_code = -1,
		.started_usec = step->started_usec,
		.ended_usec = wall_usec(),
	};

	step_end_with(step, &attempt);
}

/* ---- what follows ---- */

static void dependants_skip(struct step *step, struct step **work)
{
	const struct run *run = step->run;
	char reason[REASON_MAX + 1];

	(void)snprintf(reason, sizeof(reason), "dependency \"%s\" %s%s", step_text(step)->name,
		       step->state == STEP_STATE_SKIPPED || step->state == STEP_STATE_CANCELLED
			       ? "was "
			       : "",
		       step_state_name(step->state));
	for (size_t i = run->dependants_start[step->index];
	     i < run->dependants_start[step->index + 1]; i++) {
		struct step *dependant = &step->run->steps[run->dependants[i]];

		if (dependant->state != STEP_STATE_PENDING)
			continue;
		state_step_set(dependant, STEP_STATE_SKIPPED, reason);
		dependant->work_next = *work;
		*work = dependant;
	}
}

static void dependants_wake(const struct step *step)
{
	const struct run *run = step->run;

	for (size_t i = run->dependants_start[step->index];
	     i < run->dependants_start[step->index + 1]; i++) {
		struct step *dependant = &step->run->steps[run->dependants[i]];

		if (dependant->state != STEP_STATE_PENDING || dependant->n_missing == 0)
			continue;
		if (--dependant->n_missing == 0)
			state_step_set(dependant, STEP_STATE_READY, "");
	}
}

void step_propagate(struct step *step)
{
	struct run *run = step->run;
	struct step *work = NULL;

	if (step->state == STEP_STATE_SUCCEEDED)
		dependants_wake(step);
	else
		dependants_skip(step, &work);
	/* a list, not recursion: a chain may be ten thousand long */
	while (work) {
		struct step *skipped = work;

		work = skipped->work_next;
		dependants_skip(skipped, &work);
	}
	run_settle(run);
}

size_t step_cancel(struct step *step)
{
	struct scheduler *scheduler = step->run->scheduler;
	struct message *message;

	if (step_state_final(step->state))
		return 0;
	if (step->state != STEP_STATE_RUNNING) {
		state_step_set(step, STEP_STATE_CANCELLED, "cancelled");
		step_propagate(step);
		return 1;
	}
	if (!step->cancelling) {
		step->cancelling = true;
		store_attempt_cancel(scheduler->store, step->order);
	}
	message = message_new(MESSAGE_STEP_CANCEL, step->order);
	if (message) {
		message_put_u64(message, step->order);
		message_put_u64(message, STEP_RESULT_CANCELLED);
	}
	outbox_put(&scheduler->daemon, message);
	return 1;
}

/* ---- retry ---- */

static bool dependencies_hopeless(const struct step *step)
{
	const struct runbook_step *text = step_text(step);

	for (size_t i = 0; i < text->n_depends_on; i++) {
		enum step_state state = step->run->steps[text->depends_on[i]].state;

		if (step_state_final(state) && state != STEP_STATE_SUCCEEDED)
			return true;
	}
	return false;
}

static void step_reset(struct step *step, const char *reason)
{
	if (step->order) {
		step->attempt++;
		step->order = 0;
	}
	step->known = step->cancelling = false;
	step->started_usec = 0;
	state_step_set(step, STEP_STATE_PENDING, reason);
}

/* Never ran, because of something that is retried now. */
static bool step_follows(const struct step *step)
{
	return (step->state == STEP_STATE_SKIPPED ||
		(step->state == STEP_STATE_CANCELLED && !step->order)) &&
	       !dependencies_hopeless(step);
}

static void dependants_reset(struct step *step, const char *reason)
{
	const struct run *run = step->run;
	struct step *work = step;

	step->work_next = NULL;
	while (work) {
		const struct step *next = work;

		work = work->work_next;
		for (size_t i = run->dependants_start[next->index];
		     i < run->dependants_start[next->index + 1]; i++) {
			struct step *dependant = &step->run->steps[run->dependants[i]];

			if (!step_follows(dependant))
				continue;
			step_reset(dependant, reason);
			dependant->work_next = work;
			work = dependant;
		}
	}
}

static void run_count_missing(struct run *run)
{
	for (size_t i = 0; i < run->n_steps; i++) {
		struct step *step = &run->steps[i];
		const struct runbook_step *text = step_text(step);

		step->n_missing = 0;
		for (size_t j = 0; j < text->n_depends_on; j++)
			step->n_missing +=
				run->steps[text->depends_on[j]].state != STEP_STATE_SUCCEEDED;
	}
}

int step_retry(struct step *step, struct error *error)
{
	struct run *run = step->run;
	char reason[REASON_MAX + 1];

	if (!step_state_final(step->state))
		return error_set(error, EBUSY, "step \"%s\" is %s: cancel it first, or wait",
				 step_text(step)->name, step_state_name(step->state));
	if (dependencies_hopeless(step))
		return error_set(error, EBUSY,
				 "a dependency of step \"%s\" did not succeed: retry that one, "
				 "this step follows by itself",
				 step_text(step)->name);
	(void)snprintf(reason, sizeof(reason), "step \"%s\" is retried", step_text(step)->name);
	if (run->row.cancelling) {
		run->row.cancelling = false;
		store_run_set_cancelling(run->scheduler->store, run->row.id, false);
	}
	if (run_state_final(run->row.state))
		state_run_set(run, RUN_STATE_RUNNING, reason);
	step_reset(step, reason);
	dependants_reset(step, reason);
	run_count_missing(run);
	if (step->n_missing == 0)
		state_step_set(step, STEP_STATE_READY, "");
	return 0;
}

/* ---- reasons of waiting ---- */

static void pending_reason(const struct step *step, char *out, size_t size)
{
	const struct runbook_step *text = step_text(step);
	const char *first = NULL;
	size_t n = 0;

	for (size_t i = 0; i < text->n_depends_on; i++) {
		const struct step *dependency = &step->run->steps[text->depends_on[i]];

		if (dependency->state == STEP_STATE_SUCCEEDED)
			continue;
		if (n++ == 0)
			first = step_text(dependency)->name;
	}
	if (n == 1)
		(void)snprintf(out, size, "waits for \"%s\"", first);
	else if (n > 1)
		(void)snprintf(out, size, "waits for \"%s\" and %zu more", first, n - 1);
}

void step_wait_reason(const struct step *step, char *out, size_t size)
{
	const struct scheduler *scheduler = step->run->scheduler;

	out[0] = '\0';
	if (step->state == STEP_STATE_PENDING)
		pending_reason(step, out, size);
	else if (step->state != STEP_STATE_READY)
		return;
	else if (!scheduler->configured || !scheduler->synced)
		(void)snprintf(out, size, "waiting until runbookd told what already runs");
	else if (step->image_waiting)
		images_reason(step, out, size);
	else
		queue_reason(&step->item, out, size);
}

/* ---- after a restart ---- */

static void step_reconcile(struct step *step, const char *instance)
{
	struct step_end cancelled = {.result = STEP_RESULT_CANCELLED, .reason = ""};

	if (step->known) {
		/* the daemon has it; a wish to cancel may have been lost with us */
		if (step->cancelling)
			(void)step_cancel(step);
	} else if (step->instance && strcmp(step->instance, instance) != 0) {
		step_lost(step, "host lost: runbookd ended while the step was running");
	} else if (step->cancelling) {
		/* its order never arrived, or waits in the daemon's queue and must not start */
		(void)step_cancel(step);
		step_exited(step, &cancelled);
	} else {
		step_order_send(step);
	}
}

void steps_reconcile(struct scheduler *scheduler, const char *instance)
{
	size_t n = 0, cursor = 0;
	cleanup_free struct step **steps = calloc(scheduler->orders.n_used + 1, sizeof(*steps));
	struct step *step;

	if (!steps) {
		log_error("out of memory: ending, to go on from what is committed");
		loop_exit(scheduler->loop, 1);
		return;
	}
	while ((step = map_next(&scheduler->orders, &cursor)))
		steps[n++] = step;
	for (size_t i = 0; i < n; i++)
		step_reconcile(steps[i], instance);
	scheduler->synced = true;
	turn_schedule(scheduler);
}
