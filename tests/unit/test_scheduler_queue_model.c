/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue against its model (queue_model.h). Random operations are applied to both; the next item
 * must be the same, and the invariants are checked after every operation.
 *
 * Each round has a seed. A failure names it; RUNBOOK_TEST_SEED=N replays that round alone.
 * RUNBOOK_TEST_LONG=1 plays fifty times as many.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/queue_model.h"

#define ACTS_PER_ROUND 400
#define ROUNDS 1500

/* ---- invariants ---- */

static void check_limits(const struct model *model)
{
	struct queue_need used[N_HOSTS] = {{0, 0}};
	uint64_t waiting = 0;

	for (int i = 0; i < model->n_items; i++) {
		const struct model_item *item = &model->items[i];

		waiting += item->phase == PHASE_WAITS;
		if (item->phase != PHASE_RUNS)
			continue;
		assert_ptr_equal(item->item.host, &model->hosts[item->host].host);
		used[item->host].cpu_milli += item->need.cpu_milli;
		used[item->host].memory += item->need.memory;
	}
	assert_int_equal(model->queue.n_waiting, waiting);
	assert_int_equal(model->queue.running, project_running(model, -1));
	for (int i = 0; i < model->n_hosts; i++) {
		const struct queue_host *host = &model->hosts[i].host;

		assert_int_equal(host->running, host_running(model, i));
		assert_int_equal(host->used.cpu_milli, used[i].cpu_milli);
		assert_int_equal(host->used.memory, used[i].memory);
	}
	for (int i = 0; i < N_PROJECTS; i++)
		assert_int_equal(model->projects[i].project.running, project_running(model, i));
}

/* Called after a start: no limit is exceeded. */
static void check_start(const struct model *model, const struct model_item *item)
{
	const struct queue_project *project = item->item.project;
	const struct queue_group *group = item->item.group;
	const struct queue_host *host = item->item.host;
	const struct queue_capacity *all = &host->capacity;

	assert_true(host->running <= all->limit);
	assert_true(!all->cpu_milli || host->used.cpu_milli <= all->cpu_milli);
	assert_true(!all->memory || host->used.memory <= all->memory);
	assert_true(!project->limit || project->running <= project->limit);
	assert_true(!group || !group->limit || group->running <= group->limit);
	assert_null(project->held);
	assert_true(model_labels(model, item->host, &item->item));
	assert_null(host->stopped);
}

/* No item starts: then no host that admits steps and has a free place has room for any of them. */
static void check_idle_host(const struct model *model, int number)
{
	const struct model_host *host = &model->hosts[number];
	bool aside = queue_set_aside(&model->queue) && model->reserved_host == number;
	struct queue_need room = model_free(model, number, 0), need;
	uint64_t n_before = 0, n_beside = 0;

	if (host->stopped || host->host.running >= host->capacity.limit)
		return;
	for (int i = 0; i < model->n_items; i++) {
		const struct model_item *item = &model->items[i];
		bool runs = item->phase == PHASE_RUNS && item->host == number;

		n_before += runs && item->beside != model->reservation;
		n_beside += runs && item->beside == model->reservation;
		need = model_need(model, number, &item->item);
		if (!aside && !queue_set_aside(&model->queue) && model_eligible(model, item) &&
		    model_labels(model, number, &item->item))
			assert_false(fits(&need, &room));
	}
	if (!aside)
		return;
	/* only items that ran before the reservation keep its room from the reserved item */
	room = model_free(model, number, model->reservation);
	need = model_need(model, number, &model->items[model->reserved].item);
	/* (the host may have become smaller since) */
	if (n_beside < host->capacity.limit && n_beside + n_before > 0 && fits(&need, &room))
		assert_true(n_before > 0);
}

static void check_idle(const struct model *model)
{
	for (int i = 0; i < model->n_hosts; i++)
		check_idle_host(model, i);
}

/* ---- operations ---- */

