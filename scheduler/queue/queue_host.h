/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_QUEUE_HOST_H
#define SCHEDULER_QUEUE_HOST_H

/* One host and one item, for queue.c and for what people see of it: pure arithmetic. */

#include "scheduler/queue/queue.h"

/** queue_host_lacks() - the first label of @item that @host has not; NULL: it has them all */
const char *queue_host_lacks(const struct queue_host *host, const struct queue_item *item);
/** queue_host_need() - what @item counts as on @host, declared or not */
struct queue_need queue_host_need(const struct queue_host *host, const struct queue_item *item);
/** queue_host_possible() - could @item run on @host if nothing else did? */
bool queue_host_possible(const struct queue_host *host, const struct queue_item *item);
/** queue_host_may_come() - could @item get room on @host, sooner or later, as things are? */
bool queue_host_may_come(const struct queue_host *host, const struct queue_item *item);
/** queue_host_total() - all there is; UINT64_MAX: not counted */
struct queue_need queue_host_total(const struct queue_host *host);
/** queue_host_free() - what is not promised to anything that runs; UINT64_MAX: not counted */
struct queue_need queue_host_free(const struct queue_host *host);
/** queue_host_load() - the largest part of @host that is in use; QUEUE_PLACE is all of it */
uint64_t queue_host_load(const struct queue_host *host);
/** queue_host_account() - @need is promised (@plus) or given back, with one place */
void queue_host_account(struct queue_host *host, const struct queue_need *need, bool plus);

/**
 * queue_item_class() - may @item ever run?
 *
 * Return: QUEUE_LINE: some host could run it; QUEUE_LABEL: none has its labels;
 * QUEUE_NEVER: the hosts that have them (or, where none has, all hosts) are too small.
 */
enum queue_where queue_item_class(const struct queue *queue, const struct queue_item *item);
/**
 * queue_item_least() - the least of each kind that @item counts as, over all hosts that could
 * run it, or over all hosts where none could
 */
struct queue_need queue_item_least(const struct queue *queue, const struct queue_item *item);

/** queue_need_less() - @from without @amount, not below 0; what is not counted stays so */
struct queue_need queue_need_less(struct queue_need from, struct queue_need amount);
/** queue_need_add() - add @need to *@sum (@plus) or take it off, not below 0 */
void queue_need_add(struct queue_need *sum, const struct queue_need *need, bool plus);
/** queue_need_least() - the smaller one of each kind */
struct queue_need queue_need_least(struct queue_need a, struct queue_need b);

#endif
