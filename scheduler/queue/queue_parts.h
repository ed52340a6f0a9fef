/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_QUEUE_PARTS_H
#define SCHEDULER_QUEUE_PARTS_H

/* What queue_start.c, which starts and ends items, uses of queue.c, which keeps waiting items. */

#include "common/cleanup.h"
#include "scheduler/queue/queue.h"
#include "scheduler/queue/queue_host.h"

/** queue_item_of() - the item that @node is embedded in; NULL for NULL */
static inline struct queue_item *queue_item_of(const struct need_node *node)
{
	return node ? container_of(node, struct queue_item, node) : NULL;
}

/** queue_project_of() - the project that @node is embedded in; NULL for NULL */
static inline struct queue_project *queue_project_of(const struct need_node *node)
{
	return node ? container_of(node, struct queue_project, node) : NULL;
}

/** queue_reservation_end() - drop the reservation */
void queue_reservation_end(struct queue *queue);
/** queue_item_beside() - whether @item was started while the current reservation held resources */
bool queue_item_beside(const struct queue *queue, const struct queue_item *item);
/**
 * queue_item_take() - take @item off the tree and list in which it waits
 *
 * The caller then calls queue_group_offer() and queue_project_update().
 */
void queue_item_take(struct queue_item *item);
/** queue_group_offer() - move parked items of @group into the line, as far as the group has room */
void queue_group_offer(struct queue_group *group);
/** queue_project_update() - after every change: update the ring and the list of projects */
void queue_project_update(struct queue_project *project);

#endif
