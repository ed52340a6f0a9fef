/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue with two hosts, by examples: where an item runs, the reasons while it waits, and what
 * happens to waiting items when a host admits no steps any more.
 */
#include "common/cleanup.h"
#include "scheduler/queue/queue.h"

#include <stdlib.h>

#include "tests/unit/cmocka_headers.h"

#define N_ITEMS 64
#define GIB_OF(n) ((uint64_t)(n) << 30)

struct fixture {
	struct queue queue;
	struct queue_host small, large; /* 2 and 4 processors, 4 and 16 GiB; linux, linux gpu */
	struct queue_project project, other;
	struct queue_item items[N_ITEMS];
	size_t n_items;
};

static struct fixture *fixture_new(void)
{
	const struct queue_capacity small = {.limit = 2, .cpu_milli = 2000, .memory = GIB_OF(4)};
	const struct queue_capacity large = {.limit = 4, .cpu_milli = 4000, .memory = GIB_OF(16)};
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	queue_init(&fixture->queue);
	queue_host_add(&fixture->queue, &fixture->small, "h1", 1);
	queue_host_add(&fixture->queue, &fixture->large, "h2", 1);
	queue_host_configure(&fixture->small, &small, "linux");
	queue_host_configure(&fixture->large, &large, "linux gpu");
	queue_project_init(&fixture->queue, &fixture->project);
	queue_project_init(&fixture->queue, &fixture->other);
	return fixture;
}

static struct queue_item *push(struct fixture *fixture, struct queue_project *project,
			       struct queue_item item)
{
	struct queue_item *pushed = &fixture->items[fixture->n_items++];

	assert_true(fixture->n_items <= N_ITEMS);
	*pushed = item;
	pushed->index = fixture->n_items;
	queue_push(project, pushed);
	return pushed;
}

#define PUSH(fixture, ...) push((fixture), &(fixture)->project, (struct queue_item){__VA_ARGS__})

/* The next item to start is @item, on @host. */
static void start_expect(struct fixture *fixture, const struct queue_item *item,
			 const struct queue_host *host)
{
	struct queue_item *next = queue_next(&fixture->queue);

	assert_ptr_equal(next, item);
	assert_ptr_equal(next->host, host);
}

static void reason_expect(const struct queue_item *item, enum queue_wait wait, const char *text)
{
	char reason[256];

	assert_int_equal(queue_reason(item, reason, sizeof(reason)), wait);
	assert_string_equal(reason, text);
}

static const char *const gpu[] = {"gpu"}, *const arm[] = {"linux", "arm"},
			 *const gpu_arm[] = {"gpu", "arm"};

/* ---- choosing a host ---- */

/* The less loaded host gets the next item. */
static void test_least_loaded(void **state)
{
	struct fixture *fixture = fixture_new();
	struct queue_item *items[6];

	for (int i = 0; i < 6; i++)
		items[i] = PUSH(fixture, .cpu_milli = 500);
	start_expect(fixture, items[0], &fixture->small); /* both are empty: the first one */
	start_expect(fixture, items[1], &fixture->large); /* a half is in use, and nothing */
	start_expect(fixture, items[2], &fixture->large); /* a half, and a quarter */
	start_expect(fixture, items[3], &fixture->small); /* a half each: the first one */
	start_expect(fixture, items[4], &fixture->large);
	start_expect(fixture, items[5], &fixture->large);
	assert_null(queue_next(&fixture->queue));
	assert_int_equal(fixture->queue.running, 6);
	assert_int_equal(queue_places(&fixture->queue), 6);
	assert_int_equal(fixture->small.running, 2);
	assert_int_equal(fixture->large.used.cpu_milli, 2000);
	queue_finished(items[3]);
	assert_int_equal(fixture->small.used.cpu_milli, 500);
	assert_int_equal(fixture->large.used.cpu_milli, 2000);
	free(fixture);
}

