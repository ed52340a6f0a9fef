/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_STATE_H
#define SCHEDULER_STATE_H

/*
 * DOC: Changes of state
 *
 * Runs and steps change their state only through state_run_set() and state_step_set(). These
 * assert that the change is allowed, log it, take a step off the lists of its old state, write
 * the row and its event to the open transaction, and mark the object as changed. They draw no
 * consequences: progress.h draws all of them. The api gets the event after the commit.
 */

#include "scheduler/model/scheduler.h"

/**
 * state_run_set() - the only way in which a run changes its state
 * @reason: one sentence, "" when the state says it all
 */
void state_run_set(struct run *run, enum run_state to, const char *reason);

/** run_changed() - mark @run: progress() draws the consequences */
void run_changed(struct run *run);

/** run_next() - make @due the next phase of @run */
void run_next(struct run *run, enum run_due due);

/** step_changed() - mark @step: progress() looks at its flags */
void step_changed(struct step *step);

/** state_step_ready_again() - its run is held no longer: the time of a ready step begins now */
void state_step_ready_again(struct step *step);

/** state_step_set() - the only way in which a step changes its state; @reason as above */
void state_step_set(struct step *step, enum step_state to, const char *reason);

#endif
