/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/model/steps.h"

#include "common/messages/steps.h"
#include "scheduler/model/outbox.h"
#include "scheduler/model/state.h"

uint64_t step_timeout_sec(const struct step *step)
{
	if (step_text(step)->timeout_sec)
		return step_text(step)->timeout_sec;
	if (step->run->scheduler->config.timeout_sec)
		return step->run->scheduler->config.timeout_sec;
	return STEP_TIMEOUT_DEFAULT_SEC;
}

size_t step_cancel(struct step *step)
{
	struct scheduler *scheduler = step->run->scheduler;

	if (step_state_final(step->state))
		return 0;
	if (step->state != STEP_STATE_RUNNING) {
		state_step_set(step, STEP_STATE_CANCELLED, "cancelled");
		return 1;
	}
	if (!step->cancelling) {
		step->cancelling = true;
		store_attempt_cancel(scheduler->store, step->order);
	}
	outbox_put(&step_executor(step)->peer,
		   MESSAGE_NEW(step_cancel, step->order, .order = step->order,
			       .why = STEP_RESULT_CANCELLED));
	return 1;
}
