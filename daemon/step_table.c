/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/step_table.h"

#include "common/cleanup.h"

struct step *step_find(const struct step_table *table, uint64_t order)
{
	struct step *step = table->buckets[order % STEP_BUCKETS];

	while (step && step->order.order != order)
		step = step->bucket_next;
	return step;
}

void step_link(struct step_table *table, struct step *step)
{
	struct step **bucket = &table->buckets[step->order.order % STEP_BUCKETS];

	step->bucket_next = *bucket;
	*bucket = step;
	step->previous = table->last;
	if (table->last)
		table->last->next = step;
	else
		table->first = step;
	table->last = step;
}

void step_unlink(struct step_table *table, struct step *step)
{
	struct step **bucket = &table->buckets[step->order.order % STEP_BUCKETS];

	while (*bucket != step)
		bucket = &(*bucket)->bucket_next;
	*bucket = step->bucket_next;
	if (step->previous)
		step->previous->next = step->next;
	else
		table->first = step->next;
	if (step->next)
		step->next->previous = step->previous;
	else
		table->last = step->previous;
}

struct step *step_queue_pop(struct step_table *table)
{
	struct step *step = table->queue_first;

	if (step) {
		table->queue_first = step->queue_next;
		if (!table->queue_first)
			table->queue_last = NULL;
		step->queue_next = NULL;
	}
	return step;
}

void step_queue_push(struct step_table *table, struct step *step)
{
	if (table->queue_last)
		table->queue_last->queue_next = step;
	else
		table->queue_first = step;
	table->queue_last = step;
}

void step_queue_remove(struct step_table *table, struct step *step)
{
	struct step *previous = NULL;

	for (struct step *at = table->queue_first; at != step; at = at->queue_next)
		previous = at;
	if (previous)
		previous->queue_next = step->queue_next;
	else
		table->queue_first = step->queue_next;
	if (table->queue_last == step)
		table->queue_last = previous;
	step->queue_next = NULL;
}

void step_order_clear(struct step_order *order)
{
	if (order->payload_fd >= 0)
		(void)close(order->payload_fd);
	if (order->mask_fd >= 0)
		(void)close(order->mask_fd);
	order->payload_fd = order->mask_fd = -1;
	free(order->layers);
	free(order->workdir);
	order->layers = order->workdir = NULL;
	order->n_layers = 0;
}

struct step *step_free(struct step *step)
{
	step_order_clear(&step->order);
	free(step);
	return NULL;
}
