/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_FILTERS_H
#define SCHEDULER_FILTERS_H

/*
 * DOC: Which events a runbook asks for
 *
 * "on" of a runbook names the events, branches and paths for which it wants runs. It can only be
 * read after the tree was fetched, so a run may end here that was acknowledged before.
 */

#include <stdbool.h>

struct run;

/**
 * filters_admit() - whether the runbook of @run asks for the event that started it
 *
 * If not, the run ends here: cancelled, with the reason, and marked as unwanted. Retries and
 * uploads are always wanted, because a person asked for that very run.
 * Return: whether the run goes on.
 */
bool filters_admit(struct run *run);

#endif
