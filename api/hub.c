/* SPDX-License-Identifier: Apache-2.0 */
#include "api/hub.h"

#include "common/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct hub {
	pthread_mutex_t lock;
	pthread_cond_t published;
	uint64_t head; /* number of events so far; the ring has the last HUB_EVENTS of them */
	struct hub_event events[HUB_EVENTS];
};

int hub_new(struct hub **ret_hub)
{
	struct hub *hub = calloc(1, sizeof(*hub));
	pthread_condattr_t attributes;

	if (!hub)
		return -ENOMEM;
	(void)pthread_mutex_init(&hub->lock, NULL);
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&hub->published, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	*ret_hub = hub;
	return 0;
}

struct hub *hub_free(struct hub *hub)
{
	if (!hub)
		return NULL;
	for (size_t i = 0; i < HUB_EVENTS; i++)
		free(hub->events[i].json);
	(void)pthread_cond_destroy(&hub->published);
	(void)pthread_mutex_destroy(&hub->lock);
	free(hub);
	return NULL;
}

int hub_publish(struct hub *hub, uint64_t id, uint64_t run, const char *json)
{
	char *copy = strdup(json);
	struct hub_event *slot;

	if (!copy)
		return -ENOMEM;
	/* in a stream an event is one line, so it must not contain a newline */
	for (char *p = copy; *p; p++)
		if (*p == '\n' || *p == '\r')
			*p = ' ';
	(void)pthread_mutex_lock(&hub->lock);
	slot = &hub->events[hub->head % HUB_EVENTS];
	free(slot->json);
	*slot = (struct hub_event){.id = id, .run = run, .json = copy};
	hub->head++;
	(void)pthread_cond_broadcast(&hub->published);
	(void)pthread_mutex_unlock(&hub->lock);
	return 0;
}

uint64_t hub_cursor(struct hub *hub)
{
	uint64_t head;

	(void)pthread_mutex_lock(&hub->lock);
	head = hub->head;
	(void)pthread_mutex_unlock(&hub->lock);
	return head;
}

/* Called with the lock held. Return: whether an event of @run was found. */
static bool scan(struct hub *hub, uint64_t *cursor, uint64_t run, struct hub_event *ret_event)
{
	while (*cursor < hub->head) {
		const struct hub_event *event = &hub->events[(*cursor)++ % HUB_EVENTS];

		if (event->run != run)
			continue;
		*ret_event = *event;
		ret_event->json = strdup(event->json);
		if (ret_event->json)
			return true;
	}
	return false;
}

enum hub_outcome hub_next(struct hub *hub, uint64_t *cursor, uint64_t run, uint64_t until_usec,
			  struct hub_event *ret_event)
{
	struct timespec until = {.tv_sec = (time_t)(until_usec / USEC_PER_SEC),
				 .tv_nsec = (long)(until_usec % USEC_PER_SEC) * 1000};
	enum hub_outcome outcome = HUB_TIMEOUT;
	int r = 0;

	(void)pthread_mutex_lock(&hub->lock);
	for (;;) {
		if (hub->head > HUB_EVENTS && *cursor < hub->head - HUB_EVENTS) {
			*cursor = hub->head;
			outcome = HUB_BEHIND;
			break;
		}
		if (scan(hub, cursor, run, ret_event)) {
			outcome = HUB_EVENT;
			break;
		}
		if (r != 0)
			break;
		r = pthread_cond_timedwait(&hub->published, &hub->lock, &until);
	}
	(void)pthread_mutex_unlock(&hub->lock);
	return outcome;
}
