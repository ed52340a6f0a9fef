/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue.h"

#include "scheduler/queue_parts.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* nodes that one queue_next() may look at, see need_tree_fit() */
#define SEARCH_BUDGET 512

/* ---- orders ---- */

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
	return a < b; /* never: a run has one step of each index */
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

/* @item could start on some host that admits steps, and fits on none for now. */
static void reservation_begin(struct queue *queue, struct queue_item *item)
{
	struct queue_host *host;

	queue->reserved = item;
	queue->reservation++;
	list_each (host, &queue->hosts, node) {
		if (queue_host_may_come(host, item) &&
		    (!queue->reserved_host ||
		     queue_host_load(host) < queue_host_load(queue->reserved_host)))
			queue->reserved_host = host;
	}
}

/* A host that admits nothing any more, or has become too small, is not waited for. */
static void reservation_check(struct queue *queue)
{
	if (queue->reserved && !queue_host_may_come(queue->reserved_host, queue->reserved))
		queue_reservation_end(queue);
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

/* ---- projects: ring and list ---- */

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
	/* how often others went past it stays with the item */
	if (queue->reserved && queue->reserved->project == project)
		queue_reservation_end(queue);
	/* nobody competes: what each had so far does not matter any more */
	if (!queue->ring.root)
		queue->virtual_now = queue->tag_max;
}

/* What its line needs at least may be different. */
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

/* ---- items: where they wait ---- */

static bool group_has_room(const struct queue_group *group)
{
	return group->limit == 0 || group->n_offered + group->running < group->limit;
}

static enum queue_where item_where(const struct queue_item *item)
{
	enum queue_where class = queue_item_class(item->project->queue, item);

	if (class != QUEUE_LINE)
		return class;
	/* who came earlier is offered earlier */
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

/* What decides where it waits has changed. */
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
		/* first what stands aside: what the line gives up is looked at once only */
		tree_reconfigure(project, &project->aside);
		tree_reconfigure(project, &project->line);
	}
}

/* ---- starts and ends ---- */

static void account_start(struct queue_item *item, struct queue_host *host)
{
	struct queue *queue = item->project->queue;

	item->where = QUEUE_RUNNING;
	item->host = host;
	item->node.own = queue_host_need(host, item);
	item->project->running++;
	if (item->group)
		item->group->running++;
	queue->running++;
	queue_host_account(host, &item->node.own, true);
}

/* @item starts on @host: it goes past the reserved one, unless it is that, or elsewhere. */
static void pass_reserved(struct queue_item *item, const struct queue_host *host)
{
	struct queue *queue = item->project->queue;
	struct queue_need need = queue_host_need(host, item);

	if (!queue->reserved || queue->reserved == item || queue->reserved_host != host)
		return;
	if (queue_set_aside(queue)) {
		item->beside = queue->reservation;
		queue->n_beside++;
		queue_need_add(&queue->beside, &need, true);
	}
	queue->reserved->passed++;
}

static struct queue_item *take(struct queue_item *item, struct queue_host *host)
{
	struct queue_project *project = item->project;
	struct queue *queue = project->queue;
	uint64_t cost = queue_cost(queue, item) / project->weight;

	queue->virtual_now = queue_project_of(need_tree_first(&queue->ring))->tag;
	pass_reserved(item, host);
	queue_item_take(item);
	project->n_waiting--;
	queue->n_waiting--;
	account_start(item, host);
	/* in line again, behind those that got as much */
	need_tree_remove(&queue->ring, &project->node);
	project->tag += cost ? cost : 1;
	project->serial = ++queue->last_serial;
	if (project->tag > queue->tag_max)
		queue->tag_max = project->tag;
	need_tree_insert(&queue->ring, &project->node);
	queue_project_update(project);
	return item;
}

/*
 * What others than the reserved one may use of @host: never more than is free, and
 * once its needs are set aside there, no more than what is beside them.
 */
static bool room_for_others(const struct queue_host *host, struct queue_need *room)
{
	const struct queue *queue = host->queue;
	struct queue_need beside;

	if (!queue_set_aside(queue) || queue->reserved_host != host)
		return true;
	if (queue->n_beside + 2 > host->capacity.limit)
		return false;
	beside = queue_need_less(queue_host_total(host), queue_host_need(host, queue->reserved));
	beside = queue_need_less(beside, queue->beside);
	*room = queue_need_least(*room, beside);
	return true;
}

/* The hosts on which something may start now, with what is free: for anything, or @others. */
static const struct need_room *rooms_find(struct queue *queue, bool others)
{
	const struct need_room *first = NULL, **link = &first;
	struct queue_host *host;

	list_each (host, &queue->hosts, node) {
		host->room = (struct need_room){.free = queue_host_free(host)};
		if (host->stopped || host->running >= host->capacity.limit ||
		    (others && !room_for_others(host, &host->room.free)))
			continue;
		*link = &host->room;
		link = &host->room.next;
	}
	return first;
}

