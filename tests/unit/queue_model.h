/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of scheduler/queue/queue.h in their simplest form: plain arrays, with everything
 * computed anew.
 */
#ifndef TESTS_UNIT_QUEUE_MODEL_H
#define TESTS_UNIT_QUEUE_MODEL_H

#include "common/cleanup.h"
#include "scheduler/queue/queue.h"

#include <string.h>

#include "tests/unit/cmocka_headers.h"

#define N_PROJECTS 6
#define N_GROUPS 4
#define N_ITEMS 160
#define N_HOSTS 3

/* ---- random numbers ---- */

static uint64_t chance_state;

static inline uint64_t chance(uint64_t below)
{
	uint64_t value = chance_state += 0x9e3779b97f4a7c15ULL;

	value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
	value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
	return (value ^ (value >> 31)) % below;
}

/* ---- the model ---- */

enum phase { PHASE_NONE, PHASE_WAITS, PHASE_RUNS };

struct model_item {
	struct queue_item item; /* the real item; the model only reads the caller's fields */
	enum phase phase;
	int project, group; /* group -1: none */
	bool offered;
	uint64_t group_since;	/* when it began to wait for its group */
	int host;		/* where it runs */
	struct queue_need need; /* on that host */
	uint64_t passed, beside;
	uint64_t started; /* the later, the higher */
};

struct model_project {
	struct queue_project project; /* the real project */
	uint64_t weight, limit;
	bool held, in_ring;
	uint64_t tag, serial;
};

struct model_host {
	struct queue_host host; /* the real host; the model only reads the labels */
	struct queue_capacity capacity;
	bool stopped;
};

struct model {
	struct queue queue; /* the real queue */
	struct model_host hosts[N_HOSTS];
	int n_hosts;
	struct model_project projects[N_PROJECTS];
	struct queue_group groups[N_GROUPS]; /* the real groups; the model only reads the limits */
	int group_project[N_GROUPS];
	struct model_item items[N_ITEMS];
	int n_items;
	uint64_t clock, serial, virtual_now, tag_max;
	int reserved; /* -1: none */
	int reserved_host;
	uint64_t reservation;
	uint64_t now_usec;
	uint64_t n_busy; /* projects that get items */
	bool calm;	 /* steps only come, start and end */
	/* how often the interesting cases occurred in the rounds */
	uint64_t n_started, n_elsewhere, n_aside;
};

static inline uint64_t at_most(uint64_t value, uint64_t most)
{
	return value < most ? value : most;
}

static inline struct queue_need model_need(const struct model *model, int number,
					   const struct queue_item *item)
{
	const struct queue_capacity *host = &model->hosts[number].capacity;
	struct queue_need need;

	if (item->cpu_milli)
		need.cpu_milli = item->cpu_milli;
	else if (host->default_cpu_milli)
		need.cpu_milli = host->default_cpu_milli;
	else
		need.cpu_milli = at_most(host->cpu_milli / host->limit, 1000);
	if (host->cpu_milli)
		need.cpu_milli = at_most(need.cpu_milli, host->cpu_milli);
	if (item->memory)
		need.memory = item->memory;
	else if (host->default_memory)
		need.memory = host->memory ? at_most(host->default_memory, host->memory)
					   : host->default_memory;
	else
		need.memory = at_most(host->memory / host->limit, 512ULL << 20);
	return need;
}

/* No label of the model is a part of another label. */
static inline bool model_labels(const struct model *model, int number,
				const struct queue_item *item)
{
	for (size_t i = 0; i < item->n_labels; i++) {
		if (!strstr(model->hosts[number].host.labels, item->labels[i]))
			return false;
	}
	return true;
}

static inline bool model_large(const struct model *model, int number, const struct queue_item *item)
{
	uint64_t memory = model->hosts[number].capacity.memory;

	return !memory || model_need(model, number, item).memory <= memory;
}

/* Whether @item could run on the host if nothing else did. */
static inline bool model_possible(const struct model *model, int number,
				  const struct queue_item *item)
{
	return model_labels(model, number, item) && model_large(model, number, item);
}

enum possibility { POSSIBLE, NO_LABELS, TOO_LARGE };

static inline enum possibility model_ever(const struct model *model, const struct model_item *item)
{
	bool any_labels = false, any_large = false;

	for (int i = 0; i < model->n_hosts; i++) {
		if (model_possible(model, i, &item->item))
			return POSSIBLE;
		any_labels |= model_labels(model, i, &item->item);
		any_large |= model_large(model, i, &item->item);
	}
	return any_large && !any_labels ? NO_LABELS : TOO_LARGE;
}