static void test_where_it_fits(void **state)
{
	struct fixture *fixture = fixture_new();
	struct queue_item *memory = PUSH(fixture, .memory = GIB_OF(5));
	struct queue_item *labels = PUSH(fixture, .labels = gpu, .n_labels = 1);
	struct queue_item *cpu = PUSH(fixture, .cpu_milli = 2500);
	struct queue_item *any = PUSH(fixture, .memory = GIB_OF(4));

	/* the small host is empty, but has neither the memory nor the label */
	start_expect(fixture, memory, &fixture->large);
	start_expect(fixture, labels, &fixture->large);
	/* a need above the processors of a host limits nothing there */
	start_expect(fixture, cpu, &fixture->small);
	assert_int_equal(fixture->small.used.cpu_milli, 2000);
	start_expect(fixture, any, &fixture->large);
	free(fixture);
}

/* The even share differs between the hosts. */
static void test_share_of_each(void **state)
{
	const struct queue_capacity capacity = {.limit = 4, .cpu_milli = 1000, .memory = GIB_OF(1)};
	struct fixture *fixture = fixture_new();
	struct queue_item *first, *second;

	queue_host_configure(&fixture->small, &capacity, "linux");
	first = PUSH(fixture, .run = 1);
	second = PUSH(fixture, .run = 1);
	assert_int_equal(first->node.own.cpu_milli, 250); /* the smaller of both, while it waits */
	start_expect(fixture, first, &fixture->small);
	assert_int_equal(first->node.own.cpu_milli, 250);
	start_expect(fixture, second, &fixture->large);
	assert_int_equal(second->node.own.cpu_milli, 1000);
	assert_int_equal(fixture->large.used.memory, 512ULL << 20);
	free(fixture);
}

/* The cost does not depend on the host: the largest part of any host that could run it. */
static void test_cost(void **state)
{
	struct fixture *fixture = fixture_new();
	struct queue_item *both = PUSH(fixture, .memory = GIB_OF(4));
	struct queue_item *one = PUSH(fixture, .memory = GIB_OF(8));

	assert_int_equal(queue_cost(&fixture->queue, both), 2 * QUEUE_PLACE);
	assert_int_equal(queue_cost(&fixture->queue, one), 2 * QUEUE_PLACE);
	start_expect(fixture, both, &fixture->small);
	assert_int_equal(fixture->project.tag, 2 * QUEUE_PLACE);
	free(fixture);
}

/* ---- reasons ---- */

static void test_reasons_of_room(void **state)
{
	struct fixture *fixture = fixture_new();
	struct queue_item *waiting;

	(void)PUSH(fixture, .memory = GIB_OF(3));
	(void)PUSH(fixture, .memory = GIB_OF(12));
	while (queue_next(&fixture->queue))
		;
	waiting = PUSH(fixture, .memory = GIB_OF(2));
	start_expect(fixture, waiting, &fixture->large);
	/* only the large host could run it */
	waiting = PUSH(fixture, .memory = GIB_OF(5));
	assert_null(queue_next(&fixture->queue));
	reason_expect(waiting, QUEUE_WAIT_MEMORY,
		      "waits for 5G of memory: 2G of 16G are free on h2");
	/* the large host has room for this item, which is behind the waiting one */
	waiting = PUSH(fixture, .cpu_milli = 2000);
	reason_expect(waiting, QUEUE_WAIT_NEXT, "starts next");
	waiting = PUSH(fixture, .cpu_milli = 2000, .labels = gpu, .n_labels = 1);
	queue_host_stop(&fixture->large, "less than 1G of disk is free");
	reason_expect(waiting, QUEUE_WAIT_STOPPED, "less than 1G of disk is free on h2");
	free(fixture);
}

