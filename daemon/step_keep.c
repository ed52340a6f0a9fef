/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/step_keep.h"

#include "common/cleanup.h"
#include "daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define BAG_MAGIC 0x53424252u /* "RBBS" */
#define BAG_VERSION 1
_Static_assert(STEP_BAG_FDS + 1 + SANDBOX_KEPT_FDS_MAX <= FD_BAG_FDS_MAX, "a bag is too small");

/* Followed by the layers, then by the sandbox. */
struct bag_head {
	uint32_t magic, version;
	uint64_t order;
	uint64_t n_layers, sandbox_size;
	uint64_t has_mask; /* a descriptor before those of the sandbox */
};

void step_keep_name(uint64_t order, char *out)
{
	(void)snprintf(out, FD_STORE_NAME_MAX, FD_STORE_PREFIX "s%llu", (unsigned long long)order);
}

/* ---- how far it is ---- */

int step_keep_begin(struct step *step)
{
	struct ledger *ledger = step->table->daemon->ledger;
	const struct step_order *order = &step->order;
	struct ledger_step *kept;

	if (!ledger || step->kept)
		return 0;
	kept = ledger_step_new(ledger);
	if (!kept)
		return -ENOSPC;
	kept->order = order->order;
	kept->run = order->run;
	kept->attempt = order->attempt;
	(void)snprintf(kept->project, sizeof(kept->project), "%s", order->project);
	(void)snprintf(kept->slug, sizeof(kept->slug), "%s", order->slug);
	(void)snprintf(kept->name, sizeof(kept->name), "%s", order->name);
	kept->timeout_msec = order->timeout_msec;
	kept->grace_msec = order->grace_msec;
	ledger_phase_set(kept, LEDGER_BEGUN);
	ledger_order_note(ledger, order->order);
	step->kept = kept;
	return 0;
}

const char *step_keep_host_name(size_t index)
{
	static const char *const names[SANDBOX_HOST_FD_NUM] = {
		[SANDBOX_HOST_FD_USERS] = FD_STORE_PREFIX "users",
		[SANDBOX_HOST_FD_NETWORK] = FD_STORE_PREFIX "network",
	};

	return names[index];
}

/* What our own process needs to know of the host is kept with the first step that needs it. */
static void keep_host(const struct step_table *table)
{
	struct fd_store *store = table->daemon->fds;
	int fds[SANDBOX_HOST_FD_NUM];

	sandbox_host_keep(table->host, fds);
	for (size_t i = 0; i < SANDBOX_HOST_FD_NUM; i++) {
		int fd;

		if (fds[i] < 0 || fd_store_get(store, step_keep_host_name(i)) >= 0)
			continue;
		fd = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
		if (fd >= 0)
			(void)fd_store_put(store, step_keep_host_name(i), fd);
	}
}

static int bag_pack(const struct step *step, const struct step_setup *setup)
{
	const struct step_order *order = &step->order;
	size_t layers_size = order->n_layers * IMAGE_ID_SIZE;
	struct sandbox_kept sandbox = {.data = NULL};
	size_t n_fds = STEP_BAG_FDS;
	cleanup_free char *data = NULL;
	struct bag_head *head;
	int fds[FD_BAG_FDS_MAX] = {
		[STEP_BAG_LOG] = setup->log_fd,
		[STEP_BAG_INDEX] = setup->index_fd,
		[STEP_BAG_STDOUT] = setup->stdout_pipe[0],
		[STEP_BAG_STDERR] = setup->stderr_pipe[0],
		[STEP_BAG_CACHER] = setup->cacher_fd,
	};
	int r = step->table->ops->keep(&step->sandbox, &sandbox);

	if (r < 0)
		return r;
	data = calloc(1, sizeof(*head) + layers_size + sandbox.size);
	if (!data) {
		free(sandbox.data);
		return -ENOMEM;
	}
	head = (struct bag_head *)(void *)data;
	*head = (struct bag_head){.magic = BAG_MAGIC,
				  .version = BAG_VERSION,
				  .order = order->order,
				  .n_layers = order->n_layers,
				  .sandbox_size = sandbox.size,
				  .has_mask = order->mask_fd >= 0};
	if (layers_size > 0)
		memcpy(data + sizeof(*head), order->layers, layers_size);
	memcpy(data + sizeof(*head) + layers_size, sandbox.data, sandbox.size);
	if (order->mask_fd >= 0)
		fds[n_fds++] = order->mask_fd;
	memcpy(fds + n_fds, sandbox.fds, sandbox.n_fds * sizeof(int));
	r = fd_bag_make(data, sizeof(*head) + layers_size + sandbox.size, fds,
			n_fds + sandbox.n_fds);
	free(sandbox.data);
	return r;
}

void step_keep_running(struct step *step, const struct step_setup *setup)
{
	struct ledger_step *kept = step->kept;
	char name[FD_STORE_NAME_MAX];
	int r;

	if (!kept)
		return;
	kept->started_usec = step->started_usec;
	if (kept->timeout_msec > 0)
		kept->deadline_usec = now_usec() + kept->timeout_msec * USEC_PER_MSEC;
	keep_host(step->table);
	step_keep_name(step->order.order, name);
	r = bag_pack(step, setup);
	if (r >= 0)
		r = fd_store_put(step->table->daemon->fds, name, r);
	if (r < 0)
		log_warning("%s would not outlive runbookd: %s", step->container, strerror(-r));
	/* not before: who comes next looks for its bag then */
	ledger_phase_set(kept, LEDGER_RUNNING);
}

