/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_HUB_H
#define API_HUB_H

/*
 * DOC: Events on their way to streams
 *
 * The scheduler sends every event once, and the loop's thread publishes it here. A ring
 * keeps the last HUB_EVENTS of them. Each stream, in its own thread, reads the ring at
 * its own pace with a cursor. A stream that fell behind the ring gets HUB_BEHIND and
 * reads the events that it missed from the scheduler (events.c). So a slow client costs
 * neither memory nor the time of others.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HUB_EVENTS 2048u

struct hub;

struct hub_event {
	uint64_t id; /* increases over all runs */
	uint64_t run;
	char *json; /* one line; the caller frees it */
};

enum hub_outcome {
	HUB_EVENT = 0,
	HUB_TIMEOUT = 1, /* no event of that run until the deadline */
	HUB_BEHIND = 2, /* the ring lost events that @cursor had not read; it is moved to the end */
};

/** hub_new() - an empty hub. Return: 0 or -ENOMEM. */
int hub_new(struct hub **ret_hub);
/** hub_free() - when no stream is left. Return: NULL. */
struct hub *hub_free(struct hub *hub);

/** hub_publish() - append an event; @json is copied. Return: 0 or -ENOMEM. */
int hub_publish(struct hub *hub, uint64_t id, uint64_t run, const char *json);

/** hub_cursor() - a cursor for the events that are published from now on */
uint64_t hub_cursor(struct hub *hub);

/**
 * hub_next() - wait for the next event of @run and move @cursor behind it
 * @until_usec: deadline, CLOCK_MONOTONIC
 * @ret_event:  filled in for HUB_EVENT
 */
enum hub_outcome hub_next(struct hub *hub, uint64_t *cursor, uint64_t run, uint64_t until_usec,
			  struct hub_event *ret_event);

#endif
