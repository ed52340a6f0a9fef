/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_QUEUE_HOST_H
#define SCHEDULER_QUEUE_HOST_H

/*
 * DOC: One host and one item
 *
 * Pure arithmetic for queue.c and for the reasons that people read: what an item counts as on a
 * host, whether it fits there, and how loaded the host is.
 */

#include "scheduler/queue/queue.h"

/** queue_host_lacks() - the first label of @item that @host lacks; NULL: it has all of them */
const char *queue_host_lacks(const struct queue_host *host, const struct queue_item *item);
/** queue_host_need() - what @item counts as on @host, declared or not */
struct queue_need queue_host_need(const struct queue_host *host, const struct queue_item *item);
/** queue_host_possible() - whether @item could run on @host if nothing else ran there */
bool queue_host_possible(const struct queue_host *host, const struct queue_item *item);
/** queue_host_may_come() - whether @host admits steps and could run @item once others have ended */
bool queue_host_may_come(const struct queue_host *host, const struct queue_item *item);
/** queue_host_total() - resources of @host; UINT64_MAX: not counted */
struct queue_need queue_host_total(const struct queue_host *host);
/** queue_host_free() - resources not used by running items; UINT64_MAX: not counted */
struct queue_need queue_host_free(const struct queue_host *host);
/** queue_host_load() - the largest used part of any resource of @host; QUEUE_PLACE is all of it */
uint64_t queue_host_load(const struct queue_host *host);
/** queue_host_account() - add (@plus) or subtract @need and one place */
void queue_host_account(struct queue_host *host, const struct queue_need *need, bool plus);

/**
 * queue_item_class() - whether any host could run @item
 *
 * Return: QUEUE_LINE: some host could; QUEUE_LABEL: none has its labels; QUEUE_NEVER: the hosts
 * that have its labels (or all hosts, if none has them) are too small.
 */
enum queue_where queue_item_class(const struct queue *queue, const struct queue_item *item);
/**
 * queue_item_least() - the least of each resource that @item counts as, over all hosts that could
 * run it, or over all hosts if none could
 */
struct queue_need queue_item_least(const struct queue *queue, const struct queue_item *item);

/** queue_need_less() - @from minus @amount, at least 0; what is not counted stays so */
struct queue_need queue_need_less(struct queue_need from, struct queue_need amount);
/** queue_need_add() - add @need to *@sum (@plus) or subtract it, at least 0 */
void queue_need_add(struct queue_need *sum, const struct queue_need *need, bool plus);
/** queue_need_least() - the smaller value of each resource */
struct queue_need queue_need_least(struct queue_need a, struct queue_need b);

#endif
