/* SPDX-License-Identifier: Apache-2.0 */
/* The queue by examples; test_scheduler_queue_model.c holds it against a model. */
#include "common/cleanup.h"
#include "scheduler/queue/queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/cmocka_headers.h"

#define N_PROJECTS 6
#define N_ITEMS 400
#define MINUTE 60000000ULL
#define GIB_OF(n) ((uint64_t)(n) << 30)

struct job {
	struct queue_item item;
	int project, number;
};

struct fixture {
	struct queue queue;
	struct queue_host host;
	struct queue_project projects[N_PROJECTS];
	struct job jobs[N_ITEMS];
	int n_jobs;
};

static struct fixture *fixture_new(uint64_t limit)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	queue_init(&fixture->queue);
	queue_host_add(&fixture->queue, &fixture->host, "this host", limit);
	for (int i = 0; i < N_PROJECTS; i++)
		queue_project_init(&fixture->queue, &fixture->projects[i]);
	return fixture;
}

/* A host of 8 places, 8 processors and 16 GiB. */
static struct fixture *fixture_host(void)
{
	struct fixture *fixture = fixture_new(1);
	struct queue_capacity capacity = {.limit = 8, .cpu_milli = 8000, .memory = GIB_OF(16)};

	queue_host_configure(&fixture->host, &capacity, "");
	return fixture;
}

/* Missing members are 0: ready long ago, priority 0, nothing declared. */
static struct job *job_push_as(struct fixture *fixture, int project, struct queue_item item)
{
	struct job *job = &fixture->jobs[fixture->n_jobs];

	job->project = project;
	job->number = fixture->n_jobs++;
	job->item = item;
	job->item.index = (uint64_t)job->number;
	queue_push(&fixture->projects[project], &job->item);
	return job;
}

#define PUSH(fixture, project, ...) job_push_as(fixture, project, (struct queue_item){__VA_ARGS__})

static struct job *job_push(struct fixture *fixture, int project)
{
	return PUSH(fixture, project, .run = 0);
}

static struct job *job_next(struct fixture *fixture)
{
	struct queue_item *item = queue_next(&fixture->queue);

	return item ? container_of(item, struct job, item) : NULL;
}

static void reason_expect(const struct job *job, enum queue_wait wait, const char *text)
{
	char reason[256];

	assert_int_equal(queue_reason(&job->item, reason, sizeof(reason)), wait);
	assert_string_equal(reason, text);
}

/* ---- within a project ---- */

