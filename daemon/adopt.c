/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/adopt.h"

#include "common/cleanup.h"
#include "daemon/daemon.h"
#include "daemon/layers.h"
#include "daemon/step_persist.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define STEP_PREFIX FD_STORE_PREFIX "s"

/* ---- ledger and instance id ---- */

static int make_instance_id(char *out, struct error *error)
{
	unsigned char random[(INSTANCE_ID_SIZE - 1) / 2];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return error_errno(error, errno, "cannot get random bytes");
	for (size_t i = 0; i < sizeof(random); i++)
		(void)snprintf(out + 2 * i, 3, "%02x", random[i]);
	return 0;
}

static int copy_of(const struct fd_store *store, const char *name)
{
	int fd = fd_store_get(store, name);

	return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/* The ledger of a predecessor of any version. Return: 0; -ENOENT; -errno with @error. */
static int ledger_inherit(struct daemon *daemon, struct error *error)
{
	int fd = fd_store_newest(daemon->fds, ADOPT_LEDGER_NAME);
	int r;

	if (fd < 0)
		return -ENOENT;
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return error_errno(error, errno, "cannot take over the ledger of steps");
	r = ledger_new(fd, NULL, &daemon->ledger, error);
	if (r < 0 || !ledger_converted(daemon->ledger))
		return r;
	/* the new ledger is what changes from now on, so it must replace the old one */
	fd = fcntl(ledger_fd(daemon->ledger), F_DUPFD_CLOEXEC, 3);
	r = fd < 0 ? -errno : fd_store_renew(daemon->fds, ADOPT_LEDGER_NAME, fd);
	if (r == 0) {
		log_notice("the ledger of steps was of another version, and was converted");
		return 0;
	}
	daemon->ledger = ledger_free(daemon->ledger);
	return error_errno(error, -r, "cannot keep a ledger of steps in place of the old one");
}

static int ledger_make(struct daemon *daemon, struct error *error)
{
	int fd, r = ledger_new(-1, daemon->instance_id, &daemon->ledger, error);

	if (r < 0)
		return r;
	fd = fcntl(ledger_fd(daemon->ledger), F_DUPFD_CLOEXEC, 3);
	if (fd >= 0)
		(void)fd_store_renew(daemon->fds, ADOPT_LEDGER_NAME, fd);
	return 0;
}

int adopt_ledger(struct daemon *daemon, struct error *error)
{
	int r;

	if (make_instance_id(daemon->instance_id, error) < 0)
		return -error->number;
	r = adopt_check(daemon->fds, error);
	if (r == 0)
		r = ledger_inherit(daemon, error);
	/* the service manager still has everything, for a version that can read it */
	if (r < 0 && r != -ENOENT && fd_store_outlives(daemon->fds))
		return error_wrap(error,
				  "refusing to start, the steps that run wait for a runbookd "
				  "that can go on with them (install the one that started "
				  "them, or a newer one; systemctl stop ends them)");
	if (r < 0 && r != -ENOENT)
		log_error("steps that run are lost: %s", error->text);
	if (r < 0) {
		/* all descriptors in the store belong to a ledger that we cannot read */
		fd_store_clear(daemon->fds);
		r = ledger_make(daemon, error);
		if (r < 0)
			return r;
	}
	(void)snprintf(daemon->instance_id, sizeof(daemon->instance_id), "%s",
		       ledger_instance(daemon->ledger));
	return 0;
}

void adopt_host(struct daemon *daemon)
{
	int fds[SANDBOX_HOST_FD_NUM], ours[SANDBOX_HOST_FD_NUM], used[SANDBOX_HOST_FD_NUM];

	for (size_t i = 0; i < SANDBOX_HOST_FD_NUM; i++)
		fds[i] = ours[i] = copy_of(daemon->fds, step_persist_host_name(i));
	sandbox_host_inherit(daemon->sandbox_host, fds);
	sandbox_host_persist(daemon->sandbox_host, used);
	/* drop a lock that is not in use (its file was replaced); step_persist_running() stores the
	 * lock in use with the next step */
	for (size_t i = 0; i < SANDBOX_HOST_FD_NUM; i++) {
		if (used[i] < 0 || used[i] != ours[i])
			fd_store_drop(daemon->fds, step_persist_host_name(i));
	}
}

/* ---- steps ---- */

#define WHILE_STARTING "runbookd ended while it started the step"

static struct step *step_make(struct step_table *table, struct ledger_step *kept)
{
	struct step *step = calloc(1, sizeof(*step));
	struct step_order order = {
		.order = kept->order,
		.run = kept->run,
		.attempt = kept->attempt,
		.timeout_msec = kept->timeout_msec,
		.grace_msec = kept->grace_msec,
		.payload_fd = -1,
		.mask_fd = -1,
	};

	if (!step)
		return NULL;
	(void)snprintf(order.project, sizeof(order.project), "%s", kept->project);
	(void)snprintf(order.slug, sizeof(order.slug), "%s", kept->slug);
	(void)snprintf(order.name, sizeof(order.name), "%s", kept->name);
	step_prepare(step, table, &order);
	step->kept = kept;
	step->started_usec = kept->started_usec;
	step->ended_usec = kept->ended_usec;
	step->facts.timeout_msec = kept->timeout_msec;
	step->facts.ended_by_us = kept->ended_by_us != 0;
	step->facts.cause = (enum step_result)kept->cause;
	step->facts.stopping = kept->stopping != 0;
	step->facts.outcome = kept->outcome;
	/* a newer version may know more figures; drop those that we have no name for */
	step->facts.outcome.usage.known &= (1ULL << STEP_USAGE_NUM) - 1;
	step->facts.log = kept->log_result;
	memcpy(step->facts.setup_error, kept->setup_error, sizeof(step->facts.setup_error));
	step->report = kept->report;
	return step;
}

static void take_layers(struct step *step, struct step_fd_bundle *bundle)
{
	char path[PATH_MAX];

	step->order.layers = TAKE_PTR(bundle->layers);
	step->order.n_layers = bundle->n_layers;
	/* no layer of a running step was removed: our predecessor held its lock until it ended */
	while (step->n_layers_used < bundle->n_layers &&
	       layers_use(step->table->daemon->layers,
			  step->order.layers + step->n_layers_used * IMAGE_ID_SIZE, path) == 0)
		step->n_layers_used++;
}

/* Takes over a step between LEDGER_RUNNING and LEDGER_FINISHED. */
static int step_take_over(struct step *step, struct error *error)
{
	struct daemon *daemon = step->table->daemon;
	enum ledger_phase phase = (enum ledger_phase)step->kept->phase;
	struct step_fd_bundle bundle;
	int r = step_fd_bundle_open(daemon->fds, step->order.order, &bundle, error);

	/* systemd drops FDSTORE=1 from a process that has exited before it reads the message */
	if (r == -ENOENT)
		return error_set(error, ENOENT, "%s, or it could not be kept", WHILE_STARTING);
	if (r < 0)
		return error_wrap(error, "cannot take a running step over");
	if (phase != LEDGER_FINISHED) {
		r = supervise_adopt(&step->supervised, &bundle.sandbox, error);
		bundle.sandbox.n_fds = 0; /* taken over, also on failure */
		if (r == 0)
			take_layers(step, &bundle);
	}
	step->order.mask_fd = TAKE_FD(bundle.mask_fd);
	if (r == 0)
		r = step_resume(step, bundle.fds, error);
	step_fd_bundle_close(&bundle);
	return r;
}

static void step_lost(struct step *step, const char *why)
{
	step->report = (struct step_report){.result = STEP_RESULT_SANDBOX};
	(void)snprintf(step->report.reason, sizeof(step->report.reason), "host lost: %.400s", why);
	step->ended_usec = 0;
	step_end_lost(step);
}

static void adopt_one(struct step_table *table, struct ledger_step *kept, size_t *n_running)
{
	struct step *step = step_find(table, kept->order) ? NULL : step_make(table, kept);
	struct error error = ERROR_INIT;

	if (!step) {
		log_error("order %llu is forgotten", (unsigned long long)kept->order);
		ledger_step_free(table->daemon->ledger, kept);
		return;
	}
	step_link(table, step);
	if (kept->phase == LEDGER_ENDED) {
		step_phase_set(step, STEP_ENDED);
		table->n_ended++;
		return;
	}
	table->n_running++;
	if (kept->phase == LEDGER_BEGUN) {
		step_lost(step, WHILE_STARTING);
		return;
	}
	if (step_take_over(step, &error) < 0) {
		step_lost(step, error.text);
		return;
	}
	(*n_running)++;
	log_info("%s goes on", step->container);
}

/* Is @name of something else than an fd bundle, or of a step that has not ended? */
static bool fd_bundle_wanted(const struct step_table *table, const char *name)
{
	const struct step *step;
	uint64_t order;

	if (strncmp(name, STEP_PREFIX, strlen(STEP_PREFIX)) != 0)
		return true;
	if (sscanf(name + strlen(STEP_PREFIX), "%" SCNu64, &order) != 1)
		return false;
	step = step_find(table, order);
	return step && step->phase != STEP_ENDED;
}

static void fd_bundles_drop(struct step_table *table)
{
	struct fd_store *store = table->daemon->fds;
	char name[FD_STORE_NAME_MAX];

	for (size_t i = 0; fd_store_name(store, i);) {
		(void)snprintf(name, sizeof(name), "%s", fd_store_name(store, i));
		/* a drop moves the last name to this index */
		if (fd_bundle_wanted(table, name))
			i++;
		else
			fd_store_drop(store, name);
	}
}

void adopt_steps(struct daemon *daemon)
{
	struct step_table *table = daemon->steps;
	struct ledger_step *kept = NULL;
	struct error error = ERROR_INIT;
	size_t n_running = 0;

	while ((kept = ledger_step_next(daemon->ledger, kept)) != NULL)
		adopt_one(table, kept, &n_running);
	log_pump_settle(table->pump);
	fd_bundles_drop(table);
	if (sandbox_host_settle(daemon->sandbox_host, &error) < 0)
		log_warning("the network of running steps may be down: %s", error.text);
	if (n_running > 0)
		log_notice("%zu running steps of a predecessor go on", n_running);
}
