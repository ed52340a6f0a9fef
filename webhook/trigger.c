/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/trigger.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/message_ids.h"
#include "common/message_table.h"
#include "common/messages/deliveries.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define RETRY_AFTER_SEC 30

static void queue_advance(struct trigger_queue *queue);

static void answer_away(struct answer *answer, const char *why)
{
	answer_error(answer, 503, "%s; deliver again, an accepted delivery is known by its id",
		     why);
	answer->retry_after_sec = RETRY_AFTER_SEC;
}

/* ---- the list of pending triggers ---- */

static struct trigger *pending_take(struct trigger_queue *queue, uint64_t serial)
{
	struct trigger *trigger;

	list_each (trigger, &queue->pending, node) {
		if (trigger->serial == serial) {
			list_remove(&trigger->node);
			return trigger;
		}
	}
	return NULL;
}

/* All triggers may wait equally long, so the list is also in the order of deadlines. */
static uint64_t pending_deadline_usec(const struct trigger_queue *queue,
				      const struct trigger *trigger)
{
	uint64_t deadline = trigger->submitted_usec + WEBHOOK_ACCEPT_DEADLINE_SEC * USEC_PER_SEC;
	uint64_t away = trigger->submitted_usec > queue->away_since_usec ? trigger->submitted_usec
									 : queue->away_since_usec;

	if (!atomic_load(&queue->scheduler_up) &&
	    away + WEBHOOK_SCHEDULER_WAIT_SEC * USEC_PER_SEC < deadline)
		deadline = away + WEBHOOK_SCHEDULER_WAIT_SEC * USEC_PER_SEC;
	return deadline;
}

static void pending_expired(struct loop_timer *timer)
{
	queue_advance(container_of(timer, struct trigger_queue, timer));
}

/* Answer the triggers whose deadline has passed and set the timer for the next one. */
static void queue_advance(struct trigger_queue *queue)
{
	uint64_t now = now_usec();

	while (!list_empty(&queue->pending)) {
		struct trigger *trigger = list_entry(queue->pending.first, struct trigger, node);
		uint64_t deadline = pending_deadline_usec(queue, trigger);
		const char *why;

		if (deadline > now) {
			(void)loop_timer_set(queue->loop, &queue->timer, deadline, pending_expired);
			return;
		}
		list_remove(&trigger->node);
		why = atomic_load(&queue->scheduler_up) ? "the scheduler did not answer in time"
							: "the scheduler is away";
		answer_away(&trigger->answer, why);
		log_warning("project %s: delivery %s is answered 503: %s", trigger->project,
			    trigger->events.delivery_id, why);
		trigger->done(trigger);
	}
	loop_timer_cancel(&queue->timer);
}

/* The digest of ref number @n of a delivery: each ref has a digest and an id of its own. */
static struct field_blob digest_own(const struct body_digest *digest, unsigned n,
				    uint8_t own[BODY_DIGEST_SIZE])
{
	uint8_t whole[BODY_DIGEST_SIZE + sizeof(n)];

	memcpy(whole, digest->bytes, BODY_DIGEST_SIZE);
	memcpy(whole + BODY_DIGEST_SIZE, &n, sizeof(n));
	(void)crypto_generichash(own, BODY_DIGEST_SIZE, whole, sizeof(whole), NULL, 0);
	return (struct field_blob){.data = own, .size = digest->known ? BODY_DIGEST_SIZE : 0};
}

static int trigger_send(struct trigger_queue *queue, struct trigger *trigger)
{
	const struct events *events = &trigger->events;
	const struct event *event = &events->events[trigger->n_runs];
	uint8_t digest[BODY_DIGEST_SIZE];
	char id[DELIVERY_ID_MAX + 8];

	/* a delivery with several refs becomes several messages with an id each */
	(void)snprintf(id, sizeof(id), "%s", events->delivery_id);
	if (trigger->n_runs > 0)
		(void)snprintf(id, sizeof(id), "%.*s#%u", DELIVERY_ID_MAX - 3, events->delivery_id,
			       trigger->n_runs + 1);
	return channel_send(
		&queue->channel,
		MESSAGE_NEW(trigger, trigger->serial, .project = trigger->project,
			    .provider = trigger->provider, .delivery = id, .event = events->name,
			    .ref = event->ref, .before = event->before, .after = event->after,
			    .actor = event->actor, .title = event->title,
			    .pull_request = event->pull_request, .base_ref = event->base_ref,
			    .from_fork = event->from_fork, .action = event->action,
			    .digest = digest_own(&events->digest, trigger->n_runs, digest)));
}