static inline bool model_impossible(const struct model *model, const struct model_item *item)
{
	return model_ever(model, item) == TOO_LARGE;
}

static inline uint64_t host_running(const struct model *model, int number)
{
	uint64_t n = 0;

	for (int i = 0; i < model->n_items; i++)
		n += model->items[i].phase == PHASE_RUNS && model->items[i].host == number;
	return n;
}

static inline uint64_t project_running(const struct model *model, int project)
{
	uint64_t n = 0;

	for (int i = 0; i < model->n_items; i++)
		n += model->items[i].phase == PHASE_RUNS &&
		     (project < 0 || model->items[i].project == project);
	return n;
}

/* Whether @item may start as far as labels, groups and its project allow. */
static inline bool model_eligible(const struct model *model, const struct model_item *item)
{
	const struct model_project *project = &model->projects[item->project];

	return item->phase == PHASE_WAITS && model_ever(model, item) == POSSIBLE &&
	       (item->group < 0 || item->offered) && !project->held &&
	       (!project->limit || project_running(model, item->project) < project->limit);
}

static inline bool project_eligible(const struct model *model, int project)
{
	for (int i = 0; i < model->n_items; i++) {
		if (model->items[i].project == project && model_eligible(model, &model->items[i]))
			return true;
	}
	return false;
}

static inline void settle_group(struct model *model, int group)
{
	uint64_t limit = model->groups[group].limit;

	for (;;) {
		struct model_item *first = NULL;
		uint64_t taken = 0;

		for (int i = 0; i < model->n_items; i++) {
			struct model_item *item = &model->items[i];
			bool waits =
				item->phase == PHASE_WAITS && model_ever(model, item) == POSSIBLE;

			if (item->group != group)
				continue;
			taken += item->phase == PHASE_RUNS || (waits && item->offered);
			if (waits && !item->offered &&
			    (!first || item->group_since < first->group_since))
				first = item;
		}
		if (!first || (limit && taken >= limit))
			return;
		first->offered = true;
	}
}

static inline void settle_project(struct model *model, int number)
{
	struct model_project *project = &model->projects[number];
	bool wanted = project_eligible(model, number), any = false;

	if (wanted && !project->in_ring) {
		if (project->tag < model->virtual_now)
			project->tag = model->virtual_now;
		if (project->tag > model->tag_max)
			model->tag_max = project->tag;
		project->serial = ++model->serial;
	}
	if (!wanted && project->in_ring) {
		if (model->reserved >= 0 && model->items[model->reserved].project == number)
			model->reserved = -1;
		for (int i = 0; i < N_PROJECTS; i++)
			any |= i != number && model->projects[i].in_ring;
		if (!any)
			model->virtual_now = model->tag_max;
	}
	project->in_ring = wanted;
}

/* After every operation: bring the derived state up to date. */
static inline void settle(struct model *model)
{
	for (int i = 0; i < N_GROUPS; i++)
		settle_group(model, i);
	if (model->reserved >= 0 && (model->items[model->reserved].phase != PHASE_WAITS ||
				     model_ever(model, &model->items[model->reserved]) != POSSIBLE))
		model->reserved = -1;
	for (int i = 0; i < N_PROJECTS; i++)
		settle_project(model, i);
}

/* What is free on the host; with @beside, as if only items beside that reservation ran. */
static inline struct queue_need model_free(const struct model *model, int number, uint64_t beside)
{
	const struct queue_capacity *host = &model->hosts[number].capacity;
	struct queue_need room = {host->cpu_milli ? host->cpu_milli : UINT64_MAX,
				  host->memory ? host->memory : UINT64_MAX};

	for (int i = 0; i < model->n_items; i++) {
		const struct model_item *item = &model->items[i];

		if (item->phase != PHASE_RUNS || item->host != number ||
		    (beside && item->beside != beside))
			continue;
		if (host->cpu_milli)
			room.cpu_milli -= at_most(item->need.cpu_milli, room.cpu_milli);
		if (host->memory)
			room.memory -= at_most(item->need.memory, room.memory);
	}
	return room;
}

static inline bool fits(const struct queue_need *need, const struct queue_need *room)
{
	return need->cpu_milli <= room->cpu_milli && need->memory <= room->memory;
}

