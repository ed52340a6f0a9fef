/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue against a model: plain arrays, no trees, everything found out anew by
 * looking at all of it. Random workloads do the same to both; who starts next
 * must be the same, and what must always hold is looked at after every act.
 *
 * Each round has a seed. A failure names it; RUNBOOK_TEST_SEED=N replays that
 * round alone. RUNBOOK_TEST_LONG=1 plays fifty times as many.
 */
#include "common/cleanup.h"
#include "scheduler/queue.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/cmocka_headers.h"

#define N_PROJECTS 6
#define N_GROUPS 4
#define N_ITEMS 160
#define ACTS_PER_ROUND 400
#define ROUNDS 1500

/* ---- chance ---- */

static uint64_t chance_state;

static uint64_t chance(uint64_t below)
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

static uint64_t at_most(uint64_t value, uint64_t most)
{
	return value < most ? value : most;
}

static struct queue_need model_need(const struct model *model, const struct queue_item *item)
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

static bool model_impossible(const struct model *model, const struct model_item *item)
{
	return model->host.memory && item->need.memory > model->host.memory;
}

static uint64_t project_running(const struct model *model, int project)
{
	uint64_t n = 0;

	for (int i = 0; i < model->n_items; i++)
		n += model->items[i].phase == PHASE_RUNS &&
		     (project < 0 || model->items[i].project == project);
	return n;
}

/* May start as far as labels, groups and its project go. */
static bool model_eligible(const struct model *model, const struct model_item *item)
{
	const struct model_project *project = &model->projects[item->project];

	return item->phase == PHASE_WAITS && !item->item.missing_label &&
	       !model_impossible(model, item) && (item->group < 0 || item->offered) &&
	       !project->held &&
	       (!project->limit || project_running(model, item->project) < project->limit);
}

static bool project_eligible(const struct model *model, int project)
{
	for (int i = 0; i < model->n_items; i++) {
		if (model->items[i].project == project && model_eligible(model, &model->items[i]))
			return true;
	}
	return false;
}

static void settle_group(struct model *model, int group)
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

static void settle_project(struct model *model, int number)
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
static void settle(struct model *model)
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

static struct queue_need model_free(const struct model *model, uint64_t beside)
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

static bool fits(const struct queue_need *need, const struct queue_need *room)
{
	return need->cpu_milli <= room->cpu_milli && need->memory <= room->memory;
}

static bool model_before(const struct model_item *a, const struct model_item *b)
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
static int model_best(const struct model *model, int project, const struct queue_need *room)
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
static int model_project_after(const struct model *model, uint64_t tag, uint64_t serial)
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

static bool model_aside(const struct model *model)
{
	return model->reserved >= 0 &&
	       model->items[model->reserved].passed >= 4 * model->host.limit;
}

static bool model_room(const struct model *model, struct queue_need *room)
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

static int model_other(const struct model *model)
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

static uint64_t model_cost(const struct model *model, const struct queue_need *need)
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

static void model_take(struct model *model, int number, int first)
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

static int model_next(struct model *model)
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

/* ---- what must always hold, whatever the model says ---- */

static void check_limits(const struct model *model)
{
	struct queue_need used = {0, 0};
	uint64_t waiting = 0;

	for (int i = 0; i < model->n_items; i++) {
		const struct model_item *item = &model->items[i];

		waiting += item->phase == PHASE_WAITS;
		if (item->phase != PHASE_RUNS)
			continue;
		used.cpu_milli += item->need.cpu_milli;
		used.memory += item->need.memory;
	}
	assert_int_equal(model->queue.n_waiting, waiting);
	assert_int_equal(model->queue.running, project_running(model, -1));
	assert_int_equal(model->queue.used.cpu_milli, used.cpu_milli);
	assert_int_equal(model->queue.used.memory, used.memory);
	for (int i = 0; i < N_PROJECTS; i++)
		assert_int_equal(model->projects[i].project.running, project_running(model, i));
}

/* Called after a start: nothing went over what it may. */
static void check_start(const struct model *model, const struct model_item *item)
{
	const struct queue *queue = &model->queue;
	const struct queue_project *project = item->item.project;
	const struct queue_group *group = item->item.group;

	assert_true(queue->running <= queue->host.limit);
	assert_true(!queue->host.cpu_milli || queue->used.cpu_milli <= queue->host.cpu_milli);
	assert_true(!queue->host.memory || queue->used.memory <= queue->host.memory);
	assert_true(!project->limit || project->running <= project->limit);
	assert_true(!group || !group->limit || group->running <= group->limit);
	assert_null(project->held);
	assert_null(item->item.missing_label);
	assert_false(model->stopped);
}

