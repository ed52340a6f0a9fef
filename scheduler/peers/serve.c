/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/peers/serve.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/messages/channels.h"
#include "scheduler/answers/backup.h"
#include "scheduler/engine/executor_sync.h"
#include "scheduler/engine/images.h"
#include "scheduler/engine/progress.h"
#include "scheduler/engine/retention.h"
#include "scheduler/engine/run.h"
#include "scheduler/engine/schedule.h"
#include "scheduler/engine/secrets.h"
#include "scheduler/engine/source.h"
#include "scheduler/engine/turn.h"
#include "scheduler/model/outbox.h"
#include "scheduler/model/project.h"
#include "scheduler/peers/configuration.h"
#include "scheduler/peers/requests.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/*
 * A process that comes back gets a channel to this one without a request. If both processes live
 * and one of them closed the channel, because a message of the other was not allowed, it has to be
 * requested: no peer can stop the scheduler, or make it start again, by what it sends.
 */
static void peer_lost(struct loop_timer *timer)
{
	struct peer *peer = container_of(timer, struct peer, lost_timer);
	struct scheduler *scheduler = peer->scheduler;

	(void)channel_send(&executor_home(scheduler)->peer.channel,
			   MESSAGE_NEW(channel_lost, 0, .role = peer->role));
	(void)loop_timer_set(scheduler->loop, &peer->lost_timer,
			     now_usec() + CHANNEL_LOST_SEC * USEC_PER_SEC, peer_lost);
}

/* The fetcher came back or went away: none of the open requests will be answered. */
static void fetches_forget(struct scheduler *scheduler, bool may_ask)
{
	retention_trees_forget(scheduler);
	sources_reask(scheduler, may_ask);
}

static void peer_closed(struct channel *channel)
{
	struct peer *peer = channel->userdata;
	struct scheduler *scheduler = peer->scheduler;

	if (peer->role == ROLE_DAEMON) {
		executor_closed(executor_of(peer));
		return;
	}
	(void)loop_timer_set(scheduler->loop, &peer->lost_timer,
			     now_usec() + CHANNEL_LOST_SEC * USEC_PER_SEC, peer_lost);
	switch (peer->role) {
	case ROLE_FETCHER:
		log_notice("the fetcher is away: open fetches are repeated when it is back");
		fetches_forget(scheduler, false);
		break;
	case ROLE_API:
		scheduler->events_behind = false;
		loop_timer_cancel(&scheduler->events_timer);
		break;
	default:
		break;
	}
}

/* Draw the consequences of each message before the next one: handlers see no half-made change. */
static void peer_handled(struct channel *channel)
{
	progress(((struct peer *)channel->userdata)->scheduler);
}

int peer_open(struct peer *peer, int fd)
{
	struct scheduler *scheduler = peer->scheduler;
	struct message_table table = requests_of(peer->role);
	int r;

	channel_close(&peer->channel);
	peer->generation++;
	r = channel_open(&peer->channel, scheduler->loop, fd, ROLE_SCHEDULER, peer->role,
			 table.handlers, table.n_handlers, peer_closed, peer);
	if (r < 0) {
		/* the daemon makes another channel only when one of the two processes ends */
		log_error("cannot open the channel to %s: %s: ending", role_name(peer->role),
			  strerror(-r));
		loop_exit(scheduler->loop, 1);
		return 0; /* the daemon's message was correct */
	}
	peer->channel.handled = peer_handled;
	loop_timer_cancel(&peer->lost_timer);
	if (peer->role == ROLE_DAEMON) {
		executor_opened(executor_of(peer));
	} else if (peer->role == ROLE_FETCHER) {
		fetches_forget(scheduler, true);
	} else if (peer->role == ROLE_IMAGE) {
		images_reask(scheduler);
	} else if (peer->role == ROLE_CACHER) {
		removals_reask(scheduler);
	} else if (peer->role == ROLE_API) {
		/* send events from here on; the api requests earlier ones */
		scheduler->events_behind = false;
		loop_timer_cancel(&scheduler->events_timer);
		(void)store_event_last(scheduler->store, &scheduler->event_sent);
	}
	return 0;
}

