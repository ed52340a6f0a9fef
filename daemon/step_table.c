/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/step_table.h"

#include "common/cleanup.h"
#include "common/phases.h"

#include <assert.h>

void step_phase_set(struct step *step, enum step_phase to)
{
	static const unsigned next[] = {
		/* an adopted step may have passed the phases between; a refused one has not run */
		[STEP_QUEUED] = PHASE(STEP_STARTING) | PHASE(STEP_RUNNING) | PHASE(STEP_DRAINING) |
				PHASE(STEP_ENDED),
		[STEP_STARTING] = PHASE(STEP_RUNNING) | PHASE(STEP_ENDED),
		[STEP_RUNNING] = PHASE(STEP_DRAINING),
		[STEP_DRAINING] = PHASE(STEP_ENDED),
		[STEP_ENDED] = 0,
	};

	assert(phase_may_follow(next, ARRAY_SIZE(next), step->phase, to));
	step->table->n_starting -= step->phase == STEP_STARTING;
	step->table->n_starting += to == STEP_STARTING;
	step->phase = to;
}

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
	list_append(&table->steps, &step->node);
}

void step_unlink(struct step_table *table, struct step *step)
{
	struct step **bucket = &table->buckets[step->order.order % STEP_BUCKETS];

	while (*bucket != step)
		bucket = &(*bucket)->bucket_next;
	*bucket = step->bucket_next;
	list_remove(&step->node);
}

struct step *step_queue_pop(struct step_table *table)
{
	return list_entry(list_pop(&table->queue), struct step, queued);
}

void step_queue_push(struct step_table *table, struct step *step)
{
	list_append(&table->queue, &step->queued);
}

void step_queue_remove(struct step *step)
{
	list_remove(&step->queued);
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
