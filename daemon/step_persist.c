/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/step_persist.h"

#include "common/cleanup.h"
#include "daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ---- phases ---- */

int step_persist_begin(struct step *step)
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

const char *step_persist_host_name(size_t index)
{
	static const char *const names[SANDBOX_HOST_FD_NUM] = {
		[SANDBOX_HOST_FD_USERS] = FD_STORE_PREFIX "users",
		[SANDBOX_HOST_FD_NETWORK] = FD_STORE_PREFIX "network",
		[SANDBOX_HOST_FD_GATEWAY] = FD_STORE_PREFIX "gateway",
	};

	return names[index];
}

static bool same_file(int one, int other)
{
	struct stat a, b;

	return fstat(one, &a) == 0 && fstat(other, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

void step_persist_host(const struct step_table *table)
{
	struct fd_store *store = table->daemon->fds;
	int fds[SANDBOX_HOST_FD_NUM];

	sandbox_host_persist(table->supervisor.host, fds);
	for (size_t i = 0; i < SANDBOX_HOST_FD_NUM; i++) {
		const char *name = step_persist_host_name(i);
		int fd = fd_store_get(store, name);

		if (fds[i] < 0 || (fd >= 0 && same_file(fd, fds[i])))
			continue;
		if (fd >= 0)
			fd_store_drop(store, name);
		fd = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
		if (fd >= 0)
			(void)fd_store_put(store, name, fd);
	}
}

void step_persist_running(struct step *step, const struct step_setup *setup)
{
	struct ledger_step *kept = step->kept;
	char name[FD_STORE_NAME_MAX];
	int r;

	if (!kept)
		return;
	kept->started_usec = step->started_usec;
	if (kept->timeout_msec > 0)
		kept->deadline_usec = now_usec() + kept->timeout_msec * USEC_PER_MSEC;
	step_persist_host(step->table);
	step_fd_bundle_name(step->order.order, name);
	r = step_fd_bundle_make(step, setup);
	if (r >= 0)
		r = fd_store_put(step->table->daemon->fds, name, r);
	if (r < 0)
		log_warning("%s would not outlive runbookd: %s", step->container, strerror(-r));
	/* after the bundle is stored: a successor expects one from this phase on */
	ledger_phase_set(kept, LEDGER_RUNNING);
}

void step_persist_ending(struct step *step)
{
	struct ledger_step *kept = step->kept;

	if (!kept)
		return;
	kept->cause = (uint32_t)step->supervised.cause;
	kept->stopping = step->facts.stopping;
	kept->deadline_usec = step->supervised.kill_at_usec;
	__atomic_store_n(&kept->ended_by_us, 1, __ATOMIC_SEQ_CST);
}

void step_persist_outcome(struct step *step)
{
	struct ledger_step *kept = step->kept;

	if (!kept)
		return;
	kept->outcome = step->facts.outcome;
	memcpy(kept->setup_error, step->facts.setup_error, sizeof(kept->setup_error));
	ledger_phase_set(kept, LEDGER_COLLECTED);
}

void step_persist_finished(struct step *step)
{
	if (step->kept)
		ledger_phase_set(step->kept, LEDGER_FINISHED);
}

void step_persist_ended(struct step *step)
{
	struct ledger_step *kept;
	char name[FD_STORE_NAME_MAX];

	/* a refused step has no entry yet; its report must not be lost either */
	if (step_persist_begin(step) < 0 || !step->kept)
		return;
	kept = step->kept;
	kept->started_usec = step->started_usec;
	kept->ended_usec = step->ended_usec;
	kept->outcome = step->facts.outcome;
	kept->log_result = step->facts.log;
	kept->report = step->report;
	ledger_phase_set(kept, LEDGER_ENDED);
	/* wipe bytes that masks held back: they may be most of a secret, and the log is complete or
	 * given up */
	explicit_bzero(kept->log.masks, sizeof(kept->log.masks));
	step_fd_bundle_name(step->order.order, name);
	fd_store_drop(step->table->daemon->fds, name);
}

void step_persist_forget(struct step *step)
{
	if (step->kept)
		ledger_step_free(step->table->daemon->ledger, step->kept);
	step->kept = NULL;
}
