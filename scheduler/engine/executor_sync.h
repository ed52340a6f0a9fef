/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_EXECUTOR_SYNC_H
#define SCHEDULER_EXECUTOR_SYNC_H

/*
 * DOC: Agreement on running steps
 *
 * The scheduler has the running steps in its store, the runbookd of each executor in its ledger.
 * Whenever either process is new, runbookd reports its steps (STEP_STARTED, STEP_EXITED) and then
 * STEP_SYNCED. The functions here then settle each claim that no runbookd reported: it is sent
 * again, or its step is lost.
 */

#include "scheduler/model/scheduler.h"

/**
 * executor_closed() - the runbookd of @executor hung up
 *
 * Home: this process commits and ends. Another executor: the steps that run there are lost.
 */
void executor_closed(struct executor *executor);
/**
 * executor_sync() - the runbookd of @executor, @instance, has reported all of its steps
 *
 * Claims that no executor has or can still report are lost. Claims for @instance that it never
 * received are sent again.
 */
void executor_sync(struct executor *executor, const char *instance);

#endif
