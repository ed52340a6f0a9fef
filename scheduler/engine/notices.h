/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_NOTICES_H
#define SCHEDULER_NOTICES_H

/*
 * DOC: Findings about a valid runbook
 *
 * A valid runbook may still not do on this host what it says: the host may lack the time zone of a
 * schedule, or the project may have no secret for the ENV of a step. The run goes on, since the
 * first is the administrator's business and the second may be intended. The findings of the run
 * mention both.
 */

#include "scheduler/engine/run.h"

/** notices_keep() - store @findings in place of the findings of @run */
void notices_keep(struct run *run, const struct runbook_finding *findings, size_t n);
/** notices_look() - check the runbook of @run against this host, and store the findings */
void notices_look(struct run *run);

#endif
