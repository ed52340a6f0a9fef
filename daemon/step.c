/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/step.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/message_ids.h"
#include "common/messages/artifacts.h"
#include "daemon/daemon.h"
#include "daemon/layers.h"
#include "daemon/log_register.h"
#include "daemon/mask.h"
#include "daemon/step_persist.h"
#include "daemon/step_table.h"
#include "daemon/supervise.h"

#include <errno.h>
#include <string.h>

#define DRAIN_USEC (5 * USEC_PER_SEC)

/** struct step_starting - what a step needs until its sandbox is built */
struct step_starting {
	struct step_setup setup; /* another thread reads its request */
	bool is_set_up;
	struct mask *mask;
};

/* Close the memfds with command, environment and secrets. The sandbox and the mask have copies by
 * now, or were not made. */
static void close_memory(struct step *step)
{
	int *fds[] = {&step->order.payload_fd, &step->order.mask_fd};

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		if (*fds[i] >= 0)
			(void)close(*fds[i]);
		*fds[i] = -1;
	}
}

/* ---- layers ---- */

static void release_layers(struct step *step)
{
	while (step->n_layers_used > 0)
		layers_release(step->table->daemon->layers,
			       step->order.layers + --step->n_layers_used * IMAGE_ID_SIZE);
}

static int use_layers(struct step *step, struct step_setup *setup, struct error *error)
{
	const struct step_order *order = &step->order;

	for (size_t i = 0; i < order->n_layers; i++) {
		const char *layer = order->layers + i * IMAGE_ID_SIZE;
		char path[PATH_MAX];
		int r = layers_use(step->table->daemon->layers, layer, path);

		if (r == 0) {
			step->n_layers_used++;
			r = step_setup_layer(setup, path);
		}
		if (r < 0)
			return error_errno(error, -r,
					   "layer %.12s of image \"%s\" is not here (\"runbookctl "
					   "image pull\" or \"image import\" brings it)",
					   layer, order->image);
	}
	return 0;
}

/* ---- ending ---- */

static void step_set_ended(struct step *step)
{
	struct step_table *table = step->table;

	step_phase_set(step, STEP_ENDED);
	table->n_running--;
	table->n_ended++;
	if (step->ended_usec == 0)
		step->ended_usec = wall_usec();
	step_persist_ended(step);
	step_log(step,
		 step->report.result == STEP_RESULT_SANDBOX ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO,
		 MESSAGE_ID_STEP_ENDED,
		 step->report.reason[0] != '\0' ? step->report.reason : "succeeded");
	step_send_exited(step);
	daemon_changed(table->daemon);
}

void step_refuse(struct step *step, enum step_result result, const char *reason)
{
	close_memory(step);
	step->report = (struct step_report){.result = result};
	(void)snprintf(step->report.reason, sizeof(step->report.reason), "%s", reason);
	step_set_ended(step);
}

static void cacher_close(struct step *step)
{
	struct daemon *daemon = step->table->daemon;

	if (step->cacher_fd < 0)
		return;
	(void)close(step->cacher_fd);
	step->cacher_fd = -1;
	step_setup_remove(&daemon->paths, step->order.order);
	if (!link_ready(daemon, CHILD_CACHER))
		return;
	(void)link_send(daemon, CHILD_CACHER,
			MESSAGE_NEW(cacher_close, 0, .order = step->order.order));
}

static void step_complete(struct step *step)
{
	loop_timer_cancel(&step->drain_timer);
	step_report_make(&step->facts, &step->report);
	step_set_ended(step);
}

static void log_done(void *userdata, const struct log_result *result)
{
	struct step *step = userdata;

	step->sink = NULL;
	step->facts.log = *result;
	log_register_remove(step->table->logs, step->log_slot);
	/* a command may close its output and go on: the step ends with its sandbox then */
	if (step->phase == STEP_DRAINING)
		step_complete(step);
}

static void drain_over(struct loop_timer *timer)
{
	struct step *step = container_of(timer, struct step, drain_timer);

	step_log(step, LOG_LEVEL_WARNING, NULL,
		 "a process outside of the sandbox holds its output, which is cut off now");
	log_sink_stop(step->sink);
}

/* The sandbox is gone; its last output may still have to be written. */
static void step_finished(struct step *step)
{
	struct step_table *table = step->table;

	step_phase_set(step, STEP_DRAINING);
	release_layers(step);
	cacher_close(step);
	step_persist_finished(step);
	if (!step->sink)
		step_complete(step);
	else
		(void)loop_timer_set(table->daemon->loop, &step->drain_timer,
				     now_usec() + DRAIN_USEC, drain_over);
}

static struct step *step_of(struct supervised *supervised)
{
	return container_of(supervised, struct step, supervised);
}

