/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/queue_host.h"

#include "common/number.h"

#include <string.h>

/* ---- needs ---- */

struct queue_need queue_need_less(struct queue_need from, struct queue_need amount)
{
	/* a resource that is not counted is never used up */
	if (from.cpu_milli != UINT64_MAX)
		from.cpu_milli = u64_subtract(from.cpu_milli, amount.cpu_milli);
	if (from.memory != UINT64_MAX)
		from.memory = u64_subtract(from.memory, amount.memory);
	return from;
}

void queue_need_add(struct queue_need *sum, const struct queue_need *need, bool plus)
{
	sum->cpu_milli = plus ? sum->cpu_milli + need->cpu_milli
			      : u64_subtract(sum->cpu_milli, need->cpu_milli);
	sum->memory = plus ? sum->memory + need->memory : u64_subtract(sum->memory, need->memory);
}

struct queue_need queue_need_least(struct queue_need a, struct queue_need b)
{
	return (struct queue_need){u64_min(a.cpu_milli, b.cpu_milli), u64_min(a.memory, b.memory)};
}

static uint64_t share(uint64_t all, uint64_t places, uint64_t most)
{
	return u64_min(all / (places ? places : 1), most);
}

struct queue_need queue_host_need(const struct queue_host *host, const struct queue_item *item)
{
	const struct queue_capacity *all = &host->capacity;
	struct queue_need need = {item->cpu_milli, item->memory};

	if (!need.cpu_milli)
		need.cpu_milli = all->default_cpu_milli;
	if (!need.cpu_milli)
		need.cpu_milli = share(all->cpu_milli, all->limit, QUEUE_SHARE_CPU_MILLI_MAX);
	/* a limit above the host's processors limits nothing: the step gets all of them */
	if (all->cpu_milli)
		need.cpu_milli = u64_min(need.cpu_milli, all->cpu_milli);
	if (!need.memory)
		need.memory = u64_min(all->default_memory, all->memory ? all->memory : UINT64_MAX);
	if (!need.memory)
		need.memory = share(all->memory, all->limit, QUEUE_SHARE_MEMORY_MAX);
	return need;
}

/* ---- one host ---- */

static bool has_label(const char *labels, const char *label)
{
	size_t length = strlen(label);

	while (*labels) {
		size_t word = strcspn(labels, " ");

		if (word == length && memcmp(labels, label, length) == 0)
			return true;
		labels += word;
		labels += *labels == ' ';
	}
	return false;
}

const char *queue_host_lacks(const struct queue_host *host, const struct queue_item *item)
{
	for (size_t i = 0; i < item->n_labels; i++) {
		if (!has_label(host->labels, item->labels[i]))
			return item->labels[i];
	}
	return NULL;
}

static bool large_enough(const struct queue_host *host, const struct queue_item *item)
{
	return !host->capacity.memory ||
	       queue_host_need(host, item).memory <= host->capacity.memory;
}

bool queue_host_possible(const struct queue_host *host, const struct queue_item *item)
{
	return large_enough(host, item) && !queue_host_lacks(host, item);
}

bool queue_host_may_come(const struct queue_host *host, const struct queue_item *item)
{
	return !host->stopped && queue_host_possible(host, item);
}

struct queue_need queue_host_total(const struct queue_host *host)
{
	return (struct queue_need){
		host->capacity.cpu_milli ? host->capacity.cpu_milli : UINT64_MAX,
		host->capacity.memory ? host->capacity.memory : UINT64_MAX,
	};
}

struct queue_need queue_host_free(const struct queue_host *host)
{
	return queue_need_less(queue_host_total(host), host->used);
}

static uint64_t part_of(uint64_t amount, uint64_t all, uint64_t places)
{
	if (all == 0)
		return 0;
	return (uint64_t)((unsigned __int128)u64_min(amount, all) * places * QUEUE_PLACE / all);
}

static uint64_t largest(uint64_t a, uint64_t b, uint64_t c)
{
	return u64_max(u64_max(a, b), c);
}

uint64_t queue_host_load(const struct queue_host *host)
{
	return largest(part_of(host->running, host->capacity.limit, 1),
		       part_of(host->used.cpu_milli, host->capacity.cpu_milli, 1),
		       part_of(host->used.memory, host->capacity.memory, 1));
}

void queue_host_account(struct queue_host *host, const struct queue_need *need, bool plus)
{
	host->running += plus ? 1 : (uint64_t)-1;
	queue_need_add(&host->used, need, plus);
}

/* ---- all hosts ---- */

enum queue_where queue_item_class(const struct queue *queue, const struct queue_item *item)
{
	bool any_labels = false, any_large = list_empty(&queue->hosts);
	const struct queue_host *host;

	list_each (host, &queue->hosts, node) {
		bool labels = !queue_host_lacks(host, item), large = large_enough(host, item);

		if (labels && large)
			return QUEUE_LINE;
		any_labels |= labels;
		any_large |= large;
	}
	return any_labels || !any_large ? QUEUE_NEVER : QUEUE_LABEL;
}

struct queue_need queue_item_least(const struct queue *queue, const struct queue_item *item)
{
	struct queue_need all = {UINT64_MAX, UINT64_MAX}, possible = all;
	const struct queue_host *host;
	bool any = false;

	list_each (host, &queue->hosts, node) {
		struct queue_need need = queue_host_need(host, item);

		all = queue_need_least(all, need);
		if (!queue_host_possible(host, item))
			continue;
		any = true;
		possible = queue_need_least(possible, need);
	}
	return any ? possible : all;
}

uint64_t queue_places(const struct queue *queue)
{
	const struct queue_host *host;
	uint64_t places = 0;

	list_each (host, &queue->hosts, node)
		places += host->capacity.limit;
	return places;
}

/* The cost is known before the host is: the largest part of any host that could run the item. */
uint64_t queue_cost(const struct queue *queue, const struct queue_item *item)
{
	const struct queue_host *host;
	uint64_t cost = QUEUE_PLACE;

	list_each (host, &queue->hosts, node) {
		const struct queue_capacity *all = &host->capacity;
		struct queue_need need;

		if (!queue_host_possible(host, item))
			continue;
		need = queue_host_need(host, item);
		cost = largest(cost, part_of(need.cpu_milli, all->cpu_milli, all->limit),
			       part_of(need.memory, all->memory, all->limit));
	}
	return cost;
}
