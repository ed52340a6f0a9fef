/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_STATE_H
#define SCHEDULER_STATE_H

/*
 * DOC: Changes of state
 *
 * State changes go through state_run_set() and state_step_set() only: they
 * assert that the change is allowed, log it, and write the row and its event in
 * the open transaction. Listeners hear of it after the commit.
 */

#include "scheduler/states.h"

struct run;
struct step;

/**
 * state_run_set() - the only way a run changes its state
 * @reason: one sentence, "" when the state says it all
 */
void state_run_set(struct run *run, enum run_state to, const char *reason);

/** state_step_ready_again() - a ready step of a run that was held: its time begins now */
void state_step_ready_again(struct step *step);

/** state_step_set() - the only way a step changes its state; @reason as above */
void state_step_set(struct step *step, enum step_state to, const char *reason);

#endif
