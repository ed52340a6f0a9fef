/* SPDX-License-Identifier: Apache-2.0 */
/* Needs of steps against resources of a host (2 processors, 1 GiB), through the whole scheduler. */
#include "tests/unit/scheduler_world.h"

#include <signal.h>

/* The entry of @slug in the queue; NULL when it does not wait. The caller frees *@ret_queue. */
static const json_t *waiting(struct world *world, const char *slug, json_t **ret_queue)
{
	json_t *queue = *ret_queue = ask(world, ASK(.verb = API_QUEUE)), *step;
	size_t i;

	json_array_foreach (json_object_get(queue, "waiting"), i, step) {
		if (strcmp(member(step, "step"), slug) == 0)
			return step;
	}
	return NULL;
}

/* Wait for a report of the daemon to be handled: it comes by another channel. */
static void wait_expect(struct world *world, const char *slug, const char *wait, const char *reason)
{
	for (int i = 0;; i++) {
		json_t *queue;
		const json_t *step = waiting(world, slug, &queue);
		bool same = step && strcmp(member(step, "wait"), wait) == 0 &&
			    strcmp(member(step, "reason"), reason) == 0;

		if (!same && i == 500)
			fail_msg("%s waits: %s", slug,
				 step ? member(step, "reason") : "not at all");
		json_decref(queue);
		if (same)
			return;
		(void)usleep(10000);
	}
}

static const char two_large[] =
	"steps:\n"
	"  - {name: one, command: \"true\", resources: {memory: 600M}}\n"
	"  - {name: two, command: \"true\", resources: {memory: 600M}}\n"
	"  - {name: small, command: \"true\", resources: {memory: 64M, cpu: 0.1}}\n";

static void test_memory(void **state)
{
	struct world *world = world_new();
	struct order one, small, two;
	json_t *queue, *host;
	uint64_t run;

	world_start(world);
	run = run_start(world, two_large);
	order_expect(world, &one);
	order_expect(world, &small);
	assert_string_equal(one.slug, "one");
	assert_string_equal(small.slug, "small");
	wait_expect(world, "two", "memory", "waits for 600M of memory: 360M of 1G are free");
	step_expect(world, run, "two", "ready", "waits for 600M of memory: 360M of 1G are free");
	(void)waiting(world, "two", &queue);
	host = json_object_get(queue, "host");
	assert_int_equal(number(host, "memory_used"), 664 * MIB);
	assert_int_equal(number(host, "memory"), GIB);
	assert_int_equal(number(host, "cpu_milli_used"), 600); /* an even share and 0.1 */
	json_decref(queue);

	/* the counts are the same after a restart, with the running steps */
	world_kill(world);
	world_start_unsynced(world);
	order_started(world, one.id);
	order_started(world, small.id);
	world_sync(world);
	wait_expect(world, "two", "memory", "waits for 600M of memory: 360M of 1G are free");
	order_exited(world, one.id, 0);
	order_expect(world, &two);
	assert_string_equal(two.slug, "two");
	order_exited(world, two.id, 0);
	order_exited(world, small.id, 0);
	ack_expect(world, two.id);
	ack_expect(world, small.id);
	run_expect(world, run, "succeeded", "");
	world_stop(world);
	world_free(world);
}

static void test_impossible(void **state)
{
	static const char text[] = "steps:\n"
				   "  - {name: huge, command: \"true\", resources: {memory: 64G}}\n"
				   "  - {name: after, command: \"true\", depends_on: [huge]}\n"
				   "  - {name: many, command: \"true\", resources: {cpu: 64}}\n";
	struct world *world = world_new();
	struct order order;
	uint64_t run;

	world_start(world);
	run = run_start(world, text);
	/* a need above the host's processors limits nothing */
	order_expect(world, &order);
	assert_string_equal(order.slug, "many");
	step_expect(world, run, "huge", "errored",
		    "asks for 64G of memory, but this host has 1G for steps: lower "
		    "resources.memory, or see [Host] in runbookd.conf(5)");
	step_expect(world, run, "after", "skipped", NULL);
	order_exited(world, order.id, 0);
	ack_expect(world, order.id);
	run_expect(world, run, "errored", "step \"huge\" errored");
	world_stop(world);
	world_free(world);
}

/* One step declares the whole host: nothing else runs beside it. */
static void test_whole_host(void **state)
{
	static const char text[] = "steps:\n"
				   "  - {name: all, command: \"true\", resources: {cpu: 2}}\n"
				   "  - {name: next, command: \"true\"}\n";
	struct world *world = world_new();
	struct order order;

	world_start(world);
	(void)run_start(world, text);
	order_expect(world, &order);
	assert_string_equal(order.slug, "all");
	wait_expect(world, "next", "cpu", "waits for 0.5 processors: 0 of 2 are free");
	order_exited(world, order.id, 0);
	order_expect(world, &order);
	assert_string_equal(order.slug, "next");
	world_stop(world);
	world_free(world);
}

static void space_send(struct world *world, const char *text)
{
	assert_int_equal(
		message_transmit(world->daemon, MESSAGE_NEW(host_space, 0, .reason = text)), 0);
}