/* The least loaded of the hosts in @rooms on which @item fits. Return: NULL: none. */
static struct queue_host *host_for(const struct queue_item *item, const struct need_room *rooms)
{
	struct queue_host *best = NULL;

	for (; rooms; rooms = rooms->next) {
		struct queue_host *host = container_of(rooms, struct queue_host, room);
		struct queue_need need = queue_host_need(host, item);

		if (queue_need_fits(&need, &rooms->free) && !queue_host_lacks(host, item) &&
		    (!best || queue_host_load(host) < queue_host_load(best)))
			best = host;
	}
	return best;
}

static bool may_come(const struct queue_item *item)
{
	const struct queue_host *host;

	list_each (host, &item->project->queue->hosts, node) {
		if (queue_host_may_come(host, item))
			return true;
	}
	return false;
}

/*
 * The first in line that some host could run which admits steps. With a single host
 * that is the very first: others are only passed while the hosts that they need admit
 * nothing, and nothing is kept for them.
 */
static struct queue_item *find_first(const struct queue *queue)
{
	struct need_node *outer = need_tree_first(&queue->ring);
	unsigned budget = SEARCH_BUDGET;

	for (; outer; outer = need_tree_next(outer)) {
		struct need_node *node = need_tree_first(&queue_project_of(outer)->line);

		for (; node; node = need_tree_next(node)) {
			if (may_come(queue_item_of(node)))
				return queue_item_of(node);
			if (budget-- == 0)
				return NULL;
		}
	}
	return NULL;
}

/* One more of the reserved item's own project could bring that to its limit. */
static bool keeps_out_reserved(const struct queue *queue, const struct queue_project *project)
{
	return queue_set_aside(queue) && queue->reserved->project == project && project->limit &&
	       project->running + 1 >= project->limit;
}

static struct queue_item *find_other(struct queue *queue, struct queue_host **ret_host)
{
	const struct need_room *rooms = rooms_find(queue, true);
	unsigned budget = SEARCH_BUDGET;
	struct need_node *node = NULL, *found;

	while ((node = need_tree_fit(&queue->ring, node, rooms, &budget))) {
		const struct queue_project *project = queue_project_of(node);

		if (keeps_out_reserved(queue, project))
			continue;
		found = NULL;
		while ((found = need_tree_fit(&project->line, found, rooms, &budget))) {
			*ret_host = host_for(queue_item_of(found), rooms);
			if (*ret_host)
				return queue_item_of(found);
		}
	}
	return NULL;
}

struct queue_item *queue_next(struct queue *queue)
{
	const struct need_room *rooms = rooms_find(queue, false);
	struct queue_host *host;
	struct queue_item *item;

	if (!rooms || !queue->ring.root)
		return NULL;
	reservation_check(queue);
	if (!queue->reserved) {
		item = find_first(queue);
		if (!item)
			return NULL;
		host = host_for(item, rooms);
		if (host)
			return take(item, host);
		reservation_begin(queue, item);
	}
	item = queue->reserved;
	host = host_for(item, rooms);
	if (!host)
		item = find_other(queue, &host);
	return item ? take(item, host) : NULL;
}

void queue_running(struct queue_project *project, struct queue_item *item, struct queue_host *host)
{
	assert(item->where == QUEUE_NOWHERE);
	item->project = project;
	item->beside = 0;
	account_start(item, host);
	queue_project_update(project);
}

/* What runs counts as @need on @host from now on. */
static void item_account(struct queue_item *item, struct queue_host *host, struct queue_need need)
{
	struct queue *queue = item->project->queue;

	queue_host_account(item->host, &item->node.own, false);
	queue_host_account(host, &need, true);
	if (queue_item_beside(queue, item)) {
		queue_need_add(&queue->beside, &item->node.own, false);
		queue_need_add(&queue->beside, &need, true);
	}
	item->host = host;
	item->node.own = need;
}

void queue_move(struct queue_item *item, struct queue_host *host)
{
	struct queue *queue = host->queue;

	if (item->where != QUEUE_RUNNING || item->host == host)
		return;
	if (queue_item_beside(queue, item)) {
		queue->n_beside--;
		queue_need_add(&queue->beside, &item->node.own, false);
		item->beside = 0;
	}
	item_account(item, host, queue_host_need(host, item));
}

void queue_recount(struct queue_item *item)
{
	if (item->where == QUEUE_RUNNING)
		item_account(item, item->host, queue_host_need(item->host, item));
}

void queue_finished(struct queue_item *item)
{
	struct queue_project *project = item->project;
	struct queue *queue;

	if (item->where != QUEUE_RUNNING)
		return;
	queue = project->queue;
	assert(project->running > 0 && queue->running > 0);
	project->running--;
	queue->running--;
	queue_host_account(item->host, &item->node.own, false);
	if (queue_item_beside(queue, item)) {
		queue->n_beside--;
		queue_need_add(&queue->beside, &item->node.own, false);
	}
	item->where = QUEUE_NOWHERE;
	item->project = NULL;
	item->host = NULL;
	if (item->group) {
		item->group->running--;
		queue_group_offer(item->group);
	}
	queue_project_update(project);
}
