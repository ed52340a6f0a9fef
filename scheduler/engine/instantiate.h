/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_INSTANTIATE_H
#define SCHEDULER_INSTANTIATE_H

/*
 * DOC: From a runbook to steps
 *
 * The text of runbook.yml is stored ("frozen") with its run. What is shown, retried or loaded after
 * a restart is made from that text, whatever happens to the tree. Parsing it gives the steps in
 * memory, their dependants and matrices; a new run also gets its rows in the store.
 */

#include "scheduler/model/scheduler.h"

/**
 * run_instantiate() - store the runbook of @run and make its steps in memory
 *
 * The text is run->text, which is released, or the one that is frozen already.
 * Return: false when this ended the run, for example as failed because of a finding.
 */
bool run_instantiate(struct run *run);
/**
 * run_add_steps() - write the rows of the steps and their dependencies
 *
 * A step is skipped if the event, branch or paths of the run do not meet its conditions.
 */
void run_add_steps(struct run *run);
/**
 * run_reload() - parse the frozen runbook of a run that has its rows, and make its steps in memory
 *
 * Return: 0 or -errno with @error.
 */
int run_reload(struct run *run, struct error *error);

#endif
