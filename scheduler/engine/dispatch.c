/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/engine/dispatch.h"

#include "common/cleanup.h"
#include "common/messages/steps.h"
#include "scheduler/engine/images.h"
#include "scheduler/engine/payload.h"
#include "scheduler/engine/secrets.h"
#include "scheduler/engine/source.h"
#include "scheduler/engine/step_identity.h"
#include "scheduler/engine/step_result.h"
#include "scheduler/model/give_up.h"
#include "scheduler/model/image_wait.h"
#include "scheduler/model/outbox.h"
#include "scheduler/model/state.h"
#include "scheduler/model/steps.h"

#include <errno.h>

/* The image "host" has no layers: its name is sufficient. */
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
	step->confirmed = true;
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
		/* the commit will fail as well; and without memory the scheduler cannot go on */
		scheduler_give_up(scheduler, "cannot claim a step");
		return;
	}
	if (run->row.state == RUN_STATE_PENDING)
		state_run_set(run, RUN_STATE_RUNNING, "");
	withheld = step_secrets_withheld(step);
	state_step_set(step, STEP_STATE_RUNNING, withheld ? withheld : "");
	step_order_send(step);
}

bool dispatch_next(struct scheduler *scheduler)
{
	struct queue_item *item = queue_next(&scheduler->queue);

	if (item)
		step_claim(container_of(item, struct step, item));
	return item != NULL;
}