static void test_no_space(void **state)
{
	static const char text[] = "steps:\n  - {name: one, command: \"true\"}\n";
	struct world *world = world_new();
	struct order order;

	world_start(world);
	space_send(world, "less than 1M is free in /var");
	(void)run_start(world, text);
	wait_expect(world, "one", "stopped", "less than 1M is free in /var");
	assert_true(fixture_quiet(world->daemon));
	space_send(world, "");
	order_expect(world, &order);
	assert_string_equal(order.slug, "one");
	world_stop(world);
	world_free(world);
}

/* A new configuration in which only the labels of the host differ. */
static void labels_configure(struct world *world, const char *labels)
{
	config_begin(world);
	assert_int_equal(
		message_transmit(world->daemon, MESSAGE_NEW(config_host, 0, .labels = labels)), 0);
	config_project(world, "a", 0, 1, 0);
	config_end(world);
}

static void test_labels(void **state)
{
	static const char text[] = "steps:\n"
				   "  - {name: one, command: \"true\", labels: [linux, gpu]}\n";
	struct world *world = world_new();
	struct order order;
	json_t *queue, *position;

	world_start(world);
	(void)run_start(world, text);
	wait_expect(world, "one", "label", "no host with label linux");
	labels_configure(world, "x86_64 linux");
	wait_expect(world, "one", "label", "no host with label gpu");
	/* json_is_null() evaluates its argument twice */
	position = json_object_get(waiting(world, "one", &queue), "position");
	assert_true(json_is_null(position));
	assert_int_equal(json_array_size(json_object_get(json_object_get(queue, "host"), "labels")),
			 2);
	json_decref(queue);
	assert_true(fixture_quiet(world->daemon));
	/* a longer word is a different label */
	labels_configure(world, "gpus");
	wait_expect(world, "one", "label", "no host with label linux");
	labels_configure(world, "linux gpus");
	wait_expect(world, "one", "label", "no host with label gpu");
	labels_configure(world, "linux gpu");
	order_expect(world, &order);
	assert_string_equal(order.slug, "one");
	world_stop(world);
	world_free(world);
}

/* The higher priority goes first, also after a restart. */
static void test_priority(void **state)
{
	static const char *const texts[] = {
		"steps: [{name: first, command: \"true\", resources: {cpu: 2}}]\n",
		"priority: -3\nsteps: [{name: low, command: \"true\", resources: {cpu: 2}}]\n",
		"priority: 7\nsteps: [{name: high, command: \"true\", resources: {cpu: 2}}]\n",
		"steps: [{name: usual, command: \"true\", resources: {cpu: 2}}]\n",
	};
	static const char *const expected[] = {"high", "usual", "low"};
	static const char *const commits[] = {
		"1111111111111111111111111111111111111111",
		"2222222222222222222222222222222222222222",
		"3333333333333333333333333333333333333333",
		"4444444444444444444444444444444444444444",
	};
	struct world *world = world_new();
	struct order order;

	world_start(world);
	for (int i = 0; i < 4; i++) {
		(void)trigger(world, "a", commits[i], commits[i]);
		fetch_answer(world, commits[i], texts[i]);
		if (i == 0)
			order_expect(world, &order);
	}
	wait_expect(world, "low", "cpu", "waits for 2 processors: 0 of 2 are free");
	world_kill(world);
	world_start_unsynced(world);
	order_started(world, order.id);
	world_sync(world);
	for (int i = 0; i < 3; i++) {
		order_exited(world, order.id, 0);
		order_expect(world, &order);
		assert_string_equal(order.slug, expected[i]);
	}
	world_stop(world);
	world_free(world);
}

/* Two projects wait at the same time, and take turns. */
static void test_two_projects(void **state)
{
	static const char text[] = "steps:\n"
				   "  - {name: one, command: \"true\", resources: {cpu: 2}}\n"
				   "  - {name: two, command: \"true\", resources: {cpu: 2}}\n";
	struct world *world = world_new();
	struct order order;
	uint64_t a, b, first;

	world_start(world);
	a = run_start(world, text);
	order_expect(world, &order);
	assert_int_equal(order.run, a);
	b = trigger(world, "b", "other", COMMIT_B);
	fetch_answer(world, COMMIT_B, text);
	wait_expect(world, "two", "cpu", "waits for 2 processors: 0 of 2 are free");
	order_exited(world, order.id, 0);
	order_expect(world, &order);
	first = order.run;
	order_exited(world, order.id, 0);
	order_expect(world, &order);
	assert_int_equal(order.run, first == a ? b : a);
	order_exited(world, order.id, 0);
	order_expect(world, &order);
	order_exited(world, order.id, 0);
	ack_expect(world, order.id);
	run_expect(world, a, "succeeded", "");
	run_expect(world, b, "succeeded", "");
	world_stop(world);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory),	     cmocka_unit_test(test_impossible),
		cmocka_unit_test(test_whole_host),   cmocka_unit_test(test_no_space),
		cmocka_unit_test(test_labels),	     cmocka_unit_test(test_priority),
		cmocka_unit_test(test_two_projects),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
