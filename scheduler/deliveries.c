/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/deliveries.h"

#include "common/cleanup.h"
#include "common/log.h"

#include <stddef.h>

/* of one commit: what is more goes with the next ones */
#define PRUNE_MAX 1000
#define PRUNE_AGAIN_USEC (100 * USEC_PER_SEC / 1000)
#define PRUNE_PAUSE_MIN_USEC (1 * USEC_PER_SEC)
#define PRUNE_PAUSE_MAX_USEC (3600 * USEC_PER_SEC)

static void prune(struct loop_timer *timer)
{
	struct scheduler *scheduler = container_of(timer, struct scheduler, deliveries_timer);
	uint64_t keep_usec = scheduler->config.deliveries_sec * USEC_PER_SEC;
	uint64_t wall = wall_usec(), n = 0, pause = keep_usec / 10;

	if (wall > keep_usec)
		n = store_deliveries_prune(scheduler->store, wall - keep_usec, PRUNE_MAX);
	if (n)
		log_info("%llu deliveries are forgotten: they were kept for long enough",
			 (unsigned long long)n);
	if (pause < PRUNE_PAUSE_MIN_USEC)
		pause = PRUNE_PAUSE_MIN_USEC;
	if (pause > PRUNE_PAUSE_MAX_USEC)
		pause = PRUNE_PAUSE_MAX_USEC;
	if (n == PRUNE_MAX)
		pause = PRUNE_AGAIN_USEC;
	(void)loop_timer_set(scheduler->loop, timer, now_usec() + pause, prune);
	turn_schedule(scheduler);
}

void deliveries_configure(struct scheduler *scheduler)
{
	if (scheduler->config.deliveries_sec)
		(void)loop_timer_set(scheduler->loop, &scheduler->deliveries_timer, now_usec(),
				     prune);
}
