/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/layer_remove.h"

#include "common/cleanup.h"
#include "common/list.h"
#include "common/log.h"
#include "common/phases.h"
#include "daemon/daemon.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define RUNNING_MAX 1
#define TRIES 6
#define PAUSE_USEC (1 * USEC_PER_SEC) /* doubled with each try */

enum removal_phase { REMOVAL_WAITING, REMOVAL_RUNNING, REMOVAL_PAUSED };

struct removal {
	struct layer_remover *remover;
	struct list_node node;
	enum removal_phase phase;
	unsigned n_tries;
	struct dir_claim dir;
	struct supervised supervised;
	struct loop_timer pause_timer;
};

struct layer_remover {
	struct daemon *daemon;
	struct layer_sandboxes *by;
	struct list removals; /* the newest first */
	size_t n_running;
	bool stopping;
};

static void phase_set(struct removal *removal, enum removal_phase to)
{
	static const unsigned next[] = {
		/* paused: its sandbox could not be started */
		[REMOVAL_WAITING] = PHASE(REMOVAL_RUNNING) | PHASE(REMOVAL_PAUSED),
		[REMOVAL_RUNNING] = PHASE(REMOVAL_PAUSED),
		[REMOVAL_PAUSED] = PHASE(REMOVAL_WAITING),
	};

	assert(phase_may_follow(next, ARRAY_SIZE(next), removal->phase, to));
	removal->phase = to;
}

static void removals_start(struct layer_remover *remover);

static void removal_free(struct removal *removal)
{
	list_remove(&removal->node);
	dir_claim_drop(&removal->dir);
	free(removal);
}

static void removal_again(struct loop_timer *timer)
{
	struct removal *removal = container_of(timer, struct removal, pause_timer);

	phase_set(removal, REMOVAL_WAITING);
	removals_start(removal->remover);
}

/* The sandbox may have been killed or failed to start; both are transient, so retry. */
static void removal_done(struct removal *removal, const char *failure)
{
	struct layer_remover *remover = removal->remover;
	const char *path = dir_store_path(remover->by->store), *name = removal->dir.name;
	int r = dir_store_remove(remover->by->store, &removal->dir);

	if (r < 0) {
		const char *why = failure[0] ? failure : strerror(-r);
		uint64_t at = now_usec() + (PAUSE_USEC << removal->n_tries);

		phase_set(removal, REMOVAL_PAUSED);
		if (++removal->n_tries < TRIES &&
		    loop_timer_set(remover->daemon->loop, &removal->pause_timer, at,
				   removal_again) == 0) {
			log_info("%s/%s is not removed yet, trying again: %s", path, name, why);
			return;
		}
		log_warning("%s/%s stays until the next start: %s", path, name, why);
	}
	removal_free(removal);
}

static void sandbox_done(struct supervised *supervised, const struct supervised_end *end)
{
	struct removal *removal = container_of(supervised, struct removal, supervised);
	struct layer_remover *remover = removal->remover;
	struct error failure;

	remover->n_running--;
	layer_sandbox_failure(supervised, end, &failure);
	removal_done(removal, failure.text);
	removals_start(remover);
	daemon_changed(remover->daemon);
}

static void removals_start(struct layer_remover *remover)
{
	static char program[] = LAYER_SANDBOX_PROGRAM, option[] = "--remove",
		    directory[] = LAYER_SANDBOX_LAYER;
	char *const arguments[] = {program, option, directory, NULL};
	struct removal *removal, *next;

	list_each_safe (removal, next, &remover->removals, node) {
		struct error error = ERROR_INIT;

		if (remover->stopping || remover->n_running >= RUNNING_MAX)
			return;
		if (removal->phase != REMOVAL_WAITING)
			continue;
		/* if this fails for good, the next start of runbookd finds the directory */
		if (layer_sandbox_start(remover->by, &removal->supervised, &removal->dir, arguments,
					-1, -1, &error) < 0) {
			removal_done(removal, error.text);
			continue;
		}
		phase_set(removal, REMOVAL_RUNNING);
		remover->n_running++;
	}
}

int layer_remover_add(struct layer_remover *remover, struct dir_claim *claim)
{
	struct removal *removal = calloc(1, sizeof(*removal));

	if (!removal) {
		dir_claim_drop(claim);
		return -ENOMEM;
	}
	removal->remover = remover;
	removal->dir = *claim;
	*claim = DIR_CLAIM_NULL;
	removal->pause_timer = LOOP_TIMER_NULL;
	layer_sandbox_init(remover->by, &removal->supervised, sandbox_done);
	list_prepend(&remover->removals, &removal->node);
	removals_start(remover);
	return 0;
}

void layer_remover_stop(struct layer_remover *remover)
{
	struct removal *removal;

	remover->stopping = true;
	list_each (removal, &remover->removals, node)
		supervise_kill(&removal->supervised);
}

void layer_remover_resume(struct layer_remover *remover)
{
	remover->stopping = false;
	removals_start(remover);
}

bool layer_remover_busy(const struct layer_remover *remover)
{
	return remover->n_running > 0;
}

int layer_remover_new(struct daemon *daemon, struct layer_sandboxes *by,
		      struct layer_remover **ret_remover)
{
	struct layer_remover *remover = calloc(1, sizeof(*remover));

	if (!remover)
		return -ENOMEM;
	remover->daemon = daemon;
	remover->by = by;
	*ret_remover = remover;
	return 0;
}

struct layer_remover *layer_remover_free(struct layer_remover *remover)
{
	struct removal *removal, *next;

	if (!remover)
		return NULL;
	list_each_safe (removal, next, &remover->removals, node) {
		loop_timer_cancel(&removal->pause_timer);
		supervise_abandon(&removal->supervised, NULL);
		removal_free(removal);
	}
	free(remover);
	return NULL;
}
