/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_EXECUTOR_SYNC_H
#define SCHEDULER_EXECUTOR_SYNC_H

/*
 * DOC: What runs where
 *
 * Two processes keep what runs: the scheduler in its store, the runbookd of each executor in its
 * ledger. Whenever one of them is new, they are compared here, and a claim that no runbookd has
 * is sent again or lost.
 */

#include "scheduler/model/scheduler.h"

/**
 * executor_closed() - its runbookd hung up
 *
 * Home: this process commits what it has and ends. Another one: what runs there is lost.
 */
void executor_closed(struct executor *executor);
/**
 * executor_sync() - its runbookd, @instance, has reported all it knows: settle the other claims
 *
 * What no executor has, nor can have, is lost; what @instance was to run and never got is
 * sent again.
 */
void executor_sync(struct executor *executor, const char *instance);

#endif
