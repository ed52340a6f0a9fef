/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue.h"

#include "common/cleanup.h"

#include <assert.h>

/* nodes that one queue_next() may look at, see need_tree_fit() */
#define SEARCH_BUDGET 512

static struct queue_item *item_of(const struct need_node *node)
{
	return node ? container_of(node, struct queue_item, node) : NULL;
}

static struct queue_project *project_of(const struct need_node *node)
{
	return node ? container_of(node, struct queue_project, node) : NULL;
}

/* ---- what something counts as ---- */

static uint64_t less(uint64_t from, uint64_t amount)
{
	return from > amount ? from - amount : 0;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t share(uint64_t all, uint64_t places, uint64_t most)
{
	return smaller(all / (places ? places : 1), most);
}

struct queue_need queue_need_of(const struct queue *queue, const struct queue_item *item)
{
	const struct queue_host *host = &queue->host;
	struct queue_need need = {item->cpu_milli, item->memory};

	if (!need.cpu_milli)
		need.cpu_milli = host->default_cpu_milli;
	if (!need.cpu_milli)
		need.cpu_milli = share(host->cpu_milli, host->limit, QUEUE_SHARE_CPU_MILLI_MAX);
	/* a limit above what there is limits nothing: it gets all of them */
	if (host->cpu_milli)
		need.cpu_milli = smaller(need.cpu_milli, host->cpu_milli);
	if (!need.memory)
		need.memory =
			smaller(host->default_memory, host->memory ? host->memory : UINT64_MAX);
	if (!need.memory)
		need.memory = share(host->memory, host->limit, QUEUE_SHARE_MEMORY_MAX);
	return need;
}

static struct queue_need host_total(const struct queue *queue)
{
	return (struct queue_need){
		queue->host.cpu_milli ? queue->host.cpu_milli : UINT64_MAX,
		queue->host.memory ? queue->host.memory : UINT64_MAX,
	};
}

static struct queue_need need_less(struct queue_need from, struct queue_need amount)
{
	/* what is not counted is never used up */
	if (from.cpu_milli != UINT64_MAX)
		from.cpu_milli = less(from.cpu_milli, amount.cpu_milli);
	if (from.memory != UINT64_MAX)
		from.memory = less(from.memory, amount.memory);
	return from;
}

struct queue_need queue_free(const struct queue *queue)
{
	return need_less(host_total(queue), queue->used);
}

static void need_add(struct queue_need *sum, const struct queue_need *need, bool plus)
{
	sum->cpu_milli =
		plus ? sum->cpu_milli + need->cpu_milli : less(sum->cpu_milli, need->cpu_milli);
	sum->memory = plus ? sum->memory + need->memory : less(sum->memory, need->memory);
}

static uint64_t part_of(uint64_t amount, uint64_t all, uint64_t places)
{
	if (all == 0)
		return 0;
	return (uint64_t)((unsigned __int128)smaller(amount, all) * places * QUEUE_PLACE / all);
}

uint64_t queue_cost(const struct queue *queue, const struct queue_item *item)
{
	const struct queue_host *host = &queue->host;
	uint64_t cpu = part_of(item->node.own.cpu_milli, host->cpu_milli, host->limit);
	uint64_t memory = part_of(item->node.own.memory, host->memory, host->limit);
	uint64_t cost = cpu > memory ? cpu : memory;

	return cost > QUEUE_PLACE ? cost : QUEUE_PLACE;
}

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

static void reservation_end(struct queue *queue)
{
	queue->reserved = NULL;
	queue->n_beside = 0;
	queue->beside = (struct queue_need){0, 0};
}

static void reservation_begin(struct queue *queue, struct queue_item *item)
{
	queue->reserved = item;
	queue->reservation++;
}

/* Was it started while the needs of the reserved one were set aside? */
static bool item_beside(const struct queue *queue, const struct queue_item *item)
{
	return queue->reserved && item->beside == queue->reservation;
}

bool queue_set_aside(const struct queue *queue)
{
	return queue->reserved && queue->reserved->passed >= QUEUE_PASSES * queue->host.limit;
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
		reservation_end(queue);
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

	if (wanted == project->listed)
		return;
	project->listed = wanted;
	if (wanted) {
		project->list_previous = NULL;
		project->list_next = queue->list;
		if (queue->list)
			queue->list->list_previous = project;
		queue->list = project;
		queue->n_listed++;
		return;
	}
	if (project->list_previous)
		project->list_previous->list_next = project->list_next;
	else
		queue->list = project->list_next;
	if (project->list_next)
		project->list_next->list_previous = project->list_previous;
	queue->n_listed--;
}

/* Called after every change: keeps ring and list equal to what they stand for. */
static void project_update(struct queue_project *project)
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
	project_update(project);
}

