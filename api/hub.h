/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_HUB_H
#define API_HUB_H

/*
 * DOC: Events on their way to streams
 *
 * The scheduler pushes every event once; a ring keeps the last ones. Each
 * stream reads at its own pace by a cursor. One that fell behind the ring is
 * told so and reads what it missed from the scheduler's pages.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HUB_EVENTS 2048u

struct hub;

struct hub_event {
	uint64_t id;  /* grows over all runs */
	uint64_t run; /* 0: none came in time */
	char *json;   /* one line; the caller frees it */
};

enum hub_outcome {
	HUB_EVENT = 0,
	HUB_TIMEOUT = 1, /* nothing for that run until the deadline */
	HUB_BEHIND = 2,	 /* events were lost to this cursor, which now stands at the newest */
};

int hub_new(struct hub **ret_hub);
struct hub *hub_free(struct hub *hub);

/** hub_publish() - a new event. Return: 0 or -ENOMEM. */
int hub_publish(struct hub *hub, uint64_t id, uint64_t run, const char *json);

/** hub_cursor() - a cursor that sees what comes from now on */
uint64_t hub_cursor(struct hub *hub);

/**
 * hub_next() - the next event of @run at @cursor, which moves on
 * @until_usec: CLOCK_MONOTONIC; how long to wait for one
 */
enum hub_outcome hub_next(struct hub *hub, uint64_t *cursor, uint64_t run, uint64_t until_usec,
			  struct hub_event *ret_event);

#endif
