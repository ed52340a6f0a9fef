/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/requests.h"

#include "common/cleanup.h"
#include "common/image.h"
#include "common/log.h"
#include "common/message_table.h"
#include "common/messages/host.h"
#include "common/messages/layers.h"
#include "common/messages/steps.h"
#include "common/names.h"
#include "common/step_mask.h"
#include "common/step_payload.h"
#include "daemon/daemon.h"
#include "daemon/key_file.h"
#include "daemon/layers.h"
#include "daemon/log_remove.h"
#include "daemon/step_setup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define STEP_MEMORY_MAX (1ULL << 50)
#define STEP_IO_MAX (1ULL << 50)
#define STEP_PIDS_MAX (4ULL << 20)
#define STEP_CPU_MILLI_MAX (1000ULL * 8192)
#define STEP_GRACE_MAX_MSEC (3600ULL * 1000)
#define RELOAD_PAUSE_USEC (200 * USEC_PER_MSEC)
#define STEP_NUMBER_MAX (1ULL << 53) /* runs and attempts travel as JSON numbers */

static struct daemon *daemon_of(struct channel *channel)
{
	return channel->userdata;
}

/* ---- steps ---- */

static bool commit_or_none(const char *commit)
{
	return commit[0] == '\0' || commit_valid(commit);
}

static void copy(char *out, size_t size, const char *text)
{
	(void)snprintf(out, size, "%s", text);
}

/*
 * Only a sealed memfd is accepted. fcntl(2) reads the seals without an access to the
 * file, so that a descriptor of a hostile file system cannot make this process wait.
 */
static bool payload_acceptable(int fd)
{
	const int wanted = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	return seals >= 0 && (seals & wanted) == wanted && fstat(fd, &st) == 0 &&
	       st.st_size >= (off_t)sizeof(struct step_payload_header) &&
	       st.st_size <= (off_t)(STEP_PAYLOAD_MAX + sizeof(struct step_payload_header));
}

static bool io_acceptable(const struct sandbox_io *io)
{
	return io->read <= STEP_IO_MAX && io->write <= STEP_IO_MAX && io->read_ops <= STEP_IO_MAX &&
	       io->write_ops <= STEP_IO_MAX;
}

/* An image is its layers, by their ids, or "host", which has none. */
static bool image_acceptable(const struct step_order *order)
{
	for (size_t i = 0; i < order->n_layers; i++) {
		if (!image_id_valid(order->layers + i * IMAGE_ID_SIZE))
			return false;
	}
	return order->n_layers > 0 ? text_printable(order->image)
				   : strcmp(order->image, "host") == 0;
}

struct order_check {
	bool failed;
	const char *what;
};

