/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_NOTICES_H
#define SCHEDULER_NOTICES_H

/*
 * DOC: What is wrong with a runbook, besides what makes it invalid
 *
 * A runbook may be right in itself and not do what it says here: this host has not
 * the time zone of a schedule, or the project no secret of the ENV that a step
 * asks for. The run goes on, because the one is the host's business and the other
 * may be meant, and says so among its findings.
 */

#include "scheduler/engine/run.h"

/** notices_keep() - store findings of @run, which replace those that it has */
void notices_keep(struct run *run, const struct runbook_finding *findings, size_t n);
/** notices_look() - look for what does not fit here in the runbook of @run, and keep it */
void notices_look(struct run *run);

#endif