static void test_reasons_of_places(void **state)
{
	struct fixture *fixture = fixture_new();
	struct queue_item *waiting, *bound;

	for (int i = 0; i < 6; i++)
		(void)PUSH(fixture, .cpu_milli = 100);
	waiting = PUSH(fixture, .cpu_milli = 100);
	bound = PUSH(fixture, .cpu_milli = 100, .labels = gpu, .n_labels = 1);
	while (queue_next(&fixture->queue))
		;
	reason_expect(waiting, QUEUE_WAIT_LIMIT, "limit 2 of running steps on h1 reached");
	reason_expect(bound, QUEUE_WAIT_LIMIT, "limit 4 of running steps on h2 reached");
	free(fixture);
}

static void test_reasons_of_labels(void **state)
{
	const struct queue_capacity capacity = {.limit = 2, .cpu_milli = 2000, .memory = GIB_OF(4)};
	struct fixture *fixture = fixture_new();
	struct queue_item *nowhere = PUSH(fixture, .labels = arm, .n_labels = 2);
	struct queue_item *together = PUSH(fixture, .labels = gpu_arm, .n_labels = 2);
	struct queue_item *large = PUSH(fixture, .memory = GIB_OF(64));

	reason_expect(nowhere, QUEUE_WAIT_LABEL, "no host with label arm");
	queue_host_configure(&fixture->small, &capacity, "linux arm");
	reason_expect(nowhere, QUEUE_WAIT_NEXT, "starts next");
	reason_expect(together, QUEUE_WAIT_LABEL, "no host with all of the labels gpu, arm");
	assert_ptr_equal(queue_impossible(&fixture->queue), large);
	reason_expect(large, QUEUE_WAIT_NEVER,
		      "asks for 64G of memory, but h2, the largest host for it, has 16G for steps: "
		      "lower resources.memory, or see [Host] in runbookd.conf(5)");
	queue_remove(large);
	/* the only host with the label is too small, the other one does not count */
	large = PUSH(fixture, .memory = GIB_OF(8), .labels = arm, .n_labels = 2);
	assert_ptr_equal(queue_impossible(&fixture->queue), large);
	reason_expect(large, QUEUE_WAIT_NEVER,
		      "asks for 8G of memory, but h1, the largest host for it, has 4G for steps: "
		      "lower resources.memory, or see [Host] in runbookd.conf(5)");
	free(fixture);
}

/* ---- reservations ---- */

/* Reserved on one host: the other host starts items as if there were no reservation. */
static void test_set_aside_on_one(void **state)
{
	struct fixture *fixture = fixture_new();
	struct queue_item *large, *small, *running[4];

	for (int i = 0; i < 4; i++) {
		running[i] = PUSH(fixture, .cpu_milli = 1000, .labels = gpu, .n_labels = 1);
		start_expect(fixture, running[i], &fixture->large);
	}
	large = PUSH(fixture, .cpu_milli = 4000, .labels = gpu, .n_labels = 1);
	assert_null(queue_next(&fixture->queue));
	for (int i = 0; i < QUEUE_PASSES * 4; i++) {
		queue_finished(running[i % 4]);
		running[i % 4] =
			push(fixture, &fixture->other,
			     (struct queue_item){.cpu_milli = 1000, .labels = gpu, .n_labels = 1});
		start_expect(fixture, running[i % 4], &fixture->large);
	}
	assert_true(queue_set_aside(&fixture->queue));
	queue_finished(running[0]);
	(void)push(fixture, &fixture->other,
		   (struct queue_item){.cpu_milli = 1000, .labels = gpu, .n_labels = 1});
	small = push(fixture, &fixture->other, (struct queue_item){.cpu_milli = 1000});
	start_expect(fixture, small, &fixture->small);
	small = push(fixture, &fixture->other, (struct queue_item){.cpu_milli = 1000});
	start_expect(fixture, small, &fixture->small);
	assert_null(queue_next(&fixture->queue));
	for (int i = 1; i < 4; i++)
		queue_finished(running[i]);
	start_expect(fixture, large, &fixture->large);
	free(fixture);
}