static void facts_take(struct step *step, const struct supervised_end *end)
{
	const struct supervised *supervised = &step->supervised;

	step->ended_usec = supervised->ended_usec;
	step->facts.ended_by_us = supervised->terminated;
	if (supervised->terminated)
		step->facts.cause = (enum step_result)supervised->cause;
	step->facts.outcome = end->outcome;
	if (end->result < 0)
		(void)snprintf(step->facts.setup_error, sizeof(step->facts.setup_error), "%s",
			       end->error.text);
}

static void sandbox_done(struct supervised *supervised, const struct supervised_end *end)
{
	struct step *step = step_of(supervised);

	facts_take(step, end);
	step_finished(step);
}

static void note_terminating(struct supervised *supervised)
{
	step_persist_ending(step_of(supervised));
}

static void note_over(struct supervised *supervised)
{
	step_of(supervised)->kept->ended_usec = supervised->ended_usec;
}

static void note_collected(struct supervised *supervised, const struct supervised_end *end)
{
	struct step *step = step_of(supervised);

	facts_take(step, end);
	step_persist_outcome(step);
}

static const struct supervised_notes step_notes = {
	.terminating = note_terminating,
	.over = note_over,
	.collected = note_collected,
};

void step_terminate(struct step *step, enum step_result cause)
{
	struct supervised *supervised = &step->supervised;

	if (step->phase == STEP_STARTING && !step->cancelled) {
		step->cancelled = true;
		step->cancel_cause = cause;
	}
	if (!supervised_runs(supervised) || supervised->terminated)
		return;
	step->facts.stopping = step->table->stopping;
	supervise_terminate(supervised, (int)cause);
}

/* ---- starting ---- */

void step_listen(const struct step *step)
{
	struct daemon *daemon = step->table->daemon;
	struct message *message;

	/* without a cacher, clients wait in the socket's backlog */
	if (!link_ready(daemon, CHILD_CACHER) || step->cacher_fd < 0)
		return;
	message = MESSAGE_NEW(cacher_listen, 0, .order = step->order.order,
			      .project = step->order.project, .run = step->order.run,
			      .slug = step->order.slug, .socket = step->cacher_fd);
	/* on failure steps_relisten() sends the socket to the next cacher */
	if (link_send(daemon, CHILD_CACHER, message) < 0)
		log_debug("the cacher is away, the socket of %s waits", step->container);
}

/* Pass output and socket on, now that the sandbox has their other ends. */
static int step_attach(struct step *step, struct step_setup *setup, struct mask *mask,
		       struct error *error)
{
	struct step_table *table = step->table;
	int r;

	/* only the step has the write ends from now on: its output ends when it closes them */
	(void)close(TAKE_FD(setup->stdout_pipe[1]));
	(void)close(TAKE_FD(setup->stderr_pipe[1]));
	step_persist_running(step, setup);
	r = log_pump_open(table->pump, setup->log_fd, setup->index_fd, setup->stdout_pipe[0],
			  setup->stderr_pipe[0], step->started_usec, log_done, step, &step->sink,
			  error);
	if (r < 0)
		return r;
	log_sink_persist(step->sink, step->order.order, step->kept ? &step->kept->log : NULL);
	log_sink_mask(step->sink, mask);
	log_sink_limit(step->sink, setup->log_limit);
	log_sink_share(step->sink, log_quota_share(table->quota, step->order.project));
	step->log_slot = log_register_add(table->logs, step->order.project, step->order.run,
					  step->order.slug, step->order.attempt);
	setup->log_fd = setup->index_fd = -1;
	setup->stdout_pipe[0] = setup->stderr_pipe[0] = -1;
	step->cacher_fd = TAKE_FD(setup->cacher_fd);
	return 0;
}

/* Releases what only the start needs. */
static void starting_free(struct step *step)
{
	struct step_starting *starting = TAKE_PTR(step->starting);

	if (!starting)
		return;
	if (starting->is_set_up)
		step_setup_close(&starting->setup);
	(void)mask_unref(starting->mask);
	free(starting);
	close_memory(step);
}

static void step_not_built(struct step *step, const struct error *error)
{
	char reason[REASON_MAX];

	(void)snprintf(reason, sizeof(reason), "cannot build the sandbox: %.400s", error->text);
	starting_free(step);
	release_layers(step);
	step_refuse(step, STEP_RESULT_SANDBOX, reason);
}

static int step_build(struct step *step, struct error *error)
{
	struct step_table *table = step->table;
	const struct paths *paths = &table->daemon->paths;
	const struct config_project *project =
		config_project_find(table->daemon->config, step->order.project);
	struct step_starting *starting = calloc(1, sizeof(*starting));

	if (!starting)
		return error_set(error, ENOMEM, "out of memory");
	step->starting = starting;
	if (step->order.mask_fd >= 0 &&
	    mask_cache_get(&table->masks, step->order.mask_fd, &starting->mask, error) < 0)
		return -error->number;
	if (step_setup_make(paths, table->daemon->config, project, &step->order, step->container,
			    &starting->setup, error) < 0)
		return -error->number;
	starting->is_set_up = true;
	if (use_layers(step, &starting->setup, error) < 0)
		goto failed;
	step_phase_set(step, STEP_STARTING);
	if (supervise_begin(&step->supervised, &starting->setup.request, error) < 0)
		goto failed;
	return 0;
failed:
	step_setup_remove(paths, step->order.order);
	return -error->number;
}

