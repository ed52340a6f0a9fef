/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a turn. */
#include "scheduler/engine/turn.h"

#include "common/log.h"
#include "scheduler/engine/admission.h"
#include "scheduler/engine/dispatch.h"
#include "scheduler/engine/progress.h"
#include "scheduler/engine/run.h"
#include "scheduler/model/outbox.h"

/* The consequences of a start (a step that cannot be ordered, say) come before the next one. */
static void steps_start(struct scheduler *scheduler)
{
	/* before a runbookd has reported its steps, free resources are not known */
	if (!executors_ready(scheduler))
		return;
	while (admission_reject(scheduler))
		progress(scheduler);
	while (dispatch_next(scheduler))
		progress(scheduler);
}

void turn_end(struct scheduler *scheduler)
{
	struct error error = ERROR_INIT;

	loop_timer_cancel(&scheduler->turn_timer);
	progress(scheduler);
	steps_start(scheduler);
	if (loop_exiting(scheduler->loop)) {
		/* the process gives up in the middle of a change, which must not be committed */
		outbox_clear(scheduler);
		return;
	}
	if (store_dirty(scheduler->store) && store_commit(scheduler->store, &error) < 0) {
		log_error("cannot commit, nothing of this turn was acknowledged: %s", error.text);
		outbox_clear(scheduler);
		loop_exit(scheduler->loop, 1);
		return;
	}
	outbox_send_all(scheduler);
	runs_forget(scheduler);
	/* changes that sending made (a peer hung up) belong to the next turn */
	if (store_damaged(scheduler->store)) {
		log_error("the database is damaged: ending, to check all of it at the next start");
		loop_exit(scheduler->loop, 1);
	}
}
