/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of scheduler/queue.h said in the simplest way: plain arrays, everything found out anew. */
#ifndef TESTS_UNIT_QUEUE_MODEL_H
#define TESTS_UNIT_QUEUE_MODEL_H

#include "common/cleanup.h"
#include "scheduler/queue.h"

#include <string.h>

#include "tests/unit/cmocka_headers.h"

#define N_PROJECTS 6
#define N_GROUPS 4
#define N_ITEMS 160

/* ---- chance ---- */

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
	struct queue_item item; /* the real one; the model looks at the caller's fields only */
	enum phase phase;
	int project, group; /* group -1: none */
	bool offered;
	uint64_t group_since; /* when it began to wait for its group */
	struct queue_need need;
	uint64_t passed, beside;
	uint64_t started; /* the later, the higher */
};

struct model_project {
	struct queue_project project; /* the real one */
	uint64_t weight, limit;
	bool held, in_ring;
	uint64_t tag, serial;
};

struct model {
	struct queue queue; /* the real one */
	struct model_project projects[N_PROJECTS];
	struct queue_group groups[N_GROUPS]; /* real; the model looks at the limits only */
	int group_project[N_GROUPS];
	struct model_item items[N_ITEMS];
	int n_items;
	struct queue_host host;
	bool stopped;
	uint64_t clock, serial, virtual_now, tag_max;
	int reserved; /* -1: none */
	uint64_t reservation;
	uint64_t now_usec;
	uint64_t n_busy;	     /* projects that get something to do */
	bool calm;		     /* nothing but steps that come, start and end */
	uint64_t n_started, n_aside; /* what the rounds had to offer */
};

static inline uint64_t at_most(uint64_t value, uint64_t most)
{
	return value < most ? value : most;
}