static void act_push(struct model *model)
{
	static const uint64_t cpus[] = {0, 0, 0, 500, 1000, 2500, 4000, 16000};
	static const uint64_t memories[] = {0, 0, 0, 64, 300, 1024, 4096, 5000};
	static const char *const labels[] = {"gpu", "arm"};
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
	if (model->calm) {		   /* mostly small items, sometimes one that waits long */
		bool large = chance(12) == 0;

		item->item.cpu_milli = large ? 1000 * (chance(8) + 1) : 100 * (chance(10) + 1);
		item->item.priority = large ? 3 : item->item.priority;
	} else {
		item->item.cpu_milli = cpus[chance(ARRAY_SIZE(cpus))];
		item->item.memory = memories[chance(ARRAY_SIZE(memories))] << 20;
	}
	if (chance(model->calm ? 6 : 3) == 0) {
		item->item.labels = chance(2) ? &labels[1] : labels;
		item->item.n_labels = item->item.labels == labels ? chance(2) + 1 : 1;
	}
	group = (int)chance(N_GROUPS * 2);
	if (group < N_GROUPS && model->group_project[group] == item->project) {
		item->group = group;
		item->item.group = &model->groups[group];
	}
	item->group_since = ++model->clock;
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
		model->n_elsewhere += started->host != 0;
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

	/* where old items go on running, a reservation lasts long */
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
	struct model_host *host = &model->hosts[chance((uint64_t)model->n_hosts)];

	host->stopped = chance(4) == 0;
	queue_host_stop(&host->host, host->stopped ? "stopped" : NULL);
}

