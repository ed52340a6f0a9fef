/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/model/give_up.h"

#include "common/log.h"
#include "scheduler/model/scheduler.h"

void scheduler_give_up(struct scheduler *scheduler, const char *why)
{
	log_error("%s: ending, to go on from the last commit", why ? why : "out of memory");
	loop_exit(scheduler->loop, 1);
}
