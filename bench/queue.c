/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue: measures the time of the operations of the scheduler's queue, and how long steps wait
 * in it. It links the queue itself (scheduler/queue/), without a scheduler.
 *
 *	queue cost [MAX]	tab-separated: kind, items waiting, nanoseconds for each of
 *				push, next, finish; 1e3 to MAX (default 1e6) items
 *	queue greedy [TRIALS]	waits of a small project beside a greedy one, in seconds of
 *				simulated time: kind, percentiles, and what a fair share predicts
 */
#include "scheduler/queue/queue.h"
#include "common/cleanup.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t chance_state = 1;

static uint64_t chance(uint64_t below)
{
	uint64_t value = chance_state += 0x9e3779b97f4a7c15ULL;

	assert(below > 0);
	value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
	value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
	return (value ^ (value >> 31)) % below;
}

static void *must(void *memory)
{
	if (!memory) {
		(void)fprintf(stderr, "queue: out of memory\n");
		exit(1);
	}
	return memory;
}

/* ---- cost ---- */

#define PLACES 64
#define MEASURED 100000 /* operations of each kind, but at least a tenth of the queue */

/* Processor time, which excludes other work on the machine. */
static uint64_t now_nsec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
}

struct cost {
	struct queue queue;
	struct queue_host host;
	struct queue_project *projects;
	struct queue_item *items;
	size_t n_items, n_projects;
	bool varied; /* needs, priorities and weights of all kinds */
	uint64_t minute;
};

static void item_choose(struct cost *cost, struct queue_item *item, size_t number)
{
	*item = (struct queue_item){
		.ready_usec = cost->minute++ * 1000000,
		.run = number / 100 + 1,
		.index = number,
	};
	if (!cost->varied)
		return;
	item->priority = (int64_t)chance(201) - 100;
	item->cpu_milli = chance(2) ? 0 : 100 * (chance(160) + 1);
	item->memory = chance(2) ? 0 : (chance(256) + 1) << 26;
}

static void cost_fill(struct cost *cost, size_t n, bool varied)
{
	struct queue_capacity capacity = {
		.limit = PLACES, .cpu_milli = 16000, .memory = 16ULL << 30};

	memset(cost, 0, sizeof(*cost));
	cost->n_items = n + PLACES;
	cost->n_projects = 1000;
	cost->varied = varied;
	cost->items = must(calloc(cost->n_items, sizeof(*cost->items)));
	cost->projects = must(calloc(cost->n_projects, sizeof(*cost->projects)));
	queue_init(&cost->queue);
	queue_host_add(&cost->queue, &cost->host, "this host", 1);
	queue_host_configure(&cost->host, &capacity, "");
	for (size_t i = 0; i < cost->n_projects; i++) {
		queue_project_init(&cost->queue, &cost->projects[i]);
		queue_project_set(&cost->projects[i], varied ? chance(9) + 1 : 1, 0, NULL);
	}
	for (size_t i = 0; i < cost->n_items; i++) {
		item_choose(cost, &cost->items[i], i);
		queue_push(&cost->projects[chance(cost->n_projects)], &cost->items[i]);
	}
}

/*
 * The queue keeps its length: a step that ends makes room for the next and is pushed again as a
 * new one. Reading the clock around each operation would take longer than the operation, so the
 * whole cycle is timed and divided.
 */
static void cost_measure(size_t n, bool varied)
{
	struct queue_item **running = must(calloc(PLACES, sizeof(struct queue_item *)));
	uint64_t began, starts = 0, ends = 0, cycles = n / 10 > MEASURED ? n / 10 : MEASURED;
	size_t n_running = 0, at = 0;
	struct cost cost;

	cost_fill(&cost, n, varied);
	began = now_nsec();
	while (ends < cycles) {
		struct queue_item *item = queue_next(&cost.queue);
		struct queue_project *project;

		if (item) {
			running[n_running++] = item;
			starts++;
			continue;
		}
		at = chance(n_running);
		item = running[at];
		running[at] = running[--n_running];
		project = item->project;
		queue_finished(item);
		item_choose(&cost, item, item->index + cost.n_items);
		queue_push(project, item);
		ends++;
	}
	/* two calls of next() for each start: the second one finds no step */
	(void)printf("%s\t%zu\t%.1f\n", varied ? "varied" : "plain", n,
		     (double)(now_nsec() - began) / (double)(starts + 2 * ends));
	(void)fflush(stdout);
	free(cost.items);
	free(cost.projects);
	free(running);
}

/* ---- a greedy project ---- */

#define GREEDY_STEPS 10000
#define SMALL_STEPS 10
#define GREEDY_PLACES 8

struct simulation {
	struct queue queue;
	struct queue_host host;
	struct queue_project greedy, small;
	struct queue_item *items; /* the greedy ones, then the small ones */
	double ends[GREEDY_PLACES];
	struct queue_item *running[GREEDY_PLACES];
	double now;
	bool varied; /* a step takes 0.5 to 1.5 s instead of 1 s */
	double waits[SMALL_STEPS];
	size_t n_small, n_started;     /* starts since the small project's steps came */
	double share[2 * SMALL_STEPS]; /* the time of each of these starts */
};

static double duration(const struct simulation *simulation)
{
	return simulation->varied ? 0.5 + (double)chance(1000000) / 1e6 : 1;
}

static bool is_small(const struct simulation *simulation, const struct queue_item *item)
{
	return item >= simulation->items + GREEDY_STEPS;
}