/* When sending fails, the trigger waits for the next scheduler or its deadline. */
static void trigger_start(struct trigger_queue *queue, struct trigger *trigger)
{
	int r;

	trigger->serial = ++queue->serial;
	list_append(&queue->pending, &trigger->node);
	if (!atomic_load(&queue->scheduler_up))
		return;
	r = trigger_send(queue, trigger);
	if (r < 0) /* do not use @trigger: sending may close the channel and answer it */
		log_warning("cannot send a delivery to the scheduler: %s", strerror(-r));
}

/* ---- messages of the scheduler ---- */

static void trigger_finish(struct trigger_queue *queue, struct trigger *trigger)
{
	trigger->done(trigger);
	queue_advance(queue);
}

static void log_accepted(const struct trigger *trigger, const struct answer_run *run)
{
	char number[24];
	const struct log_field fields[] = {
		{"MESSAGE_ID", run->duplicate ? NULL : MESSAGE_ID_DELIVERY_ACCEPTED},
		{"RUNBOOK_PROJECT", trigger->project},
		{"RUNBOOK_RUN", number},
		{"RUNBOOK_DELIVERY", trigger->events.delivery_id},
	};

	(void)snprintf(number, sizeof(number), "%llu", (unsigned long long)run->run);
	log_fields(LOG_LEVEL_INFO, fields, ARRAY_SIZE(fields),
		   "project %s: delivery %s is run %s%s", trigger->project,
		   trigger->events.delivery_id, number, run->duplicate ? " already" : "");
}

/* TRIGGER_ACCEPTED: send the next ref of the delivery, or answer it if this was the last. */
static int on_accepted(struct channel *channel, struct message *message)
{
	struct trigger_queue *queue = channel->userdata;
	struct message_trigger_accepted accepted;
	struct trigger *trigger;
	int r = MESSAGE_GET(message, trigger_accepted, &accepted);

	if (r < 0)
		return r;
	if (message->serial > queue->serial)
		return -EBADMSG;
	trigger = pending_take(queue, message->serial);
	if (!trigger)
		return 0; /* its deadline passed and it was answered with 503 */
	trigger->runs[trigger->n_runs] =
		(struct answer_run){.run = accepted.run, .duplicate = accepted.duplicate};
	log_accepted(trigger, &trigger->runs[trigger->n_runs]);
	if (trigger->n_runs++ == 0) {
		if (*accepted.url)
			(void)snprintf(trigger->url, sizeof(trigger->url), "%s", accepted.url);
		else
			(void)snprintf(trigger->url, sizeof(trigger->url), "/api/v1/runs/%llu",
				       (unsigned long long)accepted.run);
	}
	if (trigger->n_runs < trigger->events.n_events) {
		/* the next ref goes to the end of the list, so it gets a new deadline */
		trigger->submitted_usec = now_usec();
		trigger_start(queue, trigger);
		queue_advance(queue);
		return 0;
	}
	answer_runs(&trigger->answer, trigger->runs, trigger->n_runs, trigger->url);
	trigger_finish(queue, trigger);
	return 0;
}

static int on_refused(struct channel *channel, struct message *message)
{
	struct trigger_queue *queue = channel->userdata;
	struct message_trigger_refused refused;
	struct trigger *trigger;
	int r = MESSAGE_GET(message, trigger_refused, &refused);

	if (r < 0)
		return r;
	if (message->serial > queue->serial || (refused.status != 200 && refused.status < 400))
		return -EBADMSG;
	trigger = pending_take(queue, message->serial);
	if (!trigger)
		return 0;
	if (refused.status == 200)
		answer_ignored(&trigger->answer, "%s", refused.reason);
	else
		answer_error(&trigger->answer, (unsigned)refused.status, "%s", refused.reason);
	if (refused.status == 429 || refused.status == 503)
		trigger->answer.retry_after_sec = RETRY_AFTER_SEC;
	log_notice("project %s: the scheduler refused delivery %s: %llu %s", trigger->project,
		   trigger->events.delivery_id, (unsigned long long)refused.status, refused.reason);
	trigger_finish(queue, trigger);
	return 0;
}

