/* SPDX-License-Identifier: Apache-2.0 */

/* The interface of daemon/step.h: accepting orders, starting them one by one, and all steps. */

#include "common/messages/steps.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "daemon/daemon.h"
#include "daemon/step_persist.h"
#include "daemon/step_setup.h"
#include "daemon/step_table.h"

#include <errno.h>
#include <string.h>

/* sandboxes that are built at once: one for each thread that builds them, and some to go on with */
#define STARTING_MAX (2 * STEPS_LAUNCHERS)

/* ---- orders ---- */

/* One per turn of the loop: messages and output are served in between. */
static void start_timer_fired(struct loop_timer *timer)
{
	struct step_table *table = container_of(timer, struct step_table, start_timer);
	struct step *step = step_queue_pop(table);

	if (step)
		step_begin(step);
	steps_start_next(table);
}

void steps_start_next(struct step_table *table)
{
	if (table->holding || list_empty(&table->queue) || table->n_starting >= STARTING_MAX) {
		loop_timer_cancel(&table->start_timer);
		return;
	}
	if (!table->start_timer.loop)
		(void)loop_timer_set(table->daemon->loop, &table->start_timer, now_usec(),
				     start_timer_fired);
}

/*
 * The order ran and its result was acknowledged. A scheduler that sends it again has an older
 * copy of its store, and would wait for a result forever.
 */
static void answer_forgotten(struct step_table *table, const struct step_order *order)
{
	struct step step = {.table = table, .order = *order, .ended_usec = wall_usec()};

	step.report.result = STEP_RESULT_SANDBOX;
	(void)snprintf(step.report.reason, sizeof(step.report.reason),
		       "refused: order %llu ran already, the store must be an old copy: restart "
		       "runbookd, then retry",
		       (unsigned long long)order->order);
	log_error("%s", step.report.reason);
	step_send_exited(&step);
}

/* Was @order accepted by this process, or by a predecessor of the same instance? */
static bool order_known(const struct step_table *table, uint64_t order)
{
	const struct ledger *ledger = table->daemon->ledger;

	return order_set_has(&table->known, order) || (ledger && ledger_order_known(ledger, order));
}

int steps_start(struct step_table *table, struct step_order *order, const char *refusal)
{
	struct step *step;
	int r;

	if (table->n_running + table->n_ended >= STEPS_RECORDS_MAX)
		r = -ENOBUFS; /* a scheduler that acknowledges nothing is broken */
	else
		r = order_known(table, order->order) ? -EEXIST : 0;
	step = r == 0 ? calloc(1, sizeof(*step)) : NULL;
	if (r == 0)
		r = step ? order_set_add(&table->known, order->order) : -ENOMEM;
	if (r < 0) {
		free(step);
		step_order_clear(order);
		if (r != -EEXIST)
			return r;
		/* sent again on a new channel: the step is in the table, and will be reported */
		if (!step_find(table, order->order))
			answer_forgotten(table, order);
		return 0;
	}
	step_prepare(step, table, order);
	step_link(table, step);
	table->n_running++;
	if (refusal) {
		step_refuse(step, STEP_RESULT_SANDBOX, refusal);
	} else if (table->stopping) {
		step_refuse(step, STEP_RESULT_CANCELLED, "cancelled: runbookd is stopping");
	} else if (table->n_running > STEPS_MAX) {
		step_refuse(step, STEP_RESULT_SANDBOX,
			    "refused: 1024 steps run already, which is the maximum");
	} else {
		step_queue_push(table, step);
		steps_start_next(table);
	}
	return 0;
}

void steps_cancel(struct step_table *table, uint64_t order, enum step_result why)
{
	struct step *step = step_find(table, order);

	if (!step)
		return; /* it ended and was acknowledged while STEP_CANCEL was on its way */
	if (step->phase == STEP_QUEUED) {
		step_queue_remove(step);
		step_refuse(step, STEP_RESULT_CANCELLED, "cancelled");
	} else {
		step_terminate(step, why);
	}
}

void steps_acknowledge(struct step_table *table, uint64_t order)
{
	struct step *step = step_find(table, order);

	if (!step || step->phase != STEP_ENDED)
		return;
	step_unlink(table, step);
	table->n_ended--;
	step_persist_forget(step);
	(void)step_free(step);
	daemon_changed(table->daemon);
}

/* ---- when a child is new, when we stop ---- */

static void send_stopping(struct step_table *table)
{
	step_send(table, MESSAGE_NEW(steps_stopping, 0));
}

void steps_resend(struct step_table *table)
{
	const struct step *step;

	list_each (step, &table->steps, node) {
		if (step->phase == STEP_ENDED)
			step_send_exited(step);
		else if (step->phase != STEP_QUEUED && step->phase != STEP_STARTING)
			step_send_started(step);
	}
	step_send(table, MESSAGE_NEW(step_synced, 0, .instance = table->daemon->instance_id));
	if (table->stopping)
		send_stopping(table);
}