void step_keep_ending(struct step *step, uint64_t deadline_usec)
{
	struct ledger_step *kept = step->kept;

	if (!kept)
		return;
	kept->cause = step->facts.cause;
	kept->stopping = step->facts.stopping;
	kept->deadline_usec = deadline_usec;
	__atomic_store_n(&kept->ended_by_us, 1, __ATOMIC_SEQ_CST);
}

void step_keep_outcome(struct step *step)
{
	struct ledger_step *kept = step->kept;

	if (!kept)
		return;
	kept->outcome = step->facts.outcome;
	memcpy(kept->setup_error, step->facts.setup_error, sizeof(kept->setup_error));
	ledger_phase_set(kept, LEDGER_COLLECTED);
}

void step_keep_finished(struct step *step)
{
	if (step->kept)
		ledger_phase_set(step->kept, LEDGER_FINISHED);
}

void step_keep_ended(struct step *step)
{
	struct ledger_step *kept;
	char name[FD_STORE_NAME_MAX];

	/* one that was refused has no entry yet, and its report must not be lost either */
	if (step_keep_begin(step) < 0 || !step->kept)
		return;
	kept = step->kept;
	kept->started_usec = step->started_usec;
	kept->ended_usec = step->ended_usec;
	kept->outcome = step->facts.outcome;
	kept->log_result = step->facts.log;
	kept->report = step->report;
	ledger_phase_set(kept, LEDGER_ENDED);
	/* what was held back may be the most of a secret; its log is complete, or nobody goes on */
	explicit_bzero(kept->log.masks, sizeof(kept->log.masks));
	step_keep_name(step->order.order, name);
	fd_store_drop(step->table->daemon->fds, name);
}

void step_keep_forget(struct step *step)
{
	if (step->kept)
		ledger_step_free(step->table->daemon->ledger, step->kept);
	step->kept = NULL;
}

/* ---- bags ---- */

static bool head_valid(const char *data, size_t size, uint64_t order)
{
	const struct bag_head *head = (const struct bag_head *)(const void *)data;

	return size >= sizeof(*head) && head->magic == BAG_MAGIC && head->version == BAG_VERSION &&
	       head->order == order && head->n_layers <= IMAGE_LAYERS_MAX &&
	       head->sandbox_size <= FD_BAG_BYTES_MAX &&
	       size == sizeof(*head) + head->n_layers * IMAGE_ID_SIZE + head->sandbox_size;
}

static int bag_unpack(const char *data, struct step_bag *bag)
{
	const struct bag_head *head = (const struct bag_head *)(const void *)data;
	size_t layers_size = head->n_layers * IMAGE_ID_SIZE;

	bag->layers = malloc(layers_size + 1);
	bag->sandbox.data = malloc(head->sandbox_size + 1);
	if (!bag->layers || !bag->sandbox.data)
		return -ENOMEM;
	memcpy(bag->layers, data + sizeof(*head), layers_size);
	memcpy(bag->sandbox.data, data + sizeof(*head) + layers_size, head->sandbox_size);
	bag->n_layers = head->n_layers;
	bag->sandbox.size = head->sandbox_size;
	for (size_t i = 0; i < bag->n_layers; i++) {
		const char *layer = bag->layers + i * IMAGE_ID_SIZE;

		if (!memchr(layer, '\0', IMAGE_ID_SIZE) || !image_id_valid(layer))
			return -EBADMSG;
	}
	return 0;
}

int step_bag_open(const struct fd_store *store, uint64_t order, struct step_bag *ret_bag)
{
	cleanup_free char *data = malloc(FD_BAG_BYTES_MAX);
	const struct bag_head *head = (const struct bag_head *)(const void *)data;
	struct step_bag bag = {.mask_fd = -1};
	char name[FD_STORE_NAME_MAX];
	int fds[FD_BAG_FDS_MAX];
	size_t n_fds = 0;
	ssize_t size;
	int r = 0;

	step_keep_name(order, name);
	if (!data)
		return -ENOMEM;
	if (fd_store_get(store, name) < 0)
		return -ENOENT;
	size = fd_bag_open(fd_store_get(store, name), data, FD_BAG_BYTES_MAX, fds, &n_fds);
	if (size < 0)
		return (int)size;
	for (size_t i = 0; i < STEP_BAG_FDS; i++)
		bag.fds[i] = i < n_fds ? fds[i] : -1;
	if (n_fds < STEP_BAG_FDS || !head_valid(data, (size_t)size, order))
		r = -EBADMSG;
	for (size_t i = STEP_BAG_FDS; i < n_fds; i++) {
		if (i == STEP_BAG_FDS && r == 0 && head->has_mask)
			bag.mask_fd = fds[i];
		else if (bag.sandbox.n_fds < SANDBOX_KEPT_FDS_MAX)
			bag.sandbox.fds[bag.sandbox.n_fds++] = fds[i];
		else
			(void)close(fds[i]);
	}
	if (r == 0)
		r = bag_unpack(data, &bag);
	if (r < 0)
		step_bag_close(&bag);
	else
		*ret_bag = bag;
	return r;
}

void step_bag_close(struct step_bag *bag)
{
	for (size_t i = 0; i < STEP_BAG_FDS; i++) {
		if (bag->fds[i] >= 0)
			(void)close(bag->fds[i]);
		bag->fds[i] = -1;
	}
	if (bag->mask_fd >= 0)
		(void)close(bag->mask_fd);
	bag->mask_fd = -1;
	while (bag->sandbox.n_fds > 0)
		(void)close(bag->sandbox.fds[--bag->sandbox.n_fds]);
	free(bag->sandbox.data);
	free(bag->layers);
	bag->sandbox.data = NULL;
	bag->layers = NULL;
}
