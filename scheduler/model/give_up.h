/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_GIVE_UP_H
#define SCHEDULER_GIVE_UP_H

struct scheduler;

/**
 * scheduler_give_up() - end the process in the middle of something
 * @why: what failed, the beginning of a sentence; NULL: there was no memory
 *
 * Memory and the open transaction may have half of a change by now. The loop ends, the
 * transaction is not committed and the outbox is not sent; the next process goes on from
 * what is on disk. The caller returns without doing anything else.
 */
void scheduler_give_up(struct scheduler *scheduler, const char *why);

#endif