static void scheduler_clear(struct scheduler *scheduler)
{
	struct peer *peers[] = {&scheduler->webhook, &scheduler->fetcher, &scheduler->api,
				&scheduler->image, &scheduler->cacher};
	size_t cursor, n_freed, bucket = 0;
	struct project *project = NULL;
	struct executor *executor;
	struct run *run;

	list_each (executor, &scheduler->executors, node)
		channel_close(&executor->peer.channel);
	for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++)
		channel_close(&peers[i]->channel);
	for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++)
		loop_timer_cancel(&peers[i]->lost_timer);
	outbox_clear(scheduler);
	loop_timer_cancel(&scheduler->turn_timer);
	loop_timer_cancel(&scheduler->events_timer);
	loop_timer_cancel(&scheduler->schedule_timer);
	loop_timer_cancel(&scheduler->deliveries_timer);
	config_discard(scheduler);
	/*
	 * a removal moves later slots, so that one walk may miss some: repeat until a walk finds
	 * none
	 */
	do {
		n_freed = cursor = 0;
		for (; (run = map_next(&scheduler->runs, &cursor)); n_freed++)
			(void)run_free(run);
	} while (n_freed > 0);
	outbox_clear(scheduler);
	retention_trees_forget(scheduler);
	while ((project = project_next(scheduler, &bucket, project)))
		schedules_free(project);
	projects_free(scheduler);
	images_clear(&scheduler->images);
	secrets_clear(&scheduler->secrets);
	executors_free(scheduler);
	map_clear(&scheduler->runs);
	map_clear(&scheduler->orders);
	map_clear(&scheduler->serials);
	backup_stop(scheduler);
	retention_clear(scheduler);
	(void)store_close(scheduler->store);
	loop_timer_cancel(&scheduler->turn_timer);
	(void)loop_free(scheduler->loop);
	free(scheduler);
}

struct scheduler *scheduler_new(struct store *store)
{
	struct scheduler *scheduler = calloc(1, sizeof(*scheduler));

	if (scheduler)
		queue_init(&scheduler->queue);
	if (!scheduler || secrets_init(&scheduler->secrets) < 0 || loop_new(&scheduler->loop) < 0 ||
	    !executor_add(scheduler, "this host")) {
		(void)store_close(store);
		if (scheduler) {
			secrets_clear(&scheduler->secrets);
			(void)loop_free(scheduler->loop);
		}
		free(scheduler);
		return NULL;
	}
	scheduler->store = store;
	scheduler->turn_end = turn_end;
	scheduler->started_usec = wall_usec();
	scheduler->webhook = (struct peer){.scheduler = scheduler, .role = ROLE_WEBHOOK};
	scheduler->fetcher = (struct peer){.scheduler = scheduler, .role = ROLE_FETCHER};
	scheduler->api = (struct peer){.scheduler = scheduler, .role = ROLE_API};
	scheduler->image = (struct peer){.scheduler = scheduler, .role = ROLE_IMAGE};
	scheduler->cacher = (struct peer){.scheduler = scheduler, .role = ROLE_CACHER};
	return scheduler;
}

int scheduler_run(struct scheduler *scheduler)
{
	struct error error = ERROR_INIT;
	int code;

	if (runs_resume(scheduler, &error) < 0) {
		log_error("%s", error.text);
		scheduler_clear(scheduler);
		return 1;
	}
	removals_resume(scheduler);
	code = loop_run(scheduler->loop);
	if (code < 0)
		log_error("event loop: %s", strerror(-code));
	scheduler_clear(scheduler);
	return code < 0 ? 1 : code;
}

int scheduler_serve(int channel_fd, struct store *store)
{
	struct scheduler *scheduler = scheduler_new(store);

	if (!scheduler) {
		log_error("out of memory");
		return 1;
	}
	(void)peer_open(&executor_home(scheduler)->peer, channel_fd);
	return scheduler_run(scheduler);
}
