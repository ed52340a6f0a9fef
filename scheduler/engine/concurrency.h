/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_CONCURRENCY_H
#define SCHEDULER_CONCURRENCY_H

/*
 * DOC: Concurrency groups
 *
 * A group belongs to a project and has the name that "concurrency.group" of the runbook gives. Its
 * members are the runs that are not final, in the order of their numbers. A member either runs or
 * is held: steps of a held run are not put into the queue. When a member leaves, the oldest held
 * runs are released while fewer run than the limit in the runbook of the held run.
 *
 * A run joins when its runbook is known. One whose tree arrives late, after younger runs joined,
 * takes its place by number: before the held ones, but never in place of one that runs. With
 * "cancel_superseded", a run cancels all older members when it joins.
 *
 * Pull requests from forks have separate groups: the runbook of a stranger must not cancel or hold
 * the project's own runs.
 *
 * Whether a run is held is stored, so a restart changes nothing.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct concurrency_group;
struct project;
struct run;
struct scheduler;
struct step;

/**
 * concurrency_enter() - @run is new: it joins its group and may supersede older runs, be superseded
 * or be held. No-op without a group.
 */
void concurrency_enter(struct run *run);
/** concurrency_enter_again() - @run was final and goes on with a retried step; it may be held */
void concurrency_enter_again(struct run *run);
/** concurrency_restore() - a run from the store joins its group, held or not as it was stored */
void concurrency_restore(struct run *run);
/** concurrency_settle() - after all runs were restored: release held runs where there is room */
void concurrency_settle(struct scheduler *scheduler);
/**
 * concurrency_settle_project() - the same for one project, when a run whose tree was missing has it
 * or ended
 */
void concurrency_settle_project(struct project *project);
/** concurrency_leave() - @run is final: release the next held runs; no-op without a group */
void concurrency_leave(struct run *run);
/** concurrency_forget() - @run is freed from memory: take it off the group and do nothing else */
void concurrency_forget(struct run *run);
/**
 * concurrency_held_each() - visit the ready steps of held runs; they are in no queue
 * @max: number of calls after which only counting goes on
 *
 * Return: how many such steps there are in all.
 */
uint64_t concurrency_held_each(struct scheduler *scheduler, uint64_t max,
			       void (*each)(const struct step *step, void *userdata),
			       void *userdata);
/** concurrency_reason() - why @run is held, as a sentence; "" when it is not */
void concurrency_reason(const struct run *run, char *out, size_t size);

#endif