static void start_all(struct simulation *simulation, double came)
{
	struct queue_item *item;

	while ((item = queue_next(&simulation->queue))) {
		size_t place = 0;

		while (simulation->running[place])
			place++;
		simulation->running[place] = item;
		simulation->ends[place] = simulation->now + duration(simulation);
		if (came < 0)
			continue;
		if (simulation->n_started < ARRAY_SIZE(simulation->share))
			simulation->share[simulation->n_started++] = simulation->now - came;
		if (is_small(simulation, item))
			simulation->waits[simulation->n_small++] = simulation->now - came;
	}
}

static void end_one(struct simulation *simulation)
{
	size_t first = 0;

	for (size_t i = 1; i < GREEDY_PLACES; i++) {
		if (simulation->running[i] &&
		    (!simulation->running[first] || simulation->ends[i] < simulation->ends[first]))
			first = i;
	}
	simulation->now = simulation->ends[first];
	queue_finished(simulation->running[first]);
	simulation->running[first] = NULL;
}

/*
 * One trial: the greedy project's steps have run for a while when the small project's come.
 * @fifo: both are one project, so that only the order of arrival counts.
 */
static void trial(struct simulation *simulation, bool fifo, bool varied)
{
	struct queue_item *items = simulation->items;
	double came;

	memset(simulation, 0, sizeof(*simulation));
	memset(items, 0, (GREEDY_STEPS + SMALL_STEPS) * sizeof(*items));
	simulation->items = items;
	simulation->varied = varied;
	queue_init(&simulation->queue);
	queue_host_add(&simulation->queue, &simulation->host, "this host", GREEDY_PLACES);
	queue_project_init(&simulation->queue, &simulation->greedy);
	queue_project_init(&simulation->queue, &simulation->small);
	for (size_t i = 0; i < GREEDY_STEPS; i++) {
		items[i].index = i;
		queue_push(&simulation->greedy, &items[i]);
	}
	start_all(simulation, -1);
	for (size_t i = 0; i < GREEDY_PLACES; i++) /* let the first ends be spread over a second */
		simulation->ends[i] = (double)chance(1000000) / 1e6;
	for (uint64_t i = chance(200) + 100; i > 0; i--) {
		end_one(simulation);
		start_all(simulation, -1);
	}
	came = simulation->now;
	for (size_t i = 0; i < SMALL_STEPS; i++) {
		struct queue_item *item = &items[GREEDY_STEPS + i];

		item->run = 1;
		item->index = i;
		queue_push(fifo ? &simulation->greedy : &simulation->small, item);
	}
	while (simulation->n_small < SMALL_STEPS ||
	       simulation->n_started < ARRAY_SIZE(simulation->share)) {
		end_one(simulation);
		start_all(simulation, came);
	}
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static void print_percentiles(const char *kind, double *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare);
	(void)printf("%s\t%.3f\t%.3f\t%.3f\t%.3f\n", kind, values[n / 2], values[n * 9 / 10],
		     values[n * 99 / 100], values[n - 1]);
	(void)fflush(stdout);
}

/*
 * The prediction of a fair share: of two projects with waiting steps, each gets every second
 * start. So the k-th step of the small project starts with the 2k-th start at the latest, and
 * the time of that start depends only on when places become free, not on the projects.
 */
static void greedy(size_t trials, bool varied)
{
	struct simulation *simulation = must(calloc(1, sizeof(*simulation)));
	size_t n = trials * SMALL_STEPS;
	double *waits = must(calloc(n, sizeof(double)));
	double *share = must(calloc(n, sizeof(double)));
	char kind[32];

	simulation->items = must(calloc(GREEDY_STEPS + SMALL_STEPS, sizeof(struct queue_item)));
	for (size_t i = 0; i < trials; i++) {
		trial(simulation, false, varied);
		memcpy(&waits[i * SMALL_STEPS], simulation->waits, sizeof(simulation->waits));
		for (size_t k = 0; k < SMALL_STEPS; k++)
			share[i * SMALL_STEPS + k] = simulation->share[2 * k + 1];
	}
	(void)snprintf(kind, sizeof(kind), "fair-%s", varied ? "varied" : "even");
	print_percentiles(kind, waits, n);
	(void)snprintf(kind, sizeof(kind), "predicted-%s", varied ? "varied" : "even");
	print_percentiles(kind, share, n);
	trials = trials > 10 ? 10 : trials;
	for (size_t i = 0; i < trials; i++) {
		trial(simulation, true, varied);
		memcpy(&waits[i * SMALL_STEPS], simulation->waits, sizeof(simulation->waits));
	}
	(void)snprintf(kind, sizeof(kind), "fifo-%s", varied ? "varied" : "even");
	print_percentiles(kind, waits, trials * SMALL_STEPS);
	free(simulation->items);
	free(simulation);
	free(waits);
	free(share);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	size_t number = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;

	if (strcmp(what, "cost") == 0) {
		for (int varied = 0; varied < 2; varied++) {
			static const size_t lengths[] = {1000,	 3000,	 10000,	 30000,
							 100000, 300000, 1000000};

			for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
				if (!number || lengths[i] <= number)
					cost_measure(lengths[i], varied);
			}
		}
		return 0;
	}
	if (strcmp(what, "greedy") == 0) {
		greedy(number ? number : 1000, false);
		greedy(number ? number : 1000, true);
		return 0;
	}
	(void)fprintf(stderr, "usage: queue cost [MAX] | queue greedy [TRIALS]\n");
	return 2;
}