static inline bool model_before(const struct model_item *a, const struct model_item *b)
{
	int64_t left = (int64_t)(a->item.ready_usec / 60000000) - a->item.priority;
	int64_t right = (int64_t)(b->item.ready_usec / 60000000) - b->item.priority;

	if (left != right)
		return left < right;
	if (a->item.run != b->item.run)
		return a->item.run < b->item.run;
	return a->item.index < b->item.index;
}

/* Whether some host that admits steps could run @item once others have ended. */
static inline bool model_may_come(const struct model *model, const struct model_item *item)
{
	for (int i = 0; i < model->n_hosts; i++) {
		if (!model->hosts[i].stopped && model_possible(model, i, &item->item))
			return true;
	}
	return false;
}

static inline bool model_aside(const struct model *model)
{
	return model->reserved >= 0 &&
	       model->items[model->reserved].passed >=
		       4 * model->hosts[model->reserved_host].capacity.limit;
}

/*
 * What an item, or with @others any but the reserved one, may use of the host. Return: false: it
 * has no place.
 */
static inline bool model_room(const struct model *model, int number, bool others,
			      struct queue_need *room)
{
	const struct queue_capacity *host = &model->hosts[number].capacity;
	struct queue_need beside, need;
	uint64_t n = 0;

	*room = model_free(model, number, 0);
	if (model->hosts[number].stopped || host_running(model, number) >= host->limit)
		return false;
	if (!others || !model_aside(model) || model->reserved_host != number)
		return true;
	for (int i = 0; i < model->n_items; i++)
		n += model->items[i].phase == PHASE_RUNS &&
		     model->items[i].beside == model->reservation;
	if (n + 2 > host->limit)
		return false;
	beside = model_free(model, number, model->reservation);
	need = model_need(model, number, &model->items[model->reserved].item);
	if (host->cpu_milli)
		beside.cpu_milli -= at_most(need.cpu_milli, beside.cpu_milli);
	if (host->memory)
		beside.memory -= at_most(need.memory, beside.memory);
	room->cpu_milli = at_most(room->cpu_milli, beside.cpu_milli);
	room->memory = at_most(room->memory, beside.memory);
	return true;
}

/* The used part of the host, of 1 << 24, as the queue counts it. */
static inline uint64_t model_load(const struct model *model, int number)
{
	const struct queue_capacity *host = &model->hosts[number].capacity;
	uint64_t load = at_most(host_running(model, number), host->limit) * (1 << 24) / host->limit;
	struct queue_need used = {0, 0};
	long double part;

	for (int i = 0; i < model->n_items; i++) {
		if (model->items[i].phase != PHASE_RUNS || model->items[i].host != number)
			continue;
		used.cpu_milli += model->items[i].need.cpu_milli;
		used.memory += model->items[i].need.memory;
	}
	if (host->cpu_milli) {
		part = (long double)at_most(used.cpu_milli, host->cpu_milli) * (1 << 24) /
		       (long double)host->cpu_milli;
		load = (uint64_t)part > load ? (uint64_t)part : load;
	}
	if (host->memory) {
		part = (long double)at_most(used.memory, host->memory) * (1 << 24) /
		       (long double)host->memory;
		load = (uint64_t)part > load ? (uint64_t)part : load;
	}
	return load;
}

/*
 * The least loaded host on which @item fits now, the first of equal ones. Return: -1 when there is
 * none.
 */
static inline int model_host_for(const struct model *model, const struct model_item *item,
				 bool others)
{
	int best = -1;

	for (int i = 0; i < model->n_hosts; i++) {
		struct queue_need need = model_need(model, i, &item->item), room;

		if (model_labels(model, i, &item->item) && model_room(model, i, others, &room) &&
		    fits(&need, &room) &&
		    (best < 0 || model_load(model, i) < model_load(model, best)))
			best = i;
	}
	return best;
}

/* The best item of @project that fits somewhere now (@now), or could once others have ended. */
static inline int model_best(const struct model *model, int project, bool now)
{
	int best = -1;

	for (int i = 0; i < model->n_items; i++) {
		const struct model_item *item = &model->items[i];

		if (item->project != project || !model_eligible(model, item) ||
		    (now ? model_host_for(model, item, true) < 0 : !model_may_come(model, item)))
			continue;
		if (best < 0 || model_before(item, &model->items[best]))
			best = i;
	}
	return best;
}

