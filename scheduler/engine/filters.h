/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_FILTERS_H
#define SCHEDULER_FILTERS_H

/* Whether the runbook of a run asks for what started it: "on". */

#include <stdbool.h>

struct run;

/**
 * filters_admit() - does the runbook of @run ask for it?
 *
 * If not, it ends here: cancelled, with the reason, and marked as unwanted. Retries and
 * uploads are always wanted: somebody asks for just this run.
 * Return: go on?
 */
bool filters_admit(struct run *run);

#endif
