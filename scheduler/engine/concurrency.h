/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_CONCURRENCY_H
#define SCHEDULER_CONCURRENCY_H

/*
 * DOC: Groups of runs that exclude each other
 *
 * A group belongs to a project and has the name that "concurrency.group" of the
 * runbook gives it. Its members are the runs that are not final, by number. A
 * member runs, or it is held: what of it is ready does not wait in the queue.
 * When one leaves, the oldest held ones are let go for as long as there are fewer
 * running than the limit, the one that the runbook of the held run says.
 *
 * A run joins when its runbook is known. One that arrives late, behind younger
 * ones, takes its place by number: before those that are held, never instead of
 * one that runs. With "cancel_superseded", each member is cancelled that is older
 * than a run whose runbook says so.
 *
 * Pull requests from forks have groups of their own: what a stranger writes into
 * his runbook must not cancel or hold up the project's own runs.
 *
 * Who is held is kept in the store: a restart changes nothing.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct concurrency_group;
struct project;
struct run;
struct scheduler;
struct step;

/** concurrency_enter() - @run is new: it joins its group and may supersede others, be superseded
 * or held. No-op without a group. */
void concurrency_enter(struct run *run);
/** concurrency_enter_again() - @run was final and goes on (a retried step): it may be held */
void concurrency_enter_again(struct run *run);
/** concurrency_restore() - a run of the store joins as what it was when we ended */
void concurrency_restore(struct run *run);
/** concurrency_settle() - after all of them were restored: let go what may go */
void concurrency_settle(struct scheduler *scheduler);
/** concurrency_settle_project() - the same for one project: a run that was not fetched is, or ended */
void concurrency_settle_project(struct project *project);
/** concurrency_leave() - @run is final: others may go on. No-op when it is in no group. */
void concurrency_leave(struct run *run);
/** concurrency_forget() - @run is released from memory: nothing else changes */
void concurrency_forget(struct run *run);
/**
 * concurrency_held_each() - ready steps of held runs, which are in no queue
 * @max: stop after so many calls
 *
 * Return: how many there are in all.
 */
uint64_t concurrency_held_each(struct scheduler *scheduler, uint64_t max,
			       void (*each)(const struct step *step, void *userdata),
			       void *userdata);
/** concurrency_reason() - why @run is held, "" when it is not */
void concurrency_reason(const struct run *run, char *out, size_t size);

#endif
