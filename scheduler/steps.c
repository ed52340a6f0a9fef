/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a step: claim, order, cancel, and why it waits. step_*.c: what follows. */
#include "scheduler/steps.h"

#include "common/cleanup.h"
#include "common/messages/steps.h"
#include "scheduler/admission.h"
#include "scheduler/concurrency.h"
#include "scheduler/give_up.h"
#include "scheduler/outbox.h"
#include "scheduler/payload.h"
#include "scheduler/run.h"
#include "scheduler/run_timers.h"
#include "scheduler/source.h"
#include "scheduler/state.h"
#include "scheduler/step_identity.h"
#include "scheduler/step_result.h"
#include "scheduler/step_when.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t step_timeout_sec(const struct step *step)
{
	if (step_text(step)->timeout_sec)
		return step_text(step)->timeout_sec;
	if (step->run->scheduler->config.timeout_sec)
		return step->run->scheduler->config.timeout_sec;
	return STEP_TIMEOUT_DEFAULT_SEC;
}

/* ---- claims and orders ---- */

/* The image "host" has no layers: its name says everything. */
static struct message *order_message(const struct step *step, const struct step_identity *place,
				     const struct image_record *image, int payload_fd, int mask_fd)
{
	const struct runbook_step *text = step_text(step);
	const struct run *run = step->run;
	struct message_step_layer layers[IMAGE_LAYERS_MAX];
	size_t n = image ? image->n_layers : 0;

	for (size_t i = 0; i < n; i++)
		layers[i].id = image->layers[i];
	return MESSAGE_NEW(
		step_start, step->order, .order = step->order, .project = run->row.project,
		.run = run->row.id, .slug = text->slug, .attempt = step->attempt,
		.name = text->name, .commit = run->row.tree[0] ? run->row.tree : run->row.commit,
		.view = run->row.view, .objects = source_objects(run), .image = text->image,
		.layers = layers, .n_layers = n, .network = text->network,
		.memory = text->resources.memory, .pids = text->resources.pids,
		.cpu_milli = text->resources.cpu_milli, .disk = text->resources.disk,
		.io_read = text->resources.io_read, .io_write = text->resources.io_write,
		.io_read_ops = text->resources.io_read_ops,
		.io_write_ops = text->resources.io_write_ops,
		.timeout_msec = step_timeout_sec(step) * 1000,
		.grace_msec = STEP_GRACE_DEFAULT_SEC * 1000ULL, .tty = text->tty,
		.workdir = place->workdir, .uid = place->uid, .gid = place->gid,
		.payload = payload_fd, .mask = mask_fd);
}

void step_order_send(struct step *step)
{
	const struct run *run = step->run;
	const struct image_record *image = NULL;
	struct error error = ERROR_INIT;
	cleanup_close int payload_fd = -1, mask_fd = -1;
	struct step_identity place;
	int r = images_of(step, &image, &error);

	if (r == -EAGAIN) { /* claimed in an earlier life; runbook-image is not back yet */
		images_park(step);
		return;
	}
	if (r == 0)
		r = step_identity_find(step, image, &place, &error);
	if (r == 0)
		payload_fd = step_payload_fd(step, image, &mask_fd, &error);
	if (payload_fd < 0 && error.number == ENOMEM) {
		scheduler_give_up(run->scheduler, error.text);
		return;
	}
	if (payload_fd < 0) {
		step_not_started(step, &error);
		return;
	}
	step->known = true;
	outbox_put(&step_executor(step)->peer,
		   order_message(step, &place, image, payload_fd, mask_fd));
}

static void step_claim(struct step *step)
{
	struct run *run = step->run;
	struct scheduler *scheduler = run->scheduler;
	const char *withheld;
	char container[512];
	struct store_attempt attempt = {
		.run = run->row.id,
		.step = step->index,
		.attempt = step->attempt,
		.instance = step_executor(step)->config.instance,
		.state = STEP_STATE_RUNNING,
		.container = container,
		.claimed_usec = wall_usec(),
	};

	step_container_id(step, container, sizeof(container));
	step->order = store_attempt_add(scheduler->store, &attempt);
	if (!step->order || map_put(&scheduler->orders, step->order, step) < 0) {
		/* the commit will fail as well; without memory there is no going on either */
		scheduler_give_up(scheduler, "cannot claim a step");
		return;
	}
	if (run->row.state == RUN_STATE_PENDING)
		state_run_set(run, RUN_STATE_RUNNING, "");
	withheld = step_secrets_withheld(step);
	state_step_set(step, STEP_STATE_RUNNING, withheld ? withheld : "");
	step_order_send(step);
}

void steps_claim(struct scheduler *scheduler)
{
	struct queue_item *item;

	/* before a daemon has said what it runs, it is not known what is free there */
	if (!executors_ready(scheduler))
		return;
	admission_reject(scheduler);
	while ((item = queue_next(&scheduler->queue)))
		step_claim(container_of(item, struct step, item));
}

/* ---- cancel ---- */

size_t step_cancel(struct step *step)
{
	struct scheduler *scheduler = step->run->scheduler;

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
	outbox_put(&step_executor(step)->peer,
		   MESSAGE_NEW(step_cancel, step->order, .order = step->order,
			       .why = STEP_RESULT_CANCELLED));
	return 1;
}

/* ---- reasons of waiting ---- */

static void pending_reason(const struct step *step, char *out, size_t size)
{
	const struct runbook_step *text = step_text(step);
	const char *first = NULL;
	size_t n = 0;

	for (size_t i = 0; i < text->n_depends_on; i++) {
		const struct step *dependency = &step->run->steps[text->depends_on[i]];

		if (dependency->settled)
			continue;
		if (n++ == 0)
			first = step_text(dependency)->name;
	}
	if (n == 1)
		(void)snprintf(out, size, "waits for \"%s\"", first);
	else if (n > 1)
		(void)snprintf(out, size, "waits for \"%s\" and %zu more", first, n - 1);
}

void step_release(struct step *step)
{
	if (step->run->row.held)
		return;
	run_timers_ready(step);
	if (images_ready(step))
		step_enqueue(step);
}

const char *step_wait_reason(const struct step *step, char *out, size_t size)
{
	const char *wait;

	out[0] = '\0';
	if (step->state == STEP_STATE_PENDING) {
		pending_reason(step, out, size);
		return "dependency";
	}
	if (step->state != STEP_STATE_READY)
		return queue_wait_name(QUEUE_WAIT_NOT);
	if (step->run->row.held) {
		concurrency_reason(step->run, out, size);
		return "concurrency";
	}
	wait = executors_wait_reason(step->run->scheduler, out, size);
	if (wait)
		return wait;
	if (step->image_wait) {
		images_reason(step, out, size);
		return "image";
	}
	return admission_reason(step, out, size);
}
