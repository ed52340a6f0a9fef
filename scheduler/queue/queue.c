/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/queue.h"

#include "scheduler/queue/queue_parts.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* ---- the orders of items and projects ---- */

/* The minute in which it became ready, less its priority. */
static int64_t item_key(const struct queue_item *item)
{
	return (int64_t)(item->ready_usec / QUEUE_AGE_USEC) - item->priority;
}

static bool item_before(const struct need_node *left, const struct need_node *right)
{
	const struct queue_item *a = container_of(left, struct queue_item, node);
	const struct queue_item *b = container_of(right, struct queue_item, node);

	if (a->key != b->key)
		return a->key < b->key;
	if (a->run != b->run)
		return a->run < b->run;
	if (a->index != b->index)
		return a->index < b->index;
	return a < b; /* never reached: a run has one step of each index */
}

static bool project_before(const struct need_node *left, const struct need_node *right)
{
	const struct queue_project *a = container_of(left, struct queue_project, node);
	const struct queue_project *b = container_of(right, struct queue_project, node);

	return a->tag != b->tag ? a->tag < b->tag : a->serial < b->serial;
}

/* ---- the reservation ---- */

void queue_reservation_end(struct queue *queue)
{
	queue->reserved = NULL;
	queue->reserved_host = NULL;
	queue->n_beside = 0;
	queue->beside = (struct queue_need){0, 0};
}

bool queue_item_beside(const struct queue *queue, const struct queue_item *item)
{
	return queue->reserved && item->beside == queue->reservation;
}

bool queue_set_aside(const struct queue *queue)
{
	return queue->reserved &&
	       queue->reserved->passed >= QUEUE_PASSES * queue->reserved_host->capacity.limit;
}

/* ---- projects: ring and list of projects ---- */

static bool project_may_start(const struct queue_project *project)
{
	return project->line.root && !project->held &&
	       (project->limit == 0 || project->running < project->limit);
}

static void ring_insert(struct queue_project *project)
{
	struct queue *queue = project->queue;

	if (project->tag < queue->virtual_now)
		project->tag = queue->virtual_now;
	if (project->tag > queue->tag_max)
		queue->tag_max = project->tag;
	project->serial = ++queue->last_serial;
	project->least = project->line.root->least;
	project->node.inner = &project->least;
	project->in_ring = true;
	need_tree_insert(&queue->ring, &project->node);
}

static void ring_remove(struct queue_project *project)
{
	struct queue *queue = project->queue;

	need_tree_remove(&queue->ring, &project->node);
	project->in_ring = false;
	/* the item keeps the number of times it was overtaken */
	if (queue->reserved && queue->reserved->project == project)
		queue_reservation_end(queue);
	/* no project competes: earlier costs do not matter any more */
	if (!queue->ring.root)
		queue->virtual_now = queue->tag_max;
}

/* The least need of the project's line may have changed. */
static void ring_update(struct queue_project *project)
{
	project->least = project->line.root->least;
	need_node_inner_changed(&project->node);
}

static void list_update(struct queue_project *project)
{
	struct queue *queue = project->queue;
	bool wanted = project->n_waiting > 0;

	if (wanted == list_linked(&project->listed))
		return;
	if (wanted)
		list_prepend(&queue->projects, &project->listed);
	else
		list_remove(&project->listed);
	queue->n_listed += wanted ? 1 : (size_t)-1;
}

void queue_project_update(struct queue_project *project)
{
	bool wanted = project_may_start(project);

	if (wanted && !project->in_ring)
		ring_insert(project);
	else if (!wanted && project->in_ring)
		ring_remove(project);
	else if (wanted)
		ring_update(project);
	list_update(project);
}

void queue_project_init(struct queue *queue, struct queue_project *project)
{
	*project = (struct queue_project){
		.queue = queue,
		.weight = 1,
		.line.before = item_before,
		.aside.before = item_before,
	};
}

void queue_project_set(struct queue_project *project, uint64_t weight, uint64_t limit,
		       const char *held)
{
	project->weight = weight ? weight : 1;
	project->limit = limit;
	project->held = held;
	queue_project_update(project);
}

/* ---- where items wait ---- */

static bool group_has_room(const struct queue_group *group)
{
	return group->limit == 0 || group->n_offered + group->running < group->limit;
}

static enum queue_where item_where(const struct queue_item *item)
{
	enum queue_where class = queue_item_class(item->project->queue, item);

	if (class != QUEUE_LINE)
		return class;
	/* items that came earlier get into the line earlier */
	if (item->group && (!group_has_room(item->group) || !list_empty(&item->group->waiting)))
		return QUEUE_GROUP;
	return QUEUE_LINE;
}

