/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_STATE_H
#define SCHEDULER_STATE_H

/*
 * DOC: Changes of state
 *
 * State changes go through state_run_set() and state_step_set() only: they assert that the
 * change is allowed, log it, take a step off the lists that its old state had it in, write the
 * row and its event in the open transaction, and note that something may follow. Nothing
 * follows here: progress.h has all of that. The api hears of an event after the commit.
 */

#include "scheduler/model/scheduler.h"

/**
 * state_run_set() - the only way a run changes its state
 * @reason: one sentence, "" when the state says it all
 */
void state_run_set(struct run *run, enum run_state to, const char *reason);

/** run_changed() - something may follow from what @run is now: progress() looks at it */
void run_changed(struct run *run);

/** run_next() - @due is the next thing to be done with @run */
void run_next(struct run *run, enum run_due due);

/** step_changed() - the same for @step, whose flags say what */
void step_changed(struct step *step);

/** state_step_ready_again() - a ready step of a run that was held: its time begins now */
void state_step_ready_again(struct step *step);

/** state_step_set() - the only way a step changes its state; @reason as above */
void state_step_set(struct step *step, enum step_state to, const char *reason);

#endif
