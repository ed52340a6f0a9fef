/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_GIVE_UP_H
#define SCHEDULER_GIVE_UP_H

struct scheduler;

/*
 * DOC: Giving up
 *
 * A handler may fail in the middle of a change, mostly for lack of memory, and undoing half of
 * a change by hand would need code that is never tested. The scheduler ends instead: its state
 * is on disk, and the next process starts from the last commit.
 */
/**
 * scheduler_give_up() - end the process in the middle of a change
 * @why: what failed, as the beginning of a sentence; NULL: out of memory
 *
 * Memory and the open transaction may contain half of a change. The loop ends, the transaction
 * is rolled back and the outbox is not sent; the next process continues from the last commit.
 * The caller returns at once and changes nothing else.
 */
void scheduler_give_up(struct scheduler *scheduler, const char *why);

#endif