static inline struct queue_need model_need(const struct model *model, const struct queue_item *item)
{
	const struct queue_host *host = &model->host;
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

static inline bool model_impossible(const struct model *model, const struct model_item *item)
{
	return model->host.memory && item->need.memory > model->host.memory;
}

static inline uint64_t project_running(const struct model *model, int project)
{
	uint64_t n = 0;

	for (int i = 0; i < model->n_items; i++)
		n += model->items[i].phase == PHASE_RUNS &&
		     (project < 0 || model->items[i].project == project);
	return n;
}

/* May start as far as labels, groups and its project go. */
static inline bool model_eligible(const struct model *model, const struct model_item *item)
{
	const struct model_project *project = &model->projects[item->project];

	return item->phase == PHASE_WAITS && !item->item.missing_label &&
	       !model_impossible(model, item) && (item->group < 0 || item->offered) &&
	       !project->held &&
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
			bool waits = item->phase == PHASE_WAITS && !item->item.missing_label &&
				     !model_impossible(model, item);

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

/* After every act: everything that follows from what is. */
static inline void settle(struct model *model)
{
	for (int i = 0; i < N_GROUPS; i++)
		settle_group(model, i);
	if (model->reserved >= 0 && (model->items[model->reserved].phase != PHASE_WAITS ||
				     model->items[model->reserved].item.missing_label ||
				     model_impossible(model, &model->items[model->reserved])))
		model->reserved = -1;
	for (int i = 0; i < N_PROJECTS; i++)
		settle_project(model, i);
}

static inline struct queue_need model_free(const struct model *model, uint64_t beside)
{
	struct queue_need room = {model->host.cpu_milli ? model->host.cpu_milli : UINT64_MAX,
				  model->host.memory ? model->host.memory : UINT64_MAX};

	for (int i = 0; i < model->n_items; i++) {
		const struct model_item *item = &model->items[i];

		if (item->phase != PHASE_RUNS || (beside && item->beside != beside))
			continue;
		if (model->host.cpu_milli)
			room.cpu_milli -= at_most(item->need.cpu_milli, room.cpu_milli);
		if (model->host.memory)
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

/* The best of @project that fits into @room (NULL: the best of all). */
static inline int model_best(const struct model *model, int project, const struct queue_need *room)
{
	int best = -1;

	for (int i = 0; i < model->n_items; i++) {
		const struct model_item *item = &model->items[i];

		if (item->project != project || !model_eligible(model, item) ||
		    (room && !fits(&item->need, room)))
			continue;
		if (best < 0 || model_before(item, &model->items[best]))
			best = i;
	}
	return best;
}

/* Who is next after (@tag, @serial); -1: nobody. */
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

static inline bool model_aside(const struct model *model)
{
	return model->reserved >= 0 &&
	       model->items[model->reserved].passed >= 4 * model->host.limit;
}

static inline bool model_room(const struct model *model, struct queue_need *room)
{
	const struct model_item *reserved = &model->items[model->reserved];
	struct queue_need beside;
	uint64_t n = 0;

	*room = model_free(model, 0);
	if (!model_aside(model))
		return true;
	for (int i = 0; i < model->n_items; i++)
		n += model->items[i].phase == PHASE_RUNS &&
		     model->items[i].beside == model->reservation;
	if (n + 2 > model->host.limit)
		return false;
	beside = model_free(model, model->reservation);
	if (model->host.cpu_milli)
		beside.cpu_milli -= at_most(reserved->need.cpu_milli, beside.cpu_milli);
	if (model->host.memory)
		beside.memory -= at_most(reserved->need.memory, beside.memory);
	room->cpu_milli = at_most(room->cpu_milli, beside.cpu_milli);
	room->memory = at_most(room->memory, beside.memory);
	return true;
}

static inline int model_other(const struct model *model)
{
	struct queue_need room;
	int project = -1, found;

	if (!model_room(model, &room))
		return -1;
	for (;;) {
		const struct model_project *last = project < 0 ? NULL : &model->projects[project];

		project = model_project_after(model, last ? last->tag : 0, last ? last->serial : 0);
		if (project < 0)
			return -1;
		if (model_aside(model) && model->items[model->reserved].project == project &&
		    model->projects[project].limit &&
		    project_running(model, project) + 1 >= model->projects[project].limit)
			continue;
		found = model_best(model, project, &room);
		if (found >= 0)
			return found;
	}
}

static inline uint64_t model_cost(const struct model *model, const struct queue_need *need)
{
	const struct queue_host *host = &model->host;
	long double places = 1, part;

	if (host->cpu_milli) {
		part = (long double)at_most(need->cpu_milli, host->cpu_milli) *
		       (long double)host->limit / (long double)host->cpu_milli;
		places = part > places ? part : places;
	}
	if (host->memory) {
		part = (long double)at_most(need->memory, host->memory) * (long double)host->limit /
		       (long double)host->memory;
		places = part > places ? part : places;
	}
	return (uint64_t)(places * (1 << 24));
}

static inline void model_take(struct model *model, int number, int first)
{
	struct model_item *item = &model->items[number];
	struct model_project *project = &model->projects[item->project];
	uint64_t cost = model_cost(model, &item->need) / project->weight;

	model->virtual_now = model->projects[first].tag;
	item->beside = 0;
	if (model->reserved >= 0 && model->reserved != number) {
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

static inline int model_next(struct model *model)
{
	int first = model_project_after(model, 0, 0), best;
	struct queue_need room = model_free(model, 0);

	if (model->stopped || first < 0 || project_running(model, -1) >= model->host.limit)
		return -1;
	best = model_best(model, first, NULL);
	if (model->reserved < 0 && !fits(&model->items[best].need, &room)) {
		model->reserved = best;
		model->reservation++;
	}
	if (model->reserved >= 0) {
		best = model->reserved;
		if (!fits(&model->items[best].need, &room))
			best = model_other(model);
	}
	if (best >= 0)
		model_take(model, best, first);
	return best;
}

#endif