/* ---- items: where they wait ---- */

static void link_append(struct queue_item **first, struct queue_item **last,
			struct queue_item *item)
{
	item->next = NULL;
	item->previous = *last;
	if (*last)
		(*last)->next = item;
	else
		*first = item;
	*last = item;
}

static void link_remove(struct queue_item **first, struct queue_item **last,
			struct queue_item *item)
{
	if (item->previous)
		item->previous->next = item->next;
	else
		*first = item->next;
	if (item->next)
		item->next->previous = item->previous;
	else
		*last = item->previous;
	item->next = item->previous = NULL;
}

static bool group_has_room(const struct queue_group *group)
{
	return group->limit == 0 || group->n_offered + group->running < group->limit;
}

static bool item_impossible(const struct queue_item *item)
{
	const struct queue_host *host = &item->project->queue->host;

	return host->memory && item->node.own.memory > host->memory;
}

static enum queue_where item_where(const struct queue_item *item)
{
	if (item_impossible(item))
		return QUEUE_NEVER;
	if (item->missing_label)
		return QUEUE_LABEL;
	/* who came earlier is offered earlier */
	if (item->group && (!group_has_room(item->group) || item->group->first))
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
		link_append(&item->group->first, &item->group->last, item);
	} else if (where == QUEUE_NEVER) {
		item->previous = NULL;
		item->next = queue->impossible;
		if (queue->impossible)
			queue->impossible->previous = item;
		queue->impossible = item;
	}
}

/* Out of wherever it waits. The caller goes on with group_offer() and project_update(). */
static void item_take(struct queue_item *item)
{
	struct queue_project *project = item->project;
	struct queue *queue = project->queue;

	need_tree_remove(item->where == QUEUE_LINE ? &project->line : &project->aside, &item->node);
	if (item->where == QUEUE_LINE && item->group) {
		item->group->n_offered--;
	} else if (item->where == QUEUE_GROUP) {
		link_remove(&item->group->first, &item->group->last, item);
	} else if (item->where == QUEUE_NEVER) {
		struct queue_item *last = NULL;

		link_remove(&queue->impossible, &last, item);
	}
	if (queue->reserved == item)
		reservation_end(queue);
	item->where = QUEUE_NOWHERE;
}