void steps_relisten(struct step_table *table)
{
	const struct step *step;

	list_each (step, &table->steps, node)
		step_listen(step);
}

void steps_stop(struct step_table *table)
{
	bool again = table->stopping;
	struct step *step, *queued;

	table->stopping = true;
	table->killing = again;
	/* before the results, so that the scheduler queues interrupted steps again, but not here */
	if (!again)
		send_stopping(table);
	while ((queued = step_queue_pop(table)) != NULL)
		step_refuse(queued, STEP_RESULT_CANCELLED, "cancelled: runbookd is stopping");
	list_each (step, &table->steps, node) {
		if (again && supervised_runs(&step->supervised))
			supervise_kill(&step->supervised);
		else
			step_terminate(step, STEP_RESULT_CANCELLED);
	}
}

void steps_hold(struct step_table *table, bool hold)
{
	table->holding = hold;
	steps_start_next(table);
}

size_t steps_starting(const struct step_table *table)
{
	return table->n_starting;
}

size_t steps_running(const struct step_table *table)
{
	return table->n_running;
}

size_t steps_unacknowledged(const struct step_table *table)
{
	return table->n_ended;
}

/* ---- life ---- */

static bool goes_on(const struct ledger_step *kept)
{
	return kept->phase != LEDGER_BEGUN && kept->phase != LEDGER_ENDED;
}

/* Is @order an adopted step that still needs its directory? */
static bool step_is_kept(const void *userdata, uint64_t order)
{
	const struct ledger *ledger = userdata;
	const struct ledger_step *kept = NULL;

	while (ledger && (kept = ledger_step_next(ledger, kept)) != NULL) {
		if (kept->order == order)
			return goes_on(kept);
	}
	return false;
}

static bool log_is_kept(const void *userdata, const char *project, uint64_t run, const char *slug,
			uint64_t attempt)
{
	const struct ledger *ledger = userdata;
	const struct ledger_step *kept = NULL;

	while (ledger && (kept = ledger_step_next(ledger, kept)) != NULL) {
		if (goes_on(kept) && kept->run == run && kept->attempt == attempt &&
		    strcmp(kept->project, project) == 0 && strcmp(kept->slug, slug) == 0)
			return true;
	}
	return false;
}

static struct log_quota_limits log_limits(const void *userdata, const char *project)
{
	const struct daemon *daemon = userdata;
	const struct config_project *own =
		project && daemon->config ? config_project_find(daemon->config, project) : NULL;

	if (!daemon->config)
		return (struct log_quota_limits){.all = 0};
	return (struct log_quota_limits){
		.all = daemon->config->logs,
		.each = project ? (own ? own->logs : 0) : daemon->config->project_logs,
	};
}

int steps_new(struct daemon *daemon, struct sandbox_host *host, const struct sandbox_ops *ops,
	      struct step_table **ret_table, struct error *error)
{
	struct step_table *table = calloc(1, sizeof(*table));

	if (!table)
		return error_set(error, ENOMEM, "out of memory");
	table->daemon = daemon;
	table->supervisor = (struct supervisor){.loop = daemon->loop, .host = host, .ops = ops};
	table->start_timer = LOOP_TIMER_NULL;
	table->supervisor.launch_file = LOOP_FILE_NULL;
	if (log_register_new(&daemon->paths, log_is_kept, daemon->ledger, &table->logs, error) <
		    0 ||
	    log_pump_new(daemon->loop, IO_ENGINE_AUTO, &table->pump, error) < 0) {
		(void)log_register_free(table->logs);
		free(table);
		return -error->number;
	}
	log_register_writeback(table->logs, daemon->loop);
	table->quota = log_quota_new(daemon->loop, daemon->paths.log, log_limits, daemon);
	if (daemon->ledger)
		(void)log_pump_persist(table->pump, daemon->fds);
	step_setup_sweep(&daemon->paths, step_is_kept, daemon->ledger);
	supervise_launches(&table->supervisor);
	*ret_table = table;
	return 0;
}

struct step_table *steps_free(struct step_table *table)
{
	struct step *step, *next;

	if (!table)
		return NULL;
	list_each_safe (step, next, &table->steps, node) {
		step_unlink(table, step);
		(void)step_free(step);
	}
	supervise_launches_end(&table->supervisor);
	loop_timer_cancel(&table->start_timer);
	table->pump = log_pump_free(table->pump);
	table->quota = log_quota_free(table->quota);
	table->logs = log_register_free(table->logs);
	order_set_done(&table->known);
	free(table);
	return NULL;
}
