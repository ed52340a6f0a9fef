/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_BACKUP_H
#define SCHEDULER_BACKUP_H

#include "scheduler/answers/answers.h"

/**
 * answer_backup() - copy the store, a little at a time, and answer with the copy
 *
 * One at a time: a second question meanwhile is refused. Whoever asked and went
 * away gets nothing, and the copy is thrown away.
 */
void answer_backup(const struct request *request);
/** backup_stop() - give a copy up that is being made */
void backup_stop(struct scheduler *scheduler);

#endif
