/* SPDX-License-Identifier: Apache-2.0 */
/* Starts and ends items: which one is next, on which host, and what it counts as. */
#include "scheduler/queue/queue_parts.h"

#include <assert.h>

/* nodes that one queue_next() may visit, see need_tree_fit() */
#define SEARCH_BUDGET 512

/* ---- the reservation ---- */

/* @item could run on hosts that admit steps, but fits on none now: wait for the least loaded. */
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

/* Do not wait for a host that admits no steps any more or has become too small. */
static void reservation_check(struct queue *queue)
{
	if (queue->reserved && !queue_host_may_come(queue->reserved_host, queue->reserved))
		queue_reservation_end(queue);
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

/* @item starts on @host: if the reserved item waits for that host, it is overtaken. */
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
	/* back into the ring, behind projects with the same cost */
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
 * Reduce @room to what items other than the reserved one may use of @host: at most what is free,
 * and, once resources are reserved there, at most what is left beside them. Return: false: nothing.
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

/*
 * The hosts on which an item may start now, with their free resources; with @others, any item but
 * the reserved one.
 */
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

/* The least loaded of the hosts in @rooms on which @item fits. Return: NULL when there is none. */
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
 * The first item in line that could run on a host that admits steps. With a single host this is the
 * very first item: items are only skipped while the hosts that they need admit no steps, and
 * nothing is reserved for them.
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

/* Whether another item of the reserved item's own project could use up that project's limit. */
static bool keeps_out_reserved(const struct queue *queue, const struct queue_project *project)
{
	return queue_set_aside(queue) && queue->reserved->project == project && project->limit &&
	       project->running + 1 >= project->limit;
}

/* The first item that fits beside the reserved one, by the order of projects and their lines. */
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

/* @item, which runs on @host, counts as @need from now on. */
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