/*
 * Nothing starts: then there is nothing that may, but beside what is set aside. And
 * what is set aside is waited for: only those that ran before keep it from starting.
 */
static void check_idle(const struct model *model)
{
	struct queue_need room = model_free(model, 0);
	bool aside = queue_set_aside(&model->queue);
	uint64_t n_before = 0, n_beside = 0;

	if (model->stopped || model->queue.running >= model->host.limit)
		return;
	for (int i = 0; i < model->n_items; i++) {
		const struct model_item *item = &model->items[i];

		n_before += item->phase == PHASE_RUNS && item->beside != model->reservation;
		n_beside += item->phase == PHASE_RUNS && item->beside == model->reservation;
		if (!aside && model_eligible(model, item))
			assert_false(fits(&item->need, &room));
	}
	room = model_free(model, model->reservation);
	/* (the host may have become smaller since) */
	if (aside && n_beside < model->host.limit && n_beside + n_before > 0 &&
	    fits(&model->items[model->reserved].need, &room))
		assert_true(n_before > 0);
}

/* ---- acts ---- */

static void act_push(struct model *model)
{
	static const uint64_t cpus[] = {0, 0, 0, 500, 1000, 2500, 4000, 16000};
	static const uint64_t memories[] = {0, 0, 0, 64, 300, 1024, 4096, 5000};
	struct model_item *item = NULL;
	int group;

	for (int i = 0; i < N_ITEMS && !item; i++) {
		if (model->items[i].phase == PHASE_NONE)
			item = &model->items[i];
		if (i >= model->n_items)
			model->n_items = i + 1;
	}
	if (!item)
		return;
	memset(item, 0, sizeof(*item));
	item->project = (int)chance(model->n_busy);
	item->phase = PHASE_WAITS;
	item->group = -1;
	model->now_usec += chance(30000000);
	item->item.ready_usec = model->now_usec;
	item->item.priority = (int64_t)chance(7) - 3;
	item->item.run = chance(20) + 1;
	item->item.index = ++model->clock; /* no two are equal */
	if (model->calm) { /* mostly small ones, and now and then one that has to wait for long */
		bool large = chance(12) == 0;

		item->item.cpu_milli = large ? 1000 * (chance(8) + 1) : 100 * (chance(10) + 1);
		item->item.priority = large ? 3 : item->item.priority;
	} else {
		item->item.cpu_milli = cpus[chance(ARRAY_SIZE(cpus))];
		item->item.memory = memories[chance(ARRAY_SIZE(memories))] << 20;
		item->item.missing_label = chance(12) == 0 ? "gpu" : NULL;
	}
	group = (int)chance(N_GROUPS * 2);
	if (group < N_GROUPS && model->group_project[group] == item->project) {
		item->group = group;
		item->item.group = &model->groups[group];
	}
	item->group_since = ++model->clock;
	item->need = model_need(model, &item->item);
	settle(model);
	queue_push(&model->projects[item->project].project, &item->item);
}

static void act_next(struct model *model)
{
	struct queue_item *item = queue_next(&model->queue);
	const struct model_item *started;
	int expected = model_next(model);

	started = item ? container_of(item, struct model_item, item) : NULL;
	assert_int_equal(started ? (int)(started - model->items) : -1, expected);
	if (started) {
		check_start(model, started);
		model->n_started++;
	} else {
		check_idle(model);
	}
	model->n_aside += queue_set_aside(&model->queue);
}

static struct model_item *some_item(struct model *model, enum phase phase)
{
	int start = (int)chance(N_ITEMS);

	for (int i = 0; i < model->n_items; i++) {
		struct model_item *item = &model->items[(start + i) % model->n_items];

		if (item->phase == phase)
			return item;
	}
	return NULL;
}