static void step_run(struct step *step)
{
	step_phase_set(step, STEP_RUNNING);
	step->facts.timeout_msec = step->order.timeout_msec;
	step_listen(step);
	if (step->order.timeout_msec > 0)
		supervise_timeout(&step->supervised,
				  now_usec() + step->order.timeout_msec * USEC_PER_MSEC,
				  STEP_RESULT_TIMEOUT);
	step_log(step, LOG_LEVEL_INFO, MESSAGE_ID_STEP_STARTED, "started");
	step_send_started(step);
	if (step->cancelled)
		step_terminate(step, step->cancel_cause);
	if (step->cancelled && step->table->killing)
		supervise_kill(&step->supervised);
}

/* The sandbox is built, or could not be built. */
static void sandbox_started(struct supervised *supervised, int result, const struct error *why)
{
	struct step *step = step_of(supervised);
	struct step_table *table = step->table;
	struct error error = why ? *why : ERROR_INIT;

	if (result == 0) {
		step->started_usec = wall_usec();
		result = step_attach(step, &step->starting->setup, step->starting->mask, &error);
		/* the sandbox runs, but its output would be lost: take it down again */
		if (result < 0)
			supervise_abandon(supervised, NULL);
	}
	if (result < 0) {
		step_setup_remove(&table->daemon->paths, step->order.order);
		step_not_built(step, &error);
	} else {
		starting_free(step);
		step_run(step);
	}
	steps_start_next(table);
	if (table->n_starting == 0)
		daemon_changed(table->daemon);
}

void step_begin(struct step *step)
{
	struct error error = ERROR_INIT;

	if (step_persist_begin(step) < 0) {
		step_refuse(step, STEP_RESULT_SANDBOX,
			    "refused: too many results wait to be acknowledged");
		return;
	}
	step->supervised.notes = step->kept ? &step_notes : NULL;
	if (step_build(step, &error) < 0)
		step_not_built(step, &error);
}

void step_prepare(struct step *step, struct step_table *table, const struct step_order *order)
{
	step->table = table;
	step->order = *order;
	step->cacher_fd = -1;
	step->log_slot = -1;
	step->drain_timer = LOOP_TIMER_NULL;
	(void)snprintf(step->container, sizeof(step->container), "%s-%llu-%s-%llu", order->project,
		       (unsigned long long)order->run, order->slug,
		       (unsigned long long)order->attempt);
	step->supervised = SUPERVISED_NULL;
	step->supervised.supervisor = &table->supervisor;
	step->supervised.name = step->container;
	step->supervised.grace_usec = order->grace_msec * USEC_PER_MSEC;
	step->supervised.started = sandbox_started;
	step->supervised.done = sandbox_done;
}

/* ---- of a predecessor ---- */

static int resume_running(struct step *step)
{
	const struct ledger_step *kept = step->kept;
	bool terminated = kept->ended_by_us != 0;
	int r = supervise_resume(&step->supervised, terminated,
				 terminated ? (int)kept->cause : STEP_RESULT_TIMEOUT,
				 kept->deadline_usec);

	if (r == 0)
		step_phase_set(step, STEP_RUNNING);
	return r;
}

int step_resume(struct step *step, int *fds, struct error *error)
{
	struct step_table *table = step->table;
	enum ledger_phase phase = (enum ledger_phase)step->kept->phase;
	cleanup_mask struct mask *mask = NULL;
	int r = step->order.mask_fd < 0
			? 0
			: mask_cache_get(&table->masks, step->order.mask_fd, &mask, error);

	if (r == 0)
		r = log_pump_adopt(table->pump, &fds[STEP_FD_LOG], mask, step->started_usec,
				   log_done, step, step->order.order, &step->kept->log, &step->sink,
				   error);
	if (r == 0) {
		log_sink_share(step->sink, log_quota_share(table->quota, step->order.project));
		step->log_slot = log_register_add(table->logs, step->order.project, step->order.run,
						  step->order.slug, step->order.attempt);
	}
	close_memory(step);
	if (r < 0) {
		supervise_abandon(&step->supervised, NULL);
		return r;
	}
	step->supervised.notes = &step_notes;
	step->cacher_fd = TAKE_FD(fds[STEP_FD_CACHER]);
	if (phase == LEDGER_RUNNING && resume_running(step) == 0)
		return 0;
	/* the step ends here. Its outcome is in the ledger, unless it was running and could not be
	 * watched */
	supervise_abandon(&step->supervised, phase == LEDGER_RUNNING ? &step->facts.outcome : NULL);
	step_finished(step);
	return 0;
}

void step_end_lost(struct step *step)
{
	close_memory(step);
	release_layers(step);
	step_setup_remove(&step->table->daemon->paths, step->order.order);
	step_set_ended(step);
}