/* Those that stand aside for their group, as far as it has room now. */
static void group_offer(struct queue_group *group)
{
	while (group && group->first && group_has_room(group)) {
		struct queue_item *item = group->first;

		item_take(item);
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
	item->node.own = queue_need_of(project->queue, item);
	item->passed = item->beside = 0;
	project->n_waiting++;
	project->queue->n_waiting++;
	item_put(item, item_where(item));
	project_update(project);
}

void queue_remove(struct queue_item *item)
{
	struct queue_project *project = item->project;

	if (item->where == QUEUE_NOWHERE || item->where == QUEUE_RUNNING)
		return;
	item_take(item);
	group_offer(item->group);
	item_forget(item);
	project_update(project);
}

/* What decides where it waits has changed. */
static void item_replace(struct queue_item *item)
{
	item_take(item);
	group_offer(item->group);
	item_put(item, item_where(item));
	project_update(item->project);
}

void queue_set_missing(struct queue_item *item, const char *label)
{
	bool changed = !item->missing_label != !label;

	item->missing_label = label;
	if (changed && item->where != QUEUE_NOWHERE && item->where != QUEUE_RUNNING)
		item_replace(item);
}

struct queue_item *queue_impossible(const struct queue *queue)
{
	return queue->impossible;
}

/* ---- configuration ---- */

void queue_init(struct queue *queue, uint64_t limit)
{
	*queue = (struct queue){.host.limit = limit, .ring.before = project_before};
}

void queue_stop(struct queue *queue, const char *why)
{
	queue->stopped = why;
}

static void tree_reconfigure(struct queue_project *project, const struct need_tree *tree)
{
	const struct queue *queue = project->queue;
	struct need_node *node = need_tree_first(tree), *next;

	for (; node; node = next) {
		struct queue_item *item = item_of(node);
		struct queue_need need = queue_need_of(queue, item);

		next = need_tree_next(node);
		need_node_set(node, &need);
		if (item_impossible(item) != (item->where == QUEUE_NEVER))
			item_replace(item);
	}
	project_update(project);
}

void queue_configure(struct queue *queue, const struct queue_host *host)
{
	const struct queue_host old = queue->host;
	struct queue_project *project, *next;

	queue->host = *host;
	if (old.limit == host->limit && old.cpu_milli == host->cpu_milli &&
	    old.memory == host->memory && old.default_cpu_milli == host->default_cpu_milli &&
	    old.default_memory == host->default_memory)
		return;
	for (project = queue->list; project; project = next) {
		next = project->list_next;
		/* first what stands aside: what the line gives up is looked at once only */
		tree_reconfigure(project, &project->aside);
		tree_reconfigure(project, &project->line);
	}
}

/* ---- starts and ends ---- */

static void account_start(struct queue_item *item)
{
	struct queue *queue = item->project->queue;

	item->where = QUEUE_RUNNING;
	item->project->running++;
	if (item->group)
		item->group->running++;
	queue->running++;
	need_add(&queue->used, &item->node.own, true);
}

static struct queue_item *take(struct queue_item *item)
{
	struct queue_project *project = item->project;
	struct queue *queue = project->queue;
	struct queue_item *reserved = queue->reserved;
	uint64_t cost = queue_cost(queue, item) / project->weight;

	queue->virtual_now = project_of(need_tree_first(&queue->ring))->tag;
	if (reserved && reserved != item) {
		if (queue_set_aside(queue)) {
			item->beside = queue->reservation;
			queue->n_beside++;
			need_add(&queue->beside, &item->node.own, true);
		}
		reserved->passed++;
	}
	item_take(item);
	project->n_waiting--;
	queue->n_waiting--;
	account_start(item);
	/* in line again, behind those that got as much */
	need_tree_remove(&queue->ring, &project->node);
	project->tag += cost ? cost : 1;
	project->serial = ++queue->last_serial;
	if (project->tag > queue->tag_max)
		queue->tag_max = project->tag;
	need_tree_insert(&queue->ring, &project->node);
	project_update(project);
	return item;
}

/*
 * What others than the reserved one may use: never more than is free, and once
 * its needs are set aside, no more than what is beside them.
 */
static bool room_for_others(const struct queue *queue, struct queue_need *room)
{
	struct queue_need beside;

	*room = queue_free(queue);
	if (!queue_set_aside(queue))
		return true;
	if (queue->n_beside + 2 > queue->host.limit)
		return false;
	beside = need_less(host_total(queue), queue->reserved->node.own);
	beside = need_less(beside, queue->beside);
	room->cpu_milli = smaller(room->cpu_milli, beside.cpu_milli);
	room->memory = smaller(room->memory, beside.memory);
	return true;
}

/* One more of the reserved item's own project could bring that to its limit. */
static bool keeps_out_reserved(const struct queue *queue, const struct queue_project *project)
{
	return queue_set_aside(queue) && queue->reserved->project == project && project->limit &&
	       project->running + 1 >= project->limit;
}

static struct queue_item *find_other(const struct queue *queue)
{
	unsigned budget = SEARCH_BUDGET;
	struct need_node *node = NULL, *found;
	struct queue_need room;

	if (!room_for_others(queue, &room))
		return NULL;
	while ((node = need_tree_fit(&queue->ring, node, &room, &budget))) {
		const struct queue_project *project = project_of(node);

		if (keeps_out_reserved(queue, project))
			continue;
		found = need_tree_fit(&project->line, NULL, &room, &budget);
		if (found)
			return item_of(found);
	}
	return NULL;
}

struct queue_item *queue_next(struct queue *queue)
{
	struct queue_item *item;
	struct queue_need room;

	if (queue->stopped || !queue->ring.root || queue->running >= queue->host.limit)
		return NULL;
	room = queue_free(queue);
	if (!queue->reserved) {
		item = item_of(need_tree_first(&project_of(need_tree_first(&queue->ring))->line));
		if (queue_need_fits(&item->node.own, &room))
			return take(item);
		reservation_begin(queue, item);
	}
	item = queue->reserved;
	if (!queue_need_fits(&item->node.own, &room))
		item = find_other(queue);
	return item ? take(item) : NULL;
}

void queue_running(struct queue_project *project, struct queue_item *item)
{
	assert(item->where == QUEUE_NOWHERE);
	item->project = project;
	item->beside = 0;
	item->node.own = queue_need_of(project->queue, item);
	account_start(item);
	project_update(project);
}

void queue_recount(struct queue_item *item)
{
	struct queue_need need;
	struct queue *queue;

	if (item->where != QUEUE_RUNNING)
		return;
	queue = item->project->queue;
	need = queue_need_of(queue, item);
	need_add(&queue->used, &item->node.own, false);
	need_add(&queue->used, &need, true);
	if (item_beside(queue, item)) {
		need_add(&queue->beside, &item->node.own, false);
		need_add(&queue->beside, &need, true);
	}
	item->node.own = need;
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
	need_add(&queue->used, &item->node.own, false);
	if (item_beside(queue, item)) {
		queue->n_beside--;
		need_add(&queue->beside, &item->node.own, false);
	}
	item->where = QUEUE_NOWHERE;
	item->project = NULL;
	if (item->group) {
		item->group->running--;
		group_offer(item->group);
	}
	project_update(project);
}