static void act_finish(struct model *model)
{
	struct model_item *item = some_item(model, PHASE_RUNS);
	bool latest = chance(8) != 0;

	/* where the old ones stay, what is set aside stays so for long */
	for (int i = 0; model->calm && item && latest && i < model->n_items; i++) {
		if (model->items[i].phase == PHASE_RUNS && model->items[i].started > item->started)
			item = &model->items[i];
	}
	if (!item)
		return;
	item->phase = PHASE_NONE;
	settle(model);
	queue_finished(&item->item);
	queue_finished(&item->item); /* no-op */
}

static void act_remove(struct model *model)
{
	struct model_item *item = some_item(model, PHASE_WAITS);

	if (!item)
		return;
	item->phase = PHASE_NONE;
	settle(model);
	queue_remove(&item->item);
	queue_remove(&item->item); /* no-op */
}

static void act_label(struct model *model)
{
	struct model_item *item = some_item(model, PHASE_WAITS);

	if (!item)
		return;
	item->group_since = ++model->clock;
	item->offered = false;
	if (item->item.missing_label) {
		queue_set_missing(&item->item, NULL);
	} else {
		queue_set_missing(&item->item, "gpu");
	}
	settle(model);
}

static void act_project(struct model *model)
{
	struct model_project *project = &model->projects[chance(N_PROJECTS)];

	project->held = chance(4) == 0;
	project->limit = chance(5);
	project->weight = chance(3) + 1;
	queue_project_set(&project->project, project->weight, project->limit,
			  project->held ? "held" : NULL);
	settle(model);
}

static void act_stop(struct model *model)
{
	model->stopped = chance(4) == 0;
	queue_stop(&model->queue, model->stopped ? "stopped" : NULL);
}

static void act_impossible(struct model *model)
{
	struct queue_item *item;

	for (int i = 0; i < model->n_items; i++) {
		struct model_item *other = &model->items[i];

		if (other->phase != PHASE_WAITS || !model_impossible(model, other))
			continue;
		assert_int_equal(other->item.where, QUEUE_NEVER);
		other->phase = PHASE_NONE;
	}
	while ((item = queue_impossible(&model->queue))) {
		assert_int_equal(container_of(item, struct model_item, item)->phase, PHASE_NONE);
		queue_remove(item);
	}
	settle(model);
}

static void host_choose(struct queue_host *host)
{
	static const uint64_t memories[] = {0, 2048, 4096, 8192};

	*host = (struct queue_host){
		.limit = chance(8) + 1,
		.cpu_milli = chance(4) ? 1000 * (chance(8) + 1) : 0,
		.memory = memories[chance(ARRAY_SIZE(memories))] << 20,
		.default_cpu_milli = chance(3) ? 0 : 300,
		.default_memory = chance(3) ? 0 : 200ULL << 20,
	};
}

/* Those that become possible line up for their groups in the order of their project. */
static void model_reconfigure(struct model *model)
{
	bool changed[N_ITEMS] = {false};

	for (int i = 0; i < model->n_items; i++) {
		struct model_item *item = &model->items[i];
		bool before = item->item.where == QUEUE_NEVER;

		if (item->phase == PHASE_NONE)
			continue;
		item->need = model_need(model, &item->item);
		changed[i] = item->phase == PHASE_WAITS && before != model_impossible(model, item);
	}
	for (;;) {
		int best = -1;

		for (int i = 0; i < model->n_items; i++) {
			if (changed[i] &&
			    (best < 0 || model_before(&model->items[i], &model->items[best])))
				best = i;
		}
		if (best < 0)
			return;
		changed[best] = false;
		model->items[best].offered = false;
		model->items[best].group_since = ++model->clock;
	}
}

/*
 * Another host. Who comes into the ring first matters for what each gets, and the queue
 * goes by projects in the order of its list: so does the model.
 */
static void act_configure(struct model *model)
{
	int order[N_PROJECTS], n = 0;

	for (const struct queue_project *project = model->queue.list; project;
	     project = project->list_next)
		order[n++] = (int)(container_of(project, struct model_project, project) -
				   model->projects);
	host_choose(&model->host);
	model_reconfigure(model);
	queue_configure(&model->queue, &model->host);
	for (int i = 0; i < model->n_items; i++)
		queue_recount(&model->items[i].item);
	for (int i = 0; i < N_GROUPS; i++)
		settle_group(model, i);
	if (model->reserved >= 0 && model_impossible(model, &model->items[model->reserved]))
		model->reserved = -1;
	for (int i = 0; i < n; i++)
		settle_project(model, order[i]);
	settle(model);
}