static int on_hello(struct channel *channel, struct message *message)
{
	struct trigger_queue *queue = channel->userdata;
	struct trigger *trigger;

	atomic_store(&queue->scheduler_up, true);
	list_each (trigger, &queue->pending, node) {
		if (trigger_send(queue, trigger) < 0)
			break; /* the channel closed again, which may have changed the list */
	}
	queue_advance(queue);
	return 0;
}

static const struct message_handler scheduler_handlers[] = {
	{MESSAGE_HELLO, on_hello},
	{MESSAGE_TRIGGER_ACCEPTED, on_accepted},
	{MESSAGE_TRIGGER_REFUSED, on_refused},
};

static void scheduler_gone(struct trigger_queue *queue)
{
	if (atomic_exchange(&queue->scheduler_up, false) || queue->away_since_usec == 0)
		queue->away_since_usec = now_usec();
	queue_advance(queue);
}

static void on_scheduler_closed(struct channel *channel)
{
	log_notice("the scheduler is away");
	scheduler_gone(channel->userdata);
}

int trigger_queue_connect(struct trigger_queue *queue, int fd)
{
	channel_close(&queue->channel);
	scheduler_gone(queue);
	return channel_open(&queue->channel, queue->loop, fd, ROLE_WEBHOOK, ROLE_SCHEDULER,
			    scheduler_handlers, ARRAY_SIZE(scheduler_handlers), on_scheduler_closed,
			    queue);
}

/* ---- from the HTTP threads ---- */

static void queue_wake(struct trigger_queue *queue)
{
	uint64_t one = 1;

	/* the write fails only when the counter is full, and then a wake-up is due already */
	(void)!write(queue->wake_fd, &one, sizeof(one));
}

void trigger_submit(struct trigger_queue *queue, struct trigger *trigger)
{
	bool closed;

	trigger->submitted_usec = now_usec();
	trigger->n_runs = 0;
	trigger->node = (struct list_node){NULL, NULL, NULL};
	pthread_mutex_lock(&queue->lock);
	closed = queue->closed;
	if (!closed)
		list_append(&queue->submitted, &trigger->node);
	pthread_mutex_unlock(&queue->lock);
	if (closed) {
		answer_away(&trigger->answer, "this server is stopping");
		trigger->done(trigger);
		return;
	}
	queue_wake(queue);
}

/* Return: the trigger that was submitted first, or NULL. */
static struct trigger *submitted_take(struct trigger_queue *queue)
{
	struct list_node *node;

	pthread_mutex_lock(&queue->lock);
	node = list_pop(&queue->submitted);
	pthread_mutex_unlock(&queue->lock);
	return list_entry(node, struct trigger, node);
}

static void queue_woken(struct loop_file *file, uint32_t events)
{
	struct trigger_queue *queue = container_of(file, struct trigger_queue, wake);
	struct trigger *trigger;
	uint64_t count;

	(void)!read(queue->wake_fd, &count, sizeof(count));
	while ((trigger = submitted_take(queue)))
		trigger_start(queue, trigger);
	queue_advance(queue);
}

int trigger_queue_init(struct trigger_queue *queue, struct loop *loop)
{
	*queue = (struct trigger_queue){.loop = loop, .wake_fd = -1};
	queue->wake = LOOP_FILE_NULL;
	queue->channel.file = LOOP_FILE_NULL;
	queue->timer = LOOP_TIMER_NULL;
	queue->away_since_usec = now_usec();
	pthread_mutex_init(&queue->lock, NULL);
	queue->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (queue->wake_fd < 0)
		return -errno;
	return loop_add(loop, &queue->wake, queue->wake_fd, EPOLLIN, queue_woken);
}

bool trigger_queue_up(struct trigger_queue *queue)
{
	return atomic_load(&queue->scheduler_up);
}

void trigger_queue_close(struct trigger_queue *queue)
{
	struct trigger *trigger;
	struct list_node *node;

	pthread_mutex_lock(&queue->lock);
	queue->closed = true;
	pthread_mutex_unlock(&queue->lock);
	while ((trigger = submitted_take(queue)))
		list_append(&queue->pending, &trigger->node);
	while ((node = list_pop(&queue->pending))) {
		trigger = list_entry(node, struct trigger, node);
		answer_away(&trigger->answer, "this server is stopping");
		trigger->done(trigger);
	}
	loop_timer_cancel(&queue->timer);
	loop_remove(&queue->wake);
	channel_close(&queue->channel);
	atomic_store(&queue->scheduler_up, false);
}