/* A host reports a step that was assumed to run on another one. */
static void act_move(struct model *model)
{
	struct model_item *item = some_item(model, PHASE_RUNS);

	if (!item)
		return;
	if ((item->host + 1) % model->n_hosts != item->host)
		item->beside = 0;
	item->host = (item->host + 1) % model->n_hosts;
	item->need = model_need(model, item->host, &item->item);
	queue_move(&item->item, &model->hosts[item->host].host);
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

static void capacity_choose(struct queue_capacity *capacity)
{
	static const uint64_t memories[] = {0, 2048, 4096, 8192};

	*capacity = (struct queue_capacity){
		.limit = chance(8) + 1,
		.cpu_milli = chance(4) ? 1000 * (chance(8) + 1) : 0,
		.memory = memories[chance(ARRAY_SIZE(memories))] << 20,
		.default_cpu_milli = chance(3) ? 0 : 300,
		.default_memory = chance(3) ? 0 : 200ULL << 20,
	};
}

static const char *labels_choose(void)
{
	static const char *const labels[] = {"gpu arm", "gpu", "linux arm", "linux", ""};

	return labels[chance(ARRAY_SIZE(labels))];
}

/* Items that become possible enter the lines of their groups in the order of their project. */
static void model_reconfigure(struct model *model, const enum possibility *before)
{
	bool changed[N_ITEMS] = {false};

	for (int i = 0; i < model->n_items; i++) {
		struct model_item *item = &model->items[i];

		if (item->phase == PHASE_RUNS)
			item->need = model_need(model, item->host, &item->item);
		changed[i] = item->phase == PHASE_WAITS && before[i] != model_ever(model, item);
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
 * A host changes. The order in which projects enter the ring affects their shares, and the queue
 * visits them in the order of its list: so does the model.
 */
static void act_configure(struct model *model)
{
	struct model_host *host = &model->hosts[chance((uint64_t)model->n_hosts)];
	enum possibility before[N_ITEMS];
	char labels[HOST_LABELS_MAX + 1];
	const struct queue_project *project;
	int order[N_PROJECTS], n = 0;

	list_each (project, &model->queue.projects, listed)
		order[n++] = (int)(container_of(project, struct model_project, project) -
				   model->projects);
	for (int i = 0; i < model->n_items; i++)
		before[i] = model_ever(model, &model->items[i]);
	if (chance(2))
		capacity_choose(&host->capacity);
	(void)strcpy(labels, chance(2) ? labels_choose() : host->host.labels);
	queue_host_configure(&host->host, &host->capacity, labels);
	model_reconfigure(model, before);
	for (int i = 0; i < N_ITEMS; i++)
		queue_recount(&model->items[i].item);
	for (int i = 0; i < N_GROUPS; i++)
		settle_group(model, i);
	if (model->reserved >= 0 && model_ever(model, &model->items[model->reserved]) != POSSIBLE)
		model->reserved = -1;
	for (int i = 0; i < n; i++)
		settle_project(model, order[i]);
	settle(model);
}

static void (*const acts[])(struct model *) = {
	act_push,   act_push, act_push,	   act_push,   act_push,      act_next,	      act_next,
	act_next,   act_next, act_next,	   act_finish, act_finish,    act_finish,     act_finish,
	act_remove, act_move, act_project, act_stop,   act_configure, act_impossible,
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
	model->n_hosts = chance(2) ? 1 : (int)chance(N_HOSTS) + 1;
	queue_init(&model->queue);
	for (int i = 0; i < model->n_hosts; i++) {
		struct model_host *host = &model->hosts[i];

		capacity_choose(&host->capacity);
		if (model->calm) {
			host->capacity.limit = chance(4) + 2;
			host->capacity.cpu_milli = 1000 * (chance(4) + 2);
		}
		queue_host_add(&model->queue, &host->host, "a host", 1);
		queue_host_configure(&host->host, &host->capacity, labels_choose());
	}
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

/* cmocka leaves a failed test with longjmp(): print the seed before. */
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
		/* calm rounds use the first fourteen */
		acts[chance(model->calm ? 14 : ARRAY_SIZE(acts))](model);
		check_limits(model);
	}
	current_seed = 0;
}

static void test_model(void **state)
{
	struct model *model = malloc(sizeof(*model));
	uint64_t rounds = getenv("RUNBOOK_TEST_LONG") ? ROUNDS * 50 : ROUNDS;
	uint64_t seed = environment("RUNBOOK_TEST_SEED"), started = 0, aside = 0, elsewhere = 0;

	assert_non_null(model);
	if (seed)
		play(model, seed);
	for (uint64_t i = 1; !seed && i <= rounds; i++) {
		play(model, i);
		started += model->n_started;
		aside += model->n_aside;
		elsewhere += model->n_elsewhere;
	}
	print_message("%" PRIu64 " starts, %" PRIu64 " of them not on the first host, %" PRIu64
		      " times something was set aside\n",
		      started, elsewhere, aside);
	assert_true(seed ||
		    (started > rounds * 20 && elsewhere > rounds * 4 && aside > rounds / 2));
	free(model);
}

/* ---- shares ---- */

#define N_SHARES 4

struct share {
	struct queue_project project;
	struct queue_item items[40];
	double got, most; /* by weight: places */
};

/* In any period in which both wait, their shares differ by at most one start of each. */
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
	struct queue_capacity capacity = {.limit = 8, .cpu_milli = 8000, .memory = 8ULL << 30};
	struct queue_host host;
	struct queue queue;
	uint64_t index = 0;

	assert_non_null(shares);
	current_seed = chance_state = seed;
	queue_init(&queue);
	queue_host_add(&queue, &host, "a host", 8);
	queue_host_configure(&host, &capacity, "");
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
 * An upper bound of the starts that a step waits for, computed from shares: the steps of its own
 * project before it, and what the other projects get in the meantime.
 */
static void bound_round(uint64_t seed)
{
	struct share *shares = calloc(N_SHARES, sizeof(*shares));
	struct queue_item *watched;
	uint64_t index = 0, ahead, bound, waited = 0;
	struct queue_host host;
	struct queue queue;

	assert_non_null(shares);
	current_seed = chance_state = seed;
	queue_init(&queue);
	queue_host_add(&queue, &host, "a host", 1);
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
	watched = container_of(need_tree_first(&shares[0].project.line), struct queue_item, node);
	for (uint64_t i = 0; i < ahead; i++)
		watched = container_of(need_tree_next(&watched->node), struct queue_item, node);
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
