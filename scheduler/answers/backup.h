/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_BACKUP_H
#define SCHEDULER_BACKUP_H

#include "scheduler/answers/answers.h"

/*
 * DOC: Backups on request
 *
 * Copies the store a few pages at a time, so that the loop goes on meanwhile, and replies with the
 * descriptor of the finished copy. See store_backup.h.
 */
/**
 * answer_backup() - start a copy of the store; the reply is sent with the finished copy
 *
 * A second request is refused while a copy is being made. If the api ends before the copy is
 * done, the copy is deleted.
 */
void answer_backup(const struct request *request);
/** backup_stop() - delete an unfinished copy, if there is one */
void backup_stop(struct scheduler *scheduler);

#endif
