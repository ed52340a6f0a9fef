/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_CONFIGURATION_H
#define SCHEDULER_CONFIGURATION_H

/*
 * DOC: The configuration
 *
 * runbookd sends the configuration as a sequence of messages between CONFIG_BEGIN and CONFIG_END.
 * They are staged in struct scheduler and take effect together at CONFIG_END, so that steps never
 * run under half of a configuration. If the channel closes in between, the staged part is dropped.
 */

#include "scheduler/model/scheduler.h"

/** config_apply() - enforce the staged configuration; without memory, a project is left out */
void config_apply(struct scheduler *scheduler);
/** config_discard() - drop the staged configuration */
void config_discard(struct scheduler *scheduler);

#endif