static void (*const acts[])(struct model *) = {
	act_push,   act_push,  act_push,    act_push,	act_push,      act_next,       act_next,
	act_next,   act_next,  act_next,    act_finish, act_finish,    act_finish,     act_finish,
	act_remove, act_label, act_project, act_stop,	act_configure, act_impossible,
};

/* ---- rounds ---- */

static void model_start(struct model *model, uint64_t seed)
{
	chance_state = seed;
	memset(model, 0, sizeof(*model));
	model->reserved = -1;
	model->now_usec = 1000000000;
	model->calm = chance(2) == 0;
	model->n_busy = model->calm ? chance(N_PROJECTS) + 1 : N_PROJECTS;
	host_choose(&model->host);
	if (model->calm) {
		model->host.limit = chance(4) + 2;
		model->host.cpu_milli = 1000 * (chance(4) + 2);
	}
	queue_init(&model->queue, 1);
	queue_configure(&model->queue, &model->host);
	for (int i = 0; i < N_PROJECTS; i++) {
		queue_project_init(&model->queue, &model->projects[i].project);
		model->projects[i].weight = 1;
	}
	for (int i = 0; model->calm && i < N_PROJECTS; i++) {
		model->projects[i].limit = chance(2) ? 0 : chance(4) + 1;
		model->projects[i].weight = chance(3) + 1;
		queue_project_set(&model->projects[i].project, model->projects[i].weight,
				  model->projects[i].limit, NULL);
	}
	for (int i = 0; i < N_GROUPS; i++) {
		model->groups[i].limit = chance(4);
		model->group_project[i] = (int)chance(N_PROJECTS);
	}
}

static uint64_t environment(const char *name)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : 0;
}

static uint64_t current_seed;

/* cmocka's failures jump out of the test: the seed is printed before they can. */
static void seed_announce(void)
{
	if (current_seed)
		(void)fprintf(stderr, "failed with RUNBOOK_TEST_SEED=%" PRIu64 "\n", current_seed);
}

static int seed_teardown(void **state)
{
	seed_announce();
	current_seed = 0;
	return 0;
}

static void play(struct model *model, uint64_t seed)
{
	current_seed = seed;
	model_start(model, seed);
	for (int i = 0; model->calm && i < N_ITEMS / 2; i++)
		act_push(model);
	for (uint64_t i = 0; i < ACTS_PER_ROUND; i++) {
		/* the first fourteen are those of calm rounds */
		acts[chance(model->calm ? 14 : ARRAY_SIZE(acts))](model);
		check_limits(model);
	}
	current_seed = 0;
}

static void test_model(void **state)
{
	struct model *model = malloc(sizeof(*model));
	uint64_t rounds = getenv("RUNBOOK_TEST_LONG") ? ROUNDS * 50 : ROUNDS;
	uint64_t seed = environment("RUNBOOK_TEST_SEED"), started = 0, aside = 0;

	assert_non_null(model);
	if (seed)
		play(model, seed);
	for (uint64_t i = 1; !seed && i <= rounds; i++) {
		play(model, i);
		started += model->n_started;
		aside += model->n_aside;
	}
	print_message("%" PRIu64 " starts, %" PRIu64 " times something was set aside\n", started,
		      aside);
	assert_true(seed || (started > rounds * 20 && aside > rounds / 2));
	free(model);
}

/* ---- shares ---- */

#define N_SHARES 4

struct share {
	struct queue_project project;
	struct queue_item items[40];
	double got, most; /* by weight: places */
};

/* Any stretch of time in which both wait: what they get differs by one start of each. */
static void shares_check(const struct share *shares, double range[N_SHARES][N_SHARES][2])
{
	for (int i = 0; i < N_SHARES; i++) {
		for (int j = 0; j < i; j++) {
			double difference = shares[i].got - shares[j].got;
			double *low = &range[i][j][0], *high = &range[i][j][1];

			*low = difference < *low ? difference : *low;
			*high = difference > *high ? difference : *high;
			assert_true(*high - *low <= shares[i].most + shares[j].most + 0.001);
		}
	}
}

