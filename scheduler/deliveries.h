/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_DELIVERIES_H
#define SCHEDULER_DELIVERIES_H

/*
 * DOC: How long deliveries are known
 *
 * A delivery is kept when its run is deleted, so that the same one, or the same
 * signed body under another id, starts nothing a second time. After
 * [Retention] Deliveries= it is forgotten.
 */

#include "scheduler/scheduler.h"

/** deliveries_configure() - a configuration is in force: forget from now on what it says */
void deliveries_configure(struct scheduler *scheduler);

#endif
