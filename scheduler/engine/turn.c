/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a loop turn. All that the peers said in one turn becomes one
 * transaction: with one fsync for many deliveries, results and claims, the rate
 * does not depend on how long an fsync takes.
 */
#include "scheduler/engine/turn.h"

#include "common/log.h"
#include "scheduler/engine/admission.h"
#include "scheduler/engine/dispatch.h"
#include "scheduler/engine/progress.h"
#include "scheduler/engine/run.h"
#include "scheduler/model/outbox.h"

/* What follows from one start (the step cannot be ordered, say) comes before the next one. */
static void steps_start(struct scheduler *scheduler)
{
	/* before a daemon has said what it runs, it is not known what is free there */
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
		/* in the middle of something: half of it must not be there at the next start */
		outbox_clear(scheduler);
		return;
	}
	if (store_dirty(scheduler->store) && store_commit(scheduler->store, &error) < 0) {
		log_error("cannot commit, nothing of it was acknowledged: %s", error.text);
		outbox_clear(scheduler);
		loop_exit(scheduler->loop, 1);
		return;
	}
	outbox_send_all(scheduler);
	runs_forget(scheduler);
	/* what the sending itself changed (a peer went away) is the next turn's */
	if (store_damaged(scheduler->store)) {
		log_error("the database is damaged: ending, to look at all of it");
		loop_exit(scheduler->loop, 1);
	}
}