/* The project after (@tag, @serial) in the ring. Return: -1 when there is none. */
static inline int model_project_after(const struct model *model, uint64_t tag, uint64_t serial)
{
	int best = -1;

	for (int i = 0; i < N_PROJECTS; i++) {
		const struct model_project *a = &model->projects[i], *b;

		if (!a->in_ring || a->tag < tag || (a->tag == tag && a->serial <= serial))
			continue;
		b = best >= 0 ? &model->projects[best] : NULL;
		if (!b || a->tag < b->tag || (a->tag == b->tag && a->serial < b->serial))
			best = i;
	}
	return best;
}

/*
 * The first item in the order of the ring that fits somewhere now, or could. Return: -1 when there
 * is none.
 */
static inline int model_first(const struct model *model, bool now)
{
	int project = -1, found;

	for (;;) {
		const struct model_project *last = project < 0 ? NULL : &model->projects[project];

		project = model_project_after(model, last ? last->tag : 0, last ? last->serial : 0);
		if (project < 0)
			return -1;
		if (now && model_aside(model) && model->items[model->reserved].project == project &&
		    model->projects[project].limit &&
		    project_running(model, project) + 1 >= model->projects[project].limit)
			continue;
		found = model_best(model, project, now);
		if (found >= 0)
			return found;
	}
}

/* The largest part of any host that could run it, in places. */
static inline uint64_t model_cost(const struct model *model, const struct queue_item *item)
{
	long double places = 1, part;

	for (int i = 0; i < model->n_hosts; i++) {
		const struct queue_capacity *host = &model->hosts[i].capacity;
		struct queue_need need = model_need(model, i, item);

		if (!model_possible(model, i, item))
			continue;
		if (host->cpu_milli) {
			part = (long double)at_most(need.cpu_milli, host->cpu_milli) *
			       (long double)host->limit / (long double)host->cpu_milli;
			places = part > places ? part : places;
		}
		if (host->memory) {
			part = (long double)at_most(need.memory, host->memory) *
			       (long double)host->limit / (long double)host->memory;
			places = part > places ? part : places;
		}
	}
	return (uint64_t)(places * (1 << 24));
}

static inline void model_take(struct model *model, int number, int host, int first)
{
	struct model_item *item = &model->items[number];
	struct model_project *project = &model->projects[item->project];
	uint64_t cost = model_cost(model, &item->item) / project->weight;

	model->virtual_now = model->projects[first].tag;
	item->beside = 0;
	item->host = host;
	item->need = model_need(model, host, &item->item);
	if (model->reserved >= 0 && model->reserved != number && model->reserved_host == host) {
		if (model_aside(model))
			item->beside = model->reservation;
		model->items[model->reserved].passed++;
	}
	item->phase = PHASE_RUNS;
	item->started = ++model->clock;
	item->offered = false;
	project->tag += cost ? cost : 1;
	project->serial = ++model->serial;
	if (project->tag > model->tag_max)
		model->tag_max = project->tag;
	settle(model);
}

static inline void model_reserve(struct model *model, int number)
{
	model->reserved = number;
	model->reserved_host = -1;
	model->reservation++;
	for (int i = 0; i < model->n_hosts; i++) {
		if (!model->hosts[i].stopped &&
		    model_possible(model, i, &model->items[number].item) &&
		    (model->reserved_host < 0 ||
		     model_load(model, i) < model_load(model, model->reserved_host)))
			model->reserved_host = i;
	}
}

static inline int model_next(struct model *model)
{
	int first = model_project_after(model, 0, 0), best, host;
	struct queue_need room;
	bool any = false;

	for (int i = 0; i < model->n_hosts; i++)
		any |= model_room(model, i, false, &room);
	if (!any || first < 0)
		return -1;
	if (model->reserved >= 0 &&
	    (model->hosts[model->reserved_host].stopped ||
	     !model_possible(model, model->reserved_host, &model->items[model->reserved].item)))
		model->reserved = -1;
	best = model->reserved >= 0 ? model->reserved : model_first(model, false);
	if (best < 0)
		return -1;
	host = model_host_for(model, &model->items[best], false);
	if (host < 0 && model->reserved < 0)
		model_reserve(model, best);
	if (host < 0) {
		best = model_first(model, true);
		host = best < 0 ? -1 : model_host_for(model, &model->items[best], true);
	}
	if (best >= 0)
		model_take(model, best, host, first);
	return best;
}

#endif
