/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_CONFIGURATION_H
#define SCHEDULER_CONFIGURATION_H

/* The configuration that the daemon sends: staged message by message, then put in force. */

#include "scheduler/model/scheduler.h"

/** config_apply() - put what was staged in force */
void config_apply(struct scheduler *scheduler);
/** config_discard() - forget what was staged */
void config_discard(struct scheduler *scheduler);

#endif
