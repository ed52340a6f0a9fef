/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_QUEUE_PARTS_H
#define SCHEDULER_QUEUE_PARTS_H

/* What queue_start.c, which starts and ends items, uses of queue.c, where they wait. */

#include "common/cleanup.h"
#include "scheduler/queue/queue.h"
#include "scheduler/queue/queue_host.h"

/** queue_item_of() - the item that @node is embedded in; NULL of NULL */
static inline struct queue_item *queue_item_of(const struct need_node *node)
{
	return node ? container_of(node, struct queue_item, node) : NULL;
}

/** queue_project_of() - the project that @node is embedded in; NULL of NULL */
static inline struct queue_project *queue_project_of(const struct need_node *node)
{
	return node ? container_of(node, struct queue_project, node) : NULL;
}

/** queue_reservation_end() - nothing is kept for the reserved item any more */
void queue_reservation_end(struct queue *queue);
/** queue_item_beside() - was @item started while the needs of the reserved one were set aside? */
bool queue_item_beside(const struct queue *queue, const struct queue_item *item);
/**
 * queue_item_take() - take @item out of where it waits
 *
 * The caller goes on with queue_group_offer() and queue_project_update().
 */
void queue_item_take(struct queue_item *item);
/** queue_group_offer() - put items that stand aside for @group in line, as far as it has room */
void queue_group_offer(struct queue_group *group);
/** queue_project_update() - after every change: make ring and list equal to what they stand for */
void queue_project_update(struct queue_project *project);

#endif