/* ---- a host that admits no steps ---- */

static void test_stopped(void **state)
{
	struct fixture *fixture = fixture_new();
	struct queue_item *bound = PUSH(fixture, .labels = gpu, .n_labels = 1), *any;

	queue_host_stop(&fixture->large, "runbookd is stopping");
	any = PUSH(fixture, .run = 1);
	/* the first in line needs the stopped host: it does not block the other one */
	start_expect(fixture, any, &fixture->small);
	assert_null(fixture->queue.reserved);
	any = PUSH(fixture, .memory = GIB_OF(4));
	assert_null(queue_next(&fixture->queue));
	reason_expect(bound, QUEUE_WAIT_STOPPED, "runbookd is stopping on h2");
	reason_expect(any, QUEUE_WAIT_MEMORY, "waits for 4G of memory: 3.5G of 4G are free on h1");
	queue_host_stop(&fixture->small, "runbookd is stopping");
	assert_null(queue_next(&fixture->queue));
	queue_host_stop(&fixture->large, NULL);
	start_expect(fixture, bound, &fixture->large);
	start_expect(fixture, any, &fixture->large);
	free(fixture);
}

/* When the reserved host stops, the item waits for the other one. */
static void test_reservation_moves(void **state)
{
	struct fixture *fixture = fixture_new();
	struct queue_item *waiting, *on_small, *on_large;

	on_small = PUSH(fixture, .memory = GIB_OF(3));
	start_expect(fixture, on_small, &fixture->small);
	on_large = PUSH(fixture, .memory = GIB_OF(15));
	start_expect(fixture, on_large, &fixture->large);
	waiting = PUSH(fixture, .memory = GIB_OF(4));
	assert_null(queue_next(&fixture->queue));
	assert_ptr_equal(fixture->queue.reserved, waiting);
	assert_ptr_equal(fixture->queue.reserved_host, &fixture->small); /* 3/4 against 15/16 */
	queue_host_stop(&fixture->small, "gone");
	assert_null(queue_next(&fixture->queue));
	assert_ptr_equal(fixture->queue.reserved, waiting);
	assert_ptr_equal(fixture->queue.reserved_host, &fixture->large);
	queue_finished(on_large);
	start_expect(fixture, waiting, &fixture->large);
	free(fixture);
}

/* ---- items of an earlier life ---- */

static void test_running_and_moved(void **state)
{
	struct fixture *fixture = fixture_new();
	struct queue_item item = {.run = 1};

	queue_running(&fixture->project, &item, &fixture->small);
	assert_int_equal(fixture->small.used.cpu_milli, 1000);
	queue_move(&item, &fixture->large);
	queue_move(&item, &fixture->large); /* no-op */
	assert_int_equal(fixture->small.running, 0);
	assert_int_equal(fixture->small.used.cpu_milli, 0);
	assert_int_equal(fixture->large.running, 1);
	assert_int_equal(fixture->large.used.cpu_milli, 1000);
	assert_int_equal(fixture->queue.running, 1);
	assert_int_equal(fixture->project.running, 1);
	queue_finished(&item);
	assert_int_equal(fixture->large.running, 0);
	assert_null(item.host);
	queue_move(&item, &fixture->small); /* no-op: it does not run */
	assert_int_equal(fixture->small.running, 0);
	free(fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_least_loaded),	  cmocka_unit_test(test_where_it_fits),
		cmocka_unit_test(test_share_of_each),	  cmocka_unit_test(test_cost),
		cmocka_unit_test(test_reasons_of_room),	  cmocka_unit_test(test_reasons_of_places),
		cmocka_unit_test(test_reasons_of_labels), cmocka_unit_test(test_set_aside_on_one),
		cmocka_unit_test(test_stopped),		  cmocka_unit_test(test_reservation_moves),
		cmocka_unit_test(test_running_and_moved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