/* Return: which field is not valid, or NULL. A correct scheduler never sends such an order. */
static const char *order_refusal(const struct step_order *order)
{
	const struct order_check checks[] = {
		{order->order == 0, "order number"},
		{!project_name_valid(order->project), "project name"},
		{order->run == 0 || order->run > STEP_NUMBER_MAX, "run number"},
		{!step_slug_valid(order->slug), "slug"},
		{order->attempt == 0 || order->attempt > STEP_NUMBER_MAX, "attempt"},
		{!text_printable(order->name), "step name"},
		{!commit_or_none(order->commit), "commit"},
		{!commit_or_none(order->view) || (order->view[0] && !order->commit[0]), "view"},
		{order->objects == STEP_OBJECTS_VIEW && !order->view[0], "choice of objects"},
		{!image_acceptable(order), "image"},
		{order->workdir && order->workdir[0] != '/', "working directory"},
		{order->uid >= ID_STEP_RANGE || order->gid >= ID_STEP_RANGE, "user"},
		{order->memory > STEP_MEMORY_MAX, "memory limit"},
		{order->pids > STEP_PIDS_MAX, "process limit"},
		{order->cpu_milli > STEP_CPU_MILLI_MAX, "processor limit"},
		{order->disk > STEP_MEMORY_MAX, "disk limit"},
		{!io_acceptable(&order->io), "io limit"},
		{order->timeout_msec > CONFIG_TIMEOUT_MAX_SEC * 1000, "timeout"},
		{order->grace_msec > STEP_GRACE_MAX_MSEC, "grace"},
		{!payload_acceptable(order->payload_fd), "payload"},
		{order->mask_fd >= 0 && !step_mask_acceptable(order->mask_fd), "list of secrets"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		if (checks[i].failed)
			return checks[i].what;
	}
	return NULL;
}

static int order_layers(struct step_order *order, const struct message_step_start *start)
{
	order->layers = calloc(start->n_layers + 1, IMAGE_ID_SIZE);
	if (!order->layers)
		return -ENOMEM;
	for (; order->n_layers < start->n_layers; order->n_layers++)
		copy(order->layers + order->n_layers * IMAGE_ID_SIZE, IMAGE_ID_SIZE,
		     start->layers[order->n_layers].id);
	return 0;
}

/* Copy or take over everything from @message. Return: 0 or -ENOMEM; the caller clears @order. */
static int order_of(struct message *message, const struct message_step_start *start,
		    struct step_order *order)
{
	*order = (struct step_order){
		.order = start->order,
		.run = start->run,
		.attempt = start->attempt,
		.objects = start->objects,
		.network = start->network,
		.memory = start->memory,
		.pids = start->pids,
		.cpu_milli = start->cpu_milli,
		.disk = start->disk,
		.io = {.read = start->io_read,
		       .write = start->io_write,
		       .read_ops = start->io_read_ops,
		       .write_ops = start->io_write_ops},
		.timeout_msec = start->timeout_msec,
		.grace_msec = start->grace_msec,
		.tty = start->tty,
		.uid = start->uid < ID_STEP_RANGE ? (uint32_t)start->uid : UINT32_MAX,
		.gid = start->gid < ID_STEP_RANGE ? (uint32_t)start->gid : UINT32_MAX,
		.payload_fd = message_take_fd(message, start->payload),
		.mask_fd = message_take_fd(message, start->mask),
	};
	copy(order->project, sizeof(order->project), start->project);
	copy(order->slug, sizeof(order->slug), start->slug);
	copy(order->name, sizeof(order->name), start->name);
	copy(order->commit, sizeof(order->commit), start->commit);
	copy(order->view, sizeof(order->view), start->view);
	copy(order->image, sizeof(order->image), start->image);
	if (start->workdir[0]) {
		order->workdir = strdup(start->workdir);
		if (!order->workdir)
			return -ENOMEM;
	}
	return order_layers(order, start);
}

static int step_start(struct channel *channel, struct message *message)
{
	struct message_step_start start;
	struct step_order order;
	char refusal[REASON_MAX];
	const char *wrong;
	int r;

	r = MESSAGE_GET(message, step_start, &start);
	if (r < 0)
		return r;
	r = order_of(message, &start, &order);
	if (r < 0) {
		step_order_clear(&order);
		return r;
	}
	wrong = order_refusal(&order);
	if (!wrong)
		return steps_start(daemon_of(channel)->steps, &order, NULL);
	/*
	 * Report a result instead of closing the channel: a new scheduler would find the claim
	 * in its store and send the same order again. Names that are not valid must not reach
	 * a log or a path.
	 */
	copy(order.project, sizeof(order.project), "invalid");
	copy(order.slug, sizeof(order.slug), "invalid");
	copy(order.name, sizeof(order.name), "invalid");
	(void)snprintf(refusal, sizeof(refusal), "refused: the order's %s is not valid", wrong);
	return steps_start(daemon_of(channel)->steps, &order, refusal);
}

static int step_cancel(struct channel *channel, struct message *message)
{
	struct message_step_cancel cancel;
	int r = MESSAGE_GET(message, step_cancel, &cancel);

	if (r < 0)
		return r;
	if (cancel.why != STEP_RESULT_CANCELLED && cancel.why != STEP_RESULT_TIMEOUT)
		return -EBADMSG;
	steps_cancel(daemon_of(channel)->steps, cancel.order, cancel.why);
	return 0;
}

static int step_acknowledge(struct channel *channel, struct message *message)
{
	struct message_step_ack ack;
	int r = MESSAGE_GET(message, step_ack, &ack);

	if (r < 0)
		return r;
	steps_acknowledge(daemon_of(channel)->steps, ack.order);
	return 0;
}

/* Every run of the project gets the same directory. */
static int workspace_open(struct channel *channel, struct message *message)
{
	struct message_workspace_open open;
	const struct config_project *project;
	struct error error = ERROR_INIT;
	const char *misnamed = NULL;
	cleanup_close int fd = -1;
	int r = MESSAGE_GET(message, workspace_open, &open);

	if (r < 0)
		return r;
	project = config_project_find(daemon_of(channel)->config, open.project);
	if (!project || !project->workspace)
		(void)error_set(&error, ENOENT, "the project is not a workspace");
	else
		fd = workspace_open_runbook(project, &misnamed, &error);
	/* on failure the scheduler has ended: a new one requests it again */
	(void)channel_send(channel,
			   MESSAGE_NEW(workspace_opened, message->serial, .error = error.text,
				       .misnamed = misnamed, .runbook = fd));
	return 0;
}

static int log_remove_asked(struct channel *channel, struct message *message)
{
	struct message_log_remove remove;
	int r = MESSAGE_GET(message, log_remove, &remove);

	if (r < 0)
		return r;
	if (!project_name_valid(remove.project) || remove.run == 0 || remove.run > STEP_NUMBER_MAX)
		return -EBADMSG;
	return log_remove(daemon_of(channel)->log_remover, remove.project, remove.run);
}

/* ---- layers ---- */

static bool id_or_none(const char *id)
{
	return id[0] == '\0' || image_id_valid(id);
}

static int layer_unpack(struct channel *channel, struct message *message)
{
	struct message_layer_unpack unpack;
	struct stat st;
	int r = MESSAGE_GET(message, layer_unpack, &unpack);

	if (r < 0)
		return r;
	/* the number 0 is reserved for us */
	if (unpack.job == 0 || !id_or_none(unpack.digest) || !id_or_none(unpack.layer) ||
	    fstat(unpack.blob, &st) < 0 || !S_ISREG(st.st_mode))
		return -EBADMSG;
	layers_unpack(daemon_of(channel)->layers, unpack.job, unpack.digest, unpack.layer,
		      unpack.blob);
	return 0;
}

static int layer_opaque(struct channel *channel, struct message *message)
{
	struct message_layer_opaque opaque;
	int r = MESSAGE_GET(message, layer_opaque, &opaque);

	if (r < 0)
		return r;
	if (opaque.path[0] == '\0')
		return -EBADMSG;
	layers_opaque(daemon_of(channel)->layers, opaque.job, opaque.path);
	return 0;
}

static int layer_commit(struct channel *channel, struct message *message)
{
	struct message_layer_commit commit;
	int r = MESSAGE_GET(message, layer_commit, &commit);

	if (r < 0)
		return r;
	if (!id_or_none(commit.layer))
		return -EBADMSG;
	layers_commit(daemon_of(channel)->layers, commit.job, commit.layer);
	return 0;
}

static int layer_forget(struct channel *channel, struct message *message)
{
	struct message_layer_forget forget;
	int r = MESSAGE_GET(message, layer_forget, &forget);

	if (r < 0)
		return r;
	if (!image_id_valid(forget.layer))
		return -EBADMSG;
	layers_forget(daemon_of(channel)->layers, forget.layer);
	return 0;
}

/* ---- keys of secrets ---- */

static int secret_key_new(struct channel *channel, struct message *message)
{
	struct message_secret_key_new asked;
	int r = MESSAGE_GET(message, secret_key_new, &asked);

	if (r < 0)
		return r;
	(void)channel_send(channel, key_message(&daemon_of(channel)->paths, true));
	return 0;
}

static int secret_key_keep(struct channel *channel, struct message *message)
{
	struct message_secret_key_keep keep;
	struct error error = ERROR_INIT;
	struct key_source source;
	int r = MESSAGE_GET(message, secret_key_keep, &keep);

	if (r < 0)
		return r;
	if (!secret_key_id_valid(keep.id))
		return -EBADMSG;
	key_source_find(&daemon_of(channel)->paths, &source);
	/* on failure the scheduler requests it again at its next start */
	if (key_file_keep(&source, keep.id, &error) < 0)
		log_error("keys of secrets: %s", error.text);
	return 0;
}

/* ---- configuration ---- */

static void reload_answer(struct daemon *daemon, uint64_t serial, const char *error)
{
	/* an api that was restarted meanwhile does not know the serial, which is fine */
	(void)channel_send(link_to(daemon, CHILD_API),
			   MESSAGE_NEW(reloaded, serial, .error = error));
}

static void reload_now(struct loop_timer *timer)
{
	struct daemon *daemon = container_of(timer, struct daemon, reload_timer);
	struct error error = ERROR_INIT;
	size_t n = daemon->n_reloads;

	daemon->n_reloads = 0;
	(void)daemon_reload(daemon, &error);
	daemon->reloaded_usec = now_usec();
	for (size_t i = 0; i < n; i++)
		reload_answer(daemon, daemon->reload_serials[i], error.number ? error.text : "");
}

/*
 * A reload sends every child all of its configuration. Requests that arrive close together
 * become one reload, so that the api cannot flood the others.
 */
static int reload(struct channel *channel, struct message *message)
{
	struct daemon *daemon = daemon_of(channel);
	uint64_t due = daemon->reloaded_usec + RELOAD_PAUSE_USEC;
	struct message_reload asked;
	int r = MESSAGE_GET(message, reload, &asked);

	if (r < 0)
		return r;
	if (daemon->n_reloads == RELOADS_MAX) {
		reload_answer(daemon, message->serial, "too many reloads wait: try again later");
		return 0;
	}
	daemon->reload_serials[daemon->n_reloads++] = message->serial;
	if (daemon->n_reloads == 1)
		(void)loop_timer_set(daemon->loop, &daemon->reload_timer,
				     daemon->reloaded_usec ? due : now_usec(), reload_now);
	return 0;
}

/* common/message_table.h says which child may send which message; the channel has checked that. */
const struct message_handler requests_table[] = {
	{MESSAGE_HELLO, child_greeted},		  {MESSAGE_STEP_START, step_start},
	{MESSAGE_STEP_CANCEL, step_cancel},	  {MESSAGE_STEP_ACK, step_acknowledge},
	{MESSAGE_WORKSPACE_OPEN, workspace_open}, {MESSAGE_RELOAD, reload},
	{MESSAGE_LAYER_UNPACK, layer_unpack},	  {MESSAGE_LAYER_OPAQUE, layer_opaque},
	{MESSAGE_LAYER_COMMIT, layer_commit},	  {MESSAGE_LAYER_FORGET, layer_forget},
	{MESSAGE_SECRET_KEY_NEW, secret_key_new}, {MESSAGE_SECRET_KEY_KEEP, secret_key_keep},
	{MESSAGE_LOG_REMOVE, log_remove_asked},	  {MESSAGE_CHANNEL_LOST, child_channel_lost},
};
const size_t requests_table_size = ARRAY_SIZE(requests_table);