static void item_put(struct queue_item *item, enum queue_where where)
{
	struct queue_project *project = item->project;
	struct queue *queue = project->queue;

	item->where = where;
	need_tree_insert(where == QUEUE_LINE ? &project->line : &project->aside, &item->node);
	if (where == QUEUE_LINE && item->group) {
		item->group->n_offered++;
	} else if (where == QUEUE_GROUP) {
		list_append(&item->group->waiting, &item->aside);
	} else if (where == QUEUE_NEVER) {
		list_prepend(&queue->impossible, &item->aside);
	}
}

void queue_item_take(struct queue_item *item)
{
	struct queue_project *project = item->project;
	struct queue *queue = project->queue;

	need_tree_remove(item->where == QUEUE_LINE ? &project->line : &project->aside, &item->node);
	if (item->where == QUEUE_LINE && item->group)
		item->group->n_offered--;
	list_remove(&item->aside);
	if (queue->reserved == item)
		queue_reservation_end(queue);
	item->where = QUEUE_NOWHERE;
}

void queue_group_offer(struct queue_group *group)
{
	while (group && !list_empty(&group->waiting) && group_has_room(group)) {
		struct queue_item *item =
			list_entry(group->waiting.first, struct queue_item, aside);

		queue_item_take(item);
		item_put(item, QUEUE_LINE);
	}
}

static void item_forget(struct queue_item *item)
{
	item->project->n_waiting--;
	item->project->queue->n_waiting--;
	item->project = NULL;
}

void queue_push(struct queue_project *project, struct queue_item *item)
{
	assert(item->where == QUEUE_NOWHERE);
	item->project = project;
	item->key = item_key(item);
	item->node.own = queue_item_least(project->queue, item);
	item->passed = item->beside = 0;
	project->n_waiting++;
	project->queue->n_waiting++;
	item_put(item, item_where(item));
	queue_project_update(project);
}

void queue_remove(struct queue_item *item)
{
	struct queue_project *project = item->project;

	if (item->where == QUEUE_NOWHERE || item->where == QUEUE_RUNNING)
		return;
	queue_item_take(item);
	queue_group_offer(item->group);
	item_forget(item);
	queue_project_update(project);
}

/* Something that decides where @item waits has changed. */
static void item_replace(struct queue_item *item)
{
	queue_item_take(item);
	queue_group_offer(item->group);
	item_put(item, item_where(item));
	queue_project_update(item->project);
}

struct queue_item *queue_impossible(const struct queue *queue)
{
	return list_entry(queue->impossible.first, struct queue_item, aside);
}

/* ---- configuration ---- */

void queue_init(struct queue *queue)
{
	*queue = (struct queue){.ring.before = project_before};
}

void queue_host_add(struct queue *queue, struct queue_host *host, const char *name, uint64_t limit)
{
	*host = (struct queue_host){.queue = queue, .name = name, .capacity.limit = limit};
	list_append(&queue->hosts, &host->node);
}

void queue_host_stop(struct queue_host *host, const char *why)
{
	host->stopped = why;
}

static void tree_reconfigure(struct queue_project *project, const struct need_tree *tree)
{
	const struct queue *queue = project->queue;
	struct need_node *node = need_tree_first(tree), *next;

	for (; node; node = next) {
		struct queue_item *item = queue_item_of(node);
		struct queue_need need = queue_item_least(queue, item);
		enum queue_where was = item->where == QUEUE_GROUP ? QUEUE_LINE : item->where;

		next = need_tree_next(node);
		need_node_set(node, &need);
		if (queue_item_class(queue, item) != was)
			item_replace(item);
	}
	queue_project_update(project);
}

static bool capacity_equal(const struct queue_capacity *a, const struct queue_capacity *b)
{
	return a->limit == b->limit && a->cpu_milli == b->cpu_milli && a->memory == b->memory &&
	       a->default_cpu_milli == b->default_cpu_milli &&
	       a->default_memory == b->default_memory;
}

void queue_host_configure(struct queue_host *host, const struct queue_capacity *capacity,
			  const char *labels)
{
	struct queue *queue = host->queue;
	struct queue_project *project, *next;

	if (capacity_equal(&host->capacity, capacity) && strcmp(host->labels, labels) == 0)
		return;
	host->capacity = *capacity;
	(void)snprintf(host->labels, sizeof(host->labels), "%s", labels);
	list_each_safe (project, next, &queue->projects, listed) {
		/*
		 * parked items first: what leaves the line for a parking place is then visited only
		 * once
		 */
		tree_reconfigure(project, &project->aside);
		tree_reconfigure(project, &project->line);
	}
}