static void shares_round(uint64_t seed)
{
	struct share *shares = calloc(N_SHARES, sizeof(*shares));
	double range[N_SHARES][N_SHARES][2] = {{{0}}};
	struct queue_host host = {.limit = 8, .cpu_milli = 8000, .memory = 8ULL << 30};
	struct queue queue;
	uint64_t index = 0;

	assert_non_null(shares);
	current_seed = chance_state = seed;
	queue_init(&queue, 8);
	queue_configure(&queue, &host);
	for (int i = 0; i < N_SHARES; i++) {
		queue_project_init(&queue, &shares[i].project);
		queue_project_set(&shares[i].project, chance(5) + 1, 0, NULL);
		for (size_t j = 0; j < ARRAY_SIZE(shares[i].items); j++) {
			shares[i].items[j].index = ++index;
			shares[i].items[j].cpu_milli = chance(3) ? 0 : 1000 * (chance(8) + 1);
			shares[i].items[j].memory = chance(3) ? 0 : (chance(8) + 1) << 30;
			queue_push(&shares[i].project, &shares[i].items[j]);
		}
		shares[i].most = 8.0 / (double)shares[i].project.weight;
	}
	for (int i = 0; i < 300; i++) {
		struct queue_item *item = queue_next(&queue);
		struct share *share;

		assert_non_null(item);
		share = container_of(item->project, struct share, project);
		share->got += (double)queue_cost(&queue, item) / (double)QUEUE_PLACE /
			      (double)share->project.weight;
		shares_check(shares, range);
		queue_finished(item);
		item->index = ++index;
		queue_push(&share->project, item);
	}
	free(shares);
	current_seed = 0;
}

static void test_shares(void **state)
{
	uint64_t rounds = getenv("RUNBOOK_TEST_LONG") ? 20000 : 400;
	uint64_t seed = environment("RUNBOOK_TEST_SEED");

	if (seed)
		shares_round(seed);
	for (uint64_t i = 1; !seed && i <= rounds; i++)
		shares_round(i);
}

/*
 * Starts that a step may have to wait for, computed from shares: those of its own
 * project that stand before it, and what the others get in the meantime.
 */
static void bound_round(uint64_t seed)
{
	struct share *shares = calloc(N_SHARES, sizeof(*shares));
	struct queue_item *watched;
	uint64_t index = 0, ahead, bound, waited = 0;
	struct queue queue;

	assert_non_null(shares);
	current_seed = chance_state = seed;
	queue_init(&queue, 1);
	for (int i = 0; i < N_SHARES; i++) {
		queue_project_init(&queue, &shares[i].project);
		queue_project_set(&shares[i].project, chance(5) + 1, 0, NULL);
		for (size_t j = 0; j < ARRAY_SIZE(shares[i].items); j++) {
			shares[i].items[j].index = ++index;
			queue_push(&shares[i].project, &shares[i].items[j]);
		}
	}
	for (uint64_t i = chance(50); i > 0; i--) {
		struct queue_item *item = queue_next(&queue);
		struct queue_project *project = item->project;

		queue_finished(item);
		item->index = ++index;
		queue_push(project, item);
	}
	ahead = chance(ARRAY_SIZE(shares[0].items));
	watched = container_of(order_first(&shares[0].project.line), struct queue_item, node);
	for (uint64_t i = 0; i < ahead; i++)
		watched = container_of(order_next(&watched->node), struct queue_item, node);
	bound = ahead;
	for (int i = 1; i < N_SHARES; i++) {
		uint64_t weights = shares[0].project.weight;

		bound += ((ahead + 1) * shares[i].project.weight + weights - 1) / weights + 1;
	}
	for (;; waited++) {
		struct queue_item *item = queue_next(&queue);
		struct queue_project *project;

		assert_non_null(item);
		if (item == watched)
			break;
		project = item->project;
		queue_finished(item);
		item->index = ++index;
		queue_push(project, item);
	}
	assert_true(waited <= bound);
	free(shares);
	current_seed = 0;
}

static void test_bound(void **state)
{
	uint64_t rounds = getenv("RUNBOOK_TEST_LONG") ? 50000 : 1000;
	uint64_t seed = environment("RUNBOOK_TEST_SEED");

	if (seed)
		bound_round(seed);
	for (uint64_t i = 1; !seed && i <= rounds; i++)
		bound_round(i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_model, seed_teardown),
		cmocka_unit_test_teardown(test_shares, seed_teardown),
		cmocka_unit_test_teardown(test_bound, seed_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
