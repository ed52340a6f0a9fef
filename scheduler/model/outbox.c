/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/model/outbox.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/message_table.h"
#include "common/messages/api.h"
#include "scheduler/model/give_up.h"
#include "scheduler/model/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* With more unsent messages than this to the api, further events wait in the store. */
#define EVENTS_QUEUED_MAX 8192
#define EVENTS_CHUNK 512
#define EVENTS_PAUSE_USEC (20 * USEC_PER_MSEC)
#define TURN_SOON_USEC (20 * USEC_PER_MSEC)

/* ---- messages of a turn ---- */

void turn_now(struct scheduler *scheduler)
{
	scheduler->turn_end(scheduler);
}

static void turn_timer_fired(struct loop_timer *timer)
{
	turn_now(container_of(timer, struct scheduler, turn_timer));
}

static void turn_at(struct scheduler *scheduler, uint64_t at_usec)
{
	/* the earlier of two turns ends what belongs to both */
	if (scheduler->turn_timer.loop && scheduler->turn_timer.at_usec <= at_usec)
		return;
	if (loop_timer_set(scheduler->loop, &scheduler->turn_timer, at_usec, turn_timer_fired) < 0)
		scheduler_give_up(scheduler, NULL);
}

void turn_schedule(struct scheduler *scheduler)
{
	turn_at(scheduler, now_usec());
}

void turn_schedule_soon(struct scheduler *scheduler)
{
	turn_at(scheduler, now_usec() + TURN_SOON_USEC);
}

void outbox_put(struct peer *peer, struct message *message)
{
	struct scheduler *scheduler = peer->scheduler;
	struct outbox_entry *entry;

	turn_schedule(scheduler);
	if (!peer->channel.open) {
		(void)message_free(message);
		return;
	}
	entry = message && !message->failed ? malloc(sizeof(*entry)) : NULL;
	if (!entry) {
		/* the peer would wait forever for a message that is never sent */
		scheduler_give_up(scheduler,
				  strerror(message && message->failed ? -message->failed : ENOMEM));
		(void)message_free(message);
		return;
	}
	*entry = (struct outbox_entry){
		.peer = peer,
		.generation = peer->generation,
		.message = message,
	};
	list_append(&scheduler->outbox, &entry->node);
}

static void outbox_send(struct outbox_entry *entry)
{
	const char *name = message_info(entry->message->type)->name;
	int r = channel_send(&entry->peer->channel, entry->message);

	/* a peer that ended requests it again when it is back, or gets all of it again */
	if (r < 0 && r != -ENOTCONN)
		log_error("cannot send %s to %s: %s", name, role_name(entry->peer->role),
			  strerror(-r));
}

static void outbox_take(struct scheduler *scheduler, bool send)
{
	struct list taken = {NULL, NULL};
	struct list_node *node;

	/* sending may add entries (a peer may hang up), which wait for the next commit */
	while ((node = list_pop(&scheduler->outbox)))
		list_append(&taken, node);
	while ((node = list_pop(&taken))) {
		struct outbox_entry *entry = list_entry(node, struct outbox_entry, node);

		/*
		 * a new process in place of the one that sent the request does not expect this
		 * reply
		 */
		if (send && entry->generation == entry->peer->generation)
			outbox_send(entry);
		else
			(void)message_free(entry->message);
		free(entry);
	}
}

void outbox_clear(struct scheduler *scheduler)
{
	outbox_take(scheduler, false);
}

void outbox_send_all(struct scheduler *scheduler)
{
	outbox_take(scheduler, true);
	scheduler->n_turn_events = 0;
}

/* ---- events ---- */

static void event_send(struct scheduler *scheduler, const struct store_event *event)
{
	cleanup_json struct json json = {0};
	struct message *message = NULL;

	json_event(&json, event);
	if (!json.failed)
		message = MESSAGE_NEW(event, 0, .id = event->id, .run = event->run,
				      .json = json.text);
	/* without memory for it this process ends, and the api reads the event from the store */
	outbox_put(&scheduler->api, message);
	scheduler->event_sent = event->id;
}

static void event_catch_up(const struct store_event *event, void *userdata)
{
	event_send(userdata, event);
}

/*
 * Send what a slow api missed in chunks from the store; once it has caught up, event_push() sends
 * again.
 */
static void events_timer_fired(struct loop_timer *timer)
{
	struct scheduler *scheduler = container_of(timer, struct scheduler, events_timer);
	uint64_t last = 0;

	if (!scheduler->api.channel.open) {
		scheduler->events_behind = false;
		return;
	}
	if (scheduler->api.channel.n_queued < EVENTS_CHUNK) {
		if (store_events_each(scheduler->store, 0, scheduler->event_sent, EVENTS_CHUNK,
				      event_catch_up, scheduler) < 0 ||
		    store_event_last(scheduler->store, &last) < 0 ||
		    last <= scheduler->event_sent) {
			scheduler->events_behind = false;
			return;
		}
	}
	(void)loop_timer_set(scheduler->loop, timer, now_usec() + EVENTS_PAUSE_USEC,
			     events_timer_fired);
}

void event_push(struct scheduler *scheduler, struct store_event *event)
{
	event->id = store_event_add(scheduler->store, event);
	turn_schedule(scheduler);
	if (!event->id || !scheduler->api.channel.open || scheduler->events_behind)
		return;
	if (++scheduler->n_turn_events > EVENTS_QUEUED_MAX ||
	    scheduler->api.channel.n_queued > EVENTS_QUEUED_MAX) {
		scheduler->events_behind = true;
		(void)loop_timer_set(scheduler->loop, &scheduler->events_timer,
				     now_usec() + EVENTS_PAUSE_USEC, events_timer_fired);
		return;
	}
	event_send(scheduler, event);
}