static void test_fifo(void **state)
{
	struct fixture *fixture = fixture_new(100);

	for (int i = 0; i < 10; i++)
		(void)job_push(fixture, 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(job_next(fixture)->number, i);
	assert_null(job_next(fixture));
	free(fixture);
}

static void test_order(void **state)
{
	struct fixture *fixture = fixture_new(100);
	const struct job *low, *late_step, *old_run, *high, *first_step;

	low = PUSH(fixture, 0, .run = 1, .priority = -1);
	late_step = PUSH(fixture, 0, .run = 7);
	old_run = PUSH(fixture, 0, .run = 3);
	high = PUSH(fixture, 0, .run = 9, .priority = 1);
	first_step = PUSH(fixture, 0, .run = 5);
	assert_ptr_equal(job_next(fixture), high);
	assert_ptr_equal(job_next(fixture), old_run);
	assert_ptr_equal(job_next(fixture), first_step);
	assert_ptr_equal(job_next(fixture), late_step);
	assert_ptr_equal(job_next(fixture), low);
	free(fixture);
}

/* An item that has waited as many minutes longer as its priority is lower goes first. */
static void test_ageing(void **state)
{
	struct fixture *fixture = fixture_new(100);
	const struct job *old, *young, *urgent;

	old = PUSH(fixture, 0, .run = 2, .priority = -100, .ready_usec = MINUTE);
	young = PUSH(fixture, 0, .run = 1, .priority = 0, .ready_usec = 102 * MINUTE);
	urgent = PUSH(fixture, 0, .run = 3, .priority = 100, .ready_usec = 200 * MINUTE);
	assert_ptr_equal(job_next(fixture), urgent);
	assert_ptr_equal(job_next(fixture), old);
	assert_ptr_equal(job_next(fixture), young);
	free(fixture);
}

/* ---- between projects ---- */

static void test_greedy(void **state)
{
	struct fixture *fixture = fixture_new(1);
	const struct job *small;
	int waited = 0;

	for (int i = 0; i < 300; i++)
		(void)job_push(fixture, 0);
	small = job_push(fixture, 1);
	for (;; waited++) {
		struct job *job = job_next(fixture);

		queue_finished(&job->item);
		if (job == small)
			break;
	}
	assert_true(waited <= 1);
	free(fixture);
}

static void test_weights(void **state)
{
	struct fixture *fixture = fixture_new(1);
	int n[2] = {0};

	queue_project_set(&fixture->projects[0], 3, 0, NULL);
	for (int i = 0; i < 150; i++) {
		(void)job_push(fixture, 0);
		(void)job_push(fixture, 1);
	}
	for (int i = 0; i < 100; i++) {
		struct job *job = job_next(fixture);

		n[job->project]++;
		queue_finished(&job->item);
	}
	assert_int_equal(n[0], 75);
	assert_int_equal(n[1], 25);
	free(fixture);
}

/* A step of half the host costs as many places as half the host has. */
static void test_large_steps_cost_more(void **state)
{
	struct fixture *fixture = fixture_host();
	int n[3] = {0};

	for (int i = 0; i < 90; i++) {
		(void)PUSH(fixture, 0, .cpu_milli = 4000);
		(void)PUSH(fixture, 1, .memory = GIB_OF(4));
		(void)PUSH(fixture, 2, .cpu_milli = 500);
	}
	for (int i = 0; i < 70; i++) {
		struct job *job = job_next(fixture);

		n[job->project]++;
		queue_finished(&job->item);
	}
	assert_int_equal(n[0], 10);
	assert_int_equal(n[1], 20);
	assert_int_equal(n[2], 40);
	free(fixture);
}

/* An idle project saves up no turns, and a busy one does not pay for what no other wanted. */
static void test_no_credit(void **state)
{
	struct fixture *fixture = fixture_new(1);
	int n = 0;

	for (int i = 0; i < 100; i++)
		(void)job_push(fixture, 0);
	for (int i = 0; i < 50; i++)
		queue_finished(&job_next(fixture)->item);
	for (int i = 0; i < 20; i++)
		(void)job_push(fixture, 1);
	for (int i = 0; i < 20; i++) {
		struct job *job = job_next(fixture);

		n += job->project;
		queue_finished(&job->item);
	}
	assert_int_equal(n, 10);
	free(fixture);
}

/* ---- limits ---- */

static void test_limits_and_holds(void **state)
{
	struct fixture *fixture = fixture_new(3);
	struct queue_item earlier = {.run = 1};
	struct job *waiting;

	queue_project_set(&fixture->projects[0], 1, 1, NULL);
	queue_project_set(&fixture->projects[1], 1, 0, "project is paused");
	(void)job_push(fixture, 0);
	waiting = job_push(fixture, 0);
	assert_int_equal(job_next(fixture)->number, 0);
	assert_null(job_next(fixture));
	reason_expect(waiting, QUEUE_WAIT_PROJECT, "project limit 1 reached");
	waiting = job_push(fixture, 1);
	assert_null(job_next(fixture));
	reason_expect(waiting, QUEUE_WAIT_HELD, "project is paused");
	queue_project_set(&fixture->projects[1], 1, 0, NULL);
	assert_ptr_equal(job_next(fixture), waiting);
	queue_running(&fixture->projects[5], &earlier, &fixture->host); /* from an earlier life */
	waiting = job_push(fixture, 2);
	assert_null(job_next(fixture));
	reason_expect(waiting, QUEUE_WAIT_LIMIT, "limit 3 of running steps reached");
	queue_finished(&earlier);
	queue_finished(&earlier);
	reason_expect(waiting, QUEUE_WAIT_NEXT, "starts next");
	queue_host_stop(&fixture->host, "less than 1G of disk is free");
	assert_null(job_next(fixture));
	reason_expect(waiting, QUEUE_WAIT_STOPPED, "less than 1G of disk is free");
	queue_remove(&waiting->item);
	queue_remove(&waiting->item);
	queue_host_stop(&fixture->host, NULL);
	assert_null(job_next(fixture));
	assert_int_equal(fixture->queue.n_waiting, 1);
	free(fixture);
}

static void test_groups(void **state)
{
	struct fixture *fixture = fixture_new(100);
	struct queue_group group = {.name = "test", .limit = 2};
	struct job *jobs[5], *other;

	for (int i = 0; i < 5; i++)
		jobs[i] = PUSH(fixture, 0, .group = &group);
	other = PUSH(fixture, 0, .run = 9, .priority = -5);
	assert_ptr_equal(job_next(fixture), jobs[0]);
	assert_ptr_equal(job_next(fixture), jobs[1]);
	assert_ptr_equal(job_next(fixture), other);
	assert_null(job_next(fixture));
	reason_expect(jobs[2], QUEUE_WAIT_GROUP, "limit 2 of matrix \"test\" reached");
	queue_finished(&jobs[0]->item);
	queue_remove(&jobs[2]->item); /* it was in the line: the next of the group enters */
	assert_ptr_equal(job_next(fixture), jobs[3]);
	assert_null(job_next(fixture));
	queue_finished(&jobs[1]->item);
	queue_finished(&jobs[3]->item);
	assert_ptr_equal(job_next(fixture), jobs[4]);
	assert_int_equal(group.running, 1);
	assert_int_equal(group.n_offered, 0);
	free(fixture);
}

static const char *const gpu_arm[] = {"gpu", "arm"};

/* The host has room for each of the items below, and @labels. */
static void host_label(struct fixture *fixture, const char *labels)
{
	struct queue_capacity capacity = {.limit = 100};

	queue_host_configure(&fixture->host, &capacity, labels);
}

static void test_labels(void **state)
{
	struct fixture *fixture = fixture_new(100);
	struct job *waiting = PUSH(fixture, 0, .labels = gpu_arm, .n_labels = 2);
	struct job *other = PUSH(fixture, 0, .run = 1);

	assert_ptr_equal(job_next(fixture), other);
	assert_null(job_next(fixture));
	reason_expect(waiting, QUEUE_WAIT_LABEL, "no host with label gpu");
	assert_int_equal(fixture->queue.n_waiting, 1);
	host_label(fixture, "gpus linux gpu");
	assert_null(job_next(fixture));
	reason_expect(waiting, QUEUE_WAIT_LABEL, "no host with label arm");
	host_label(fixture, "arm64 gpu arm");
	assert_ptr_equal(job_next(fixture), waiting);
	free(fixture);
}

/* ---- admission ---- */

static void test_needs(void **state)
{
	struct fixture *fixture = fixture_host();
	struct queue_capacity capacity = fixture->host.capacity;
	const struct queue_item *nothing = &job_push(fixture, 0)->item;
	const struct queue_item *all = &PUSH(fixture, 0, .cpu_milli = 64000)->item;

	/* an even share, but no more than a processor and half a GiB */
	assert_int_equal(nothing->node.own.cpu_milli, 1000);
	assert_int_equal(nothing->node.own.memory, 512ULL << 20);
	assert_int_equal(all->node.own.cpu_milli, 8000);
	capacity.limit = 64;
	queue_host_configure(&fixture->host, &capacity, "");
	assert_int_equal(nothing->node.own.cpu_milli, 125);
	assert_int_equal(nothing->node.own.memory, 256ULL << 20);
	capacity.default_cpu_milli = 2000;
	capacity.default_memory = GIB_OF(1);
	queue_host_configure(&fixture->host, &capacity, "");
	assert_int_equal(nothing->node.own.cpu_milli, 2000);
	assert_int_equal(nothing->node.own.memory, GIB_OF(1));
	assert_int_equal(queue_cost(&fixture->queue, nothing), 16 * QUEUE_PLACE);
	free(fixture);
}

/* Items that declare nothing fill all places of any host. */
static void test_undeclared_fill_all_places(void **state)
{
	for (uint64_t limit = 1; limit <= 100; limit += 9) {
		struct fixture *fixture = fixture_new(1);
		struct queue_capacity capacity = {limit, 7000, 5000000000ULL, 0, 0};

		queue_host_configure(&fixture->host, &capacity, "");
		for (uint64_t i = 0; i < limit + 1; i++)
			(void)job_push(fixture, 0);
		for (uint64_t i = 0; i < limit; i++)
			assert_non_null(job_next(fixture));
		assert_null(job_next(fixture));
		free(fixture);
	}
}

static void test_admission(void **state)
{
	struct fixture *fixture = fixture_host();
	struct job *memory = PUSH(fixture, 0, .memory = GIB_OF(10)), *more, *cpu;

	assert_ptr_equal(job_next(fixture), memory);
	more = PUSH(fixture, 1, .memory = GIB_OF(7));
	assert_null(job_next(fixture));
	reason_expect(more, QUEUE_WAIT_MEMORY, "waits for 7G of memory: 6G of 16G are free");
	queue_finished(&memory->item);
	assert_ptr_equal(job_next(fixture), more);
	cpu = PUSH(fixture, 2, .cpu_milli = 7500);
	assert_null(job_next(fixture));
	reason_expect(cpu, QUEUE_WAIT_CPU, "waits for 7.5 processors: 7 of 8 are free");
	queue_finished(&more->item);
	assert_ptr_equal(job_next(fixture), cpu);
	free(fixture);
}

static void test_impossible(void **state)
{
	struct fixture *fixture = fixture_host();
	struct queue_capacity capacity = fixture->host.capacity;
	struct job *job = PUSH(fixture, 0, .memory = GIB_OF(20));

	assert_null(job_next(fixture));
	assert_ptr_equal(queue_impossible(&fixture->queue), &job->item);
	reason_expect(job, QUEUE_WAIT_NEVER,
		      "asks for 20G of memory, but this host has 16G for steps: lower "
		      "resources.memory, or see [Host] in runbookd.conf(5)");
	capacity.memory = GIB_OF(32);
	queue_host_configure(&fixture->host, &capacity, "");
	assert_null(queue_impossible(&fixture->queue));
	assert_ptr_equal(job_next(fixture), job);
	queue_finished(&job->item);
	capacity.memory = GIB_OF(16);
	queue_host_configure(&fixture->host, &capacity, "");
	queue_push(&fixture->projects[0], &job->item);
	queue_remove(queue_impossible(&fixture->queue));
	assert_null(queue_impossible(&fixture->queue));
	assert_int_equal(fixture->queue.n_waiting, 0);
	free(fixture);
}

/*
 * An item that needs the whole host in a stream of small ones: it is overtaken, but only a limited
 * number of times; then it gets the host as soon as the items that ran before have ended.
 */
static void test_set_aside(void **state)
{
	struct fixture *fixture = fixture_host();
	struct job *running[8], *large;
	int passed = 0, n = 8;

	for (int i = 0; i < 8; i++)
		(void)job_push(fixture, 1);
	for (int i = 0; i < 8; i++)
		running[i] = job_next(fixture);
	large = PUSH(fixture, 0, .cpu_milli = 8000);
	for (int i = 0; i < 60; i++)
		(void)job_push(fixture, 1);
	/* each item that ends makes room for one more small one, until the limit is reached */
	for (int i = 0; i < 60; i++) {
		struct job *next;

		queue_finished(&running[i % 8]->item);
		next = job_next(fixture);
		if (!next)
			break;
		assert_ptr_not_equal(next, large);
		running[i % 8] = next;
		passed++;
	}
	assert_int_equal(passed, QUEUE_PASSES * 8);
	reason_expect(&fixture->jobs[fixture->n_jobs - 1], QUEUE_WAIT_SET_ASIDE,
		      "what is free is kept for a larger step that waits longer");
	for (int i = passed + 1; n > 1; i++, n--) {
		assert_null(job_next(fixture));
		queue_finished(&running[i % 8]->item);
	}
	assert_ptr_equal(job_next(fixture), large);
	assert_null(job_next(fixture));
	queue_finished(&large->item);
	assert_non_null(job_next(fixture));
	free(fixture);
}

/* No more is reserved than the item needs: the rest of the host stays in use. */
static void test_beside(void **state)
{
	struct fixture *fixture = fixture_host();
	struct job *large, *running[8], *next;

	for (int i = 0; i < 8; i++)
		(void)job_push(fixture, 1);
	for (int i = 0; i < 8; i++)
		running[i] = job_next(fixture);
	large = PUSH(fixture, 0, .cpu_milli = 4000);
	for (int i = 0; i < 100; i++)
		(void)job_push(fixture, 1);
	for (int i = 0; i < QUEUE_PASSES * 8; i++) {
		queue_finished(&running[i % 8]->item);
		running[i % 8] = job_next(fixture);
		assert_non_null(running[i % 8]);
	}
	for (int i = 0; i < 3; i++) {
		/* three end, three start: there is room for four beside the reservation */
		queue_finished(&running[i]->item);
		next = job_next(fixture);
		assert_non_null(next);
		assert_null(job_next(fixture));
		running[i] = next;
	}
	for (int i = 3; i < 7; i++) {
		next = job_next(fixture);
		if (next)
			assert_ptr_not_equal(next, large);
		queue_finished(&running[i]->item);
	}
	next = job_next(fixture);
	while (next && next != large)
		next = job_next(fixture);
	assert_null(next);
	queue_finished(&running[7]->item);
	assert_ptr_equal(job_next(fixture), large);
	free(fixture);
}

/* Small steps of its own project keep a large one out no longer than those of other projects. */
static void test_set_aside_within_limit(void **state)
{
	struct fixture *fixture = fixture_host();
	struct job *running[2], *large;
	int passed = 0;

	queue_project_set(&fixture->projects[0], 1, 2, NULL);
	(void)job_push(fixture, 0);
	(void)job_push(fixture, 0);
	running[0] = job_next(fixture);
	running[1] = job_next(fixture);
	large = PUSH(fixture, 0, .cpu_milli = 8000, .priority = 1);
	for (int i = 0; i < 100; i++)
		(void)job_push(fixture, 0);
	for (;; passed++) {
		struct job *next;

		queue_finished(&running[passed % 2]->item);
		next = job_next(fixture);
		if (!next)
			break;
		assert_ptr_not_equal(next, large);
		running[passed % 2] = next;
	}
	assert_int_equal(passed, QUEUE_PASSES * 8);
	queue_finished(&running[(passed + 1) % 2]->item);
	assert_ptr_equal(job_next(fixture), large);
	free(fixture);
}

/* A reservation counts for the limit of its project as well: the last place is kept. */
static void test_beside_within_limit(void **state)
{
	struct fixture *fixture = fixture_host();
	struct job *large, *small, *running[6];

	queue_project_set(&fixture->projects[0], 1, 2, NULL);
	(void)job_push(fixture, 0);
	for (int i = 0; i < 5; i++)
		(void)job_push(fixture, 1);
	for (int i = 0; i < 6; i++)
		running[i] = job_next(fixture);
	large = PUSH(fixture, 0, .cpu_milli = 4000, .priority = 1);
	for (int i = 0; i < QUEUE_PASSES * 8; i++) {
		struct job *passing = job_push(fixture, 1);

		assert_ptr_equal(job_next(fixture), passing);
		queue_finished(&passing->item);
	}
	small = job_push(fixture, 0);
	assert_null(job_next(fixture)); /* it would fit, but its project would reach its limit */
	reason_expect(small, QUEUE_WAIT_SET_ASIDE,
		      "what is free is kept for a larger step that waits longer");
	for (int i = 4; i < 6; i++)
		queue_finished(&running[i]->item);
	assert_ptr_equal(job_next(fixture), large);
	free(fixture);
}

/* ---- queue_walk() ---- */

struct walked {
	int numbers[N_ITEMS];
	uint64_t positions[N_ITEMS];
	uint64_t n;
};

static void walk_visit(const struct queue_item *item, uint64_t position, void *userdata)
{
	struct walked *walked = userdata;

	walked->positions[walked->n] = position;
	walked->numbers[walked->n++] = container_of(item, struct job, item)->number;
}

/* The walk predicts the actual order, when one item ends after the other. */
static void test_walk(void **state)
{
	struct fixture *fixture = fixture_new(1);
	struct walked *walked = calloc(1, sizeof(*walked));

	assert_non_null(walked);
	queue_project_set(&fixture->projects[1], 2, 0, NULL);
	for (int i = 0; i < 60; i++)
		(void)PUSH(fixture, i % 7 % 3, .priority = i % 5 - 2);
	for (int i = 0; i < 5; i++)
		queue_finished(&job_next(fixture)->item);
	assert_int_equal(queue_walk(&fixture->queue, N_ITEMS, walk_visit, walked), 0);
	assert_int_equal(walked->n, 55);
	for (uint64_t i = 0; i < walked->n; i++) {
		struct job *job = job_next(fixture);

		assert_int_equal(job->number, walked->numbers[i]);
		assert_int_equal(walked->positions[i], i + 1);
		queue_finished(&job->item);
	}
	walked->n = 0;
	assert_int_equal(queue_walk(&fixture->queue, N_ITEMS, walk_visit, walked), 0);
	assert_int_equal(walked->n, 0);
	free(walked);
	free(fixture);
}

/* Held or parked for its group: predicted at its position. Without its label: no position. */
static void test_walk_aside(void **state)
{
	struct fixture *fixture = fixture_new(1);
	struct walked *walked = calloc(1, sizeof(*walked));
	struct queue_group group = {.limit = 1};

	assert_non_null(walked);
	queue_project_set(&fixture->projects[1], 1, 0, "held");
	(void)PUSH(fixture, 0, .group = &group);
	(void)PUSH(fixture, 0, .group = &group);
	(void)PUSH(fixture, 0, .labels = gpu_arm, .n_labels = 1);
	(void)job_push(fixture, 0);
	(void)job_push(fixture, 1);
	assert_int_equal(queue_walk(&fixture->queue, 3, walk_visit, walked), 0);
	assert_int_equal(walked->n, 3);
	walked->n = 0;
	assert_int_equal(queue_walk(&fixture->queue, N_ITEMS, walk_visit, walked), 0);
	assert_int_equal(walked->n, 5);
	for (uint64_t i = 0, position = 0; i < 5; i++) {
		if (walked->numbers[i] == 2)
			assert_int_equal(walked->positions[i], 0);
		else
			assert_int_equal(walked->positions[i], ++position);
	}
	free(walked);
	free(fixture);
}

static void test_names(void **state)
{
	for (int i = 0; i < QUEUE_WAIT_NUM; i++) {
		for (int j = 0; j < i; j++)
			assert_string_not_equal(queue_wait_name((enum queue_wait)i),
						queue_wait_name((enum queue_wait)j));
	}
	assert_string_equal(queue_wait_name(QUEUE_WAIT_PROJECT), "project-limit");
}

/* ---- the tree of needs ---- */

struct leaf {
	struct need_node node;
	int key;
	bool in;
};

static bool leaf_before(const struct need_node *a, const struct need_node *b)
{
	return container_of(a, struct leaf, node)->key < container_of(b, struct leaf, node)->key;
}

/* The least need of a branch is the least of its nodes, for each class of memory. */
static struct need_least least_check(const struct need_node *node)
{
	struct need_least least, of_child;

	memset(&least, 0xff, sizeof(least));
	if (!node)
		return least;
	for (unsigned i = 0; i < NEED_CLASSES; i++) {
		if (node->own.memory < (1ULL << (23 + i)))
			least.cpu_milli[i] = (uint32_t)node->own.cpu_milli;
	}
	for (int side = 0; side < 2; side++) {
		of_child = least_check(side ? node->right : node->left);
		for (unsigned i = 0; i < NEED_CLASSES; i++) {
			if (of_child.cpu_milli[i] < least.cpu_milli[i])
				least.cpu_milli[i] = of_child.cpu_milli[i];
		}
	}
	assert_memory_equal(&least, &node->least, sizeof(least));
	return least;
}

/* A node that fits into neither of two rooms is not found; all others are, in order. */
static void order_check(const struct need_tree *order, struct leaf *leaves, int n)
{
	const struct need_room second = {
		.free = {(uint64_t)(rand() % 50), (uint64_t)(rand() % 50) << 21}};
	const struct need_room room = {
		.free = {(uint64_t)(rand() % 50), (uint64_t)(rand() % 50) << 21},
		.next = rand() % 2 ? &second : NULL,
	};
	struct need_node *node = need_tree_first(order), *fit = NULL;
	unsigned budget = 100000;

	for (int i = 0; i < n; i++) {
		if (!leaves[i].in)
			continue;
		assert_ptr_equal(node, &leaves[i].node);
		node = need_tree_next(node);
		if (!queue_need_fits(&leaves[i].node.own, &room.free) &&
		    !(room.next && queue_need_fits(&leaves[i].node.own, &second.free)))
			continue;
		fit = need_tree_fit(order, fit, &room, &budget);
		assert_ptr_equal(fit, &leaves[i].node);
	}
	assert_null(node);
	if (order->root)
		assert_null(need_tree_next(order->last));
	else
		assert_null(order->last);
	assert_null(need_tree_fit(order, fit, &room, &budget));
}

static void test_order_tree(void **state)
{
	struct need_tree order = {.before = leaf_before};
	struct leaf leaves[60] = {0};

	srand(1);
	for (int i = 0; i < 60; i++)
		leaves[i].key = i;
	for (int i = 0; i < 20000; i++) {
		struct leaf *leaf = &leaves[rand() % 60];
		struct queue_need need = {(uint64_t)(rand() % 60), (uint64_t)(rand() % 60) << 21};

		if (!leaf->in) {
			leaf->node.own = need;
			need_tree_insert(&order, &leaf->node);
			leaf->in = true;
		} else if (rand() % 3 == 0) {
			need_node_set(&leaf->node, &need);
		} else {
			need_tree_remove(&order, &leaf->node);
			leaf->in = false;
		}
		order_check(&order, leaves, 60);
		(void)least_check(order.root);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fifo),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_ageing),
		cmocka_unit_test(test_greedy),
		cmocka_unit_test(test_weights),
		cmocka_unit_test(test_large_steps_cost_more),
		cmocka_unit_test(test_no_credit),
		cmocka_unit_test(test_limits_and_holds),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_needs),
		cmocka_unit_test(test_undeclared_fill_all_places),
		cmocka_unit_test(test_admission),
		cmocka_unit_test(test_impossible),
		cmocka_unit_test(test_set_aside),
		cmocka_unit_test(test_beside),
		cmocka_unit_test(test_set_aside_within_limit),
		cmocka_unit_test(test_beside_within_limit),
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_walk_aside),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_order_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
