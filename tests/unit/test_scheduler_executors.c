/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scheduler with two executors: home, and "h2" with the label gpu. Both have two processors and
 * 1 GiB. The test plays the runbookd of both.
 */
#include "tests/unit/scheduler_world.h"

#include "common/log.h"

#include <signal.h>

struct pair {
	struct world *home;
	struct world h2; /* only its daemon channel and instance are used */
};

/* Run the scheduler, with channels to two daemons. */
static _Noreturn void serve(const char *path, int home_fd, int h2_fd)
{
	struct error error = ERROR_INIT;
	struct store *store = NULL;
	struct scheduler *scheduler;
	struct executor *h2;

	log_open("runbook-scheduler");
	if (store_open(path, &store, &error) < 0) {
		(void)fprintf(stderr, "%s\n", error.text);
		_exit(9);
	}
	scheduler = scheduler_new(store);
	h2 = scheduler ? executor_add(scheduler, "h2") : NULL;
	if (!h2)
		_exit(9);
	(void)peer_open(&executor_home(scheduler)->peer, home_fd);
	(void)peer_open(&h2->peer, h2_fd);
	exit(scheduler_run(scheduler));
}

/* The configuration that both send, and the labels of one. */
static void daemon_configure(struct world *world, const char *labels)
{
	world_configure(world);
	config_begin(world);
	assert_int_equal(
		message_transmit(world->daemon, MESSAGE_NEW(config_host, 0, .labels = labels)), 0);
	config_project(world, "a", 0, 1, 0);
	config_end(world);
}

static void pair_start(struct pair *pair)
{
	struct world *home = pair->home;
	int home_fd, h2_fd;

	home->daemon = fixture_pair(&home_fd);
	pair->h2.daemon = fixture_pair(&h2_fd);
	(void)fflush(NULL);
	home->pid = fork();
	assert_true(home->pid >= 0);
	if (home->pid == 0) {
		close(home->daemon);
		close(pair->h2.daemon);
		serve(home->store, home_fd, h2_fd);
	}
	close(home_fd);
	close(h2_fd);
	fixture_hello(home->daemon, ROLE_DAEMON);
	fixture_hello(pair->h2.daemon, ROLE_DAEMON);
	daemon_configure(home, "linux");
	daemon_configure(&pair->h2, "linux gpu");
	home->webhook = fixture_channel(home, ROLE_WEBHOOK);
	home->fetcher = fixture_channel(home, ROLE_FETCHER);
	home->api = fixture_channel(home, ROLE_API);
}

static const char gpu_step[] = "steps:\n  - {name: gpu, command: \"true\", labels: [gpu]}\n";

/* Bring both into sync: afterwards, a step has run on each. */
static void pair_sync(struct pair *pair)
{
	struct order order;
	uint64_t run;

	world_sync(pair->home);
	world_sync(&pair->h2);
	run = run_start(pair->home, "steps: [{name: one, command: \"true\", labels: [linux],"
				    " resources: {cpu: 2}}]\n");
	order_expect(pair->home, &order);
	order_exited(pair->home, order.id, 0);
	ack_expect(pair->home, order.id);
	run_expect(pair->home, run, "succeeded", "");
	run = run_start(pair->home, gpu_step);
	order_expect(&pair->h2, &order);
	order_exited(&pair->h2, order.id, 0);
	ack_expect(&pair->h2, order.id);
	run_expect(pair->home, run, "succeeded", "");
}

static struct pair *pair_new(void)
{
	struct pair *pair = calloc(1, sizeof(*pair));

	assert_non_null(pair);
	pair->home = world_new();
	pair->h2 = *pair->home;
	pair->h2.instance = "instance-of-h2";
	return pair;
}

static void pair_kill(struct pair *pair)
{
	world_kill(pair->home);
	close(pair->h2.daemon);
}

static void pair_free(struct pair *pair)
{
	world_stop(pair->home);
	close(pair->h2.daemon);
	world_free(pair->home);
	free(pair);
}

/* Wait for a report of a daemon to be handled: it comes by another channel. */
static void step_await(struct pair *pair, uint64_t run, const char *slug, const char *state,
		       const char *reason)
{
	for (int i = 0;; i++) {
		json_t *json = ask(pair->home, ASK(.verb = API_RUN, .run = run)), *step;
		bool same = false;
		size_t at;

		json_array_foreach (json_object_get(json, "steps"), at, step)
			same |= strcmp(member(step, "slug"), slug) == 0 &&
				strcmp(member(step, "state"), state) == 0 &&
				strcmp(member(step, "reason"), reason) == 0;
		json_decref(json);
		if (same)
			return;
		if (i == 500)
			step_expect(pair->home, run, slug, state, reason);
		(void)usleep(10000);
	}
}

/* One step of 600 MiB fits on each; the third waits for the less loaded host. */
static void test_each_where_it_fits(void **state)
{
	static const char text[] =
		"steps:\n"
		"  - {name: one, command: \"true\", resources: {memory: 600M}}\n"
		"  - {name: two, command: \"true\", resources: {memory: 600M}}\n"
		"  - {name: three, command: \"true\", resources: {memory: 600M, cpu: 2}}\n"
		"  - {name: gpu, command: \"true\", resources: {memory: 500M}, labels: [gpu]}\n"
		"  - {name: none, command: \"true\", labels: [gpu, riscv]}\n";
	struct pair *pair = pair_new();
	struct order one, two, three;
	json_t *status;
	uint64_t run;

	pair_start(pair);
	pair_sync(pair);
	status = ask(pair->home, ASK(.verb = API_STATUS));
	assert_int_equal(number(status, "limit"), 8); /* four places each */
	json_decref(status);
	run = run_start(pair->home, text);
	order_expect(pair->home, &one);
	order_expect(&pair->h2, &two);
	assert_string_equal(one.slug, "one");
	assert_string_equal(two.slug, "two");
	step_await(pair, run, "gpu", "ready",
		   "waits for 500M of memory: 424M of 1G are free on h2");
	step_await(pair, run, "three", "ready",
		   "waits for 2 processors: 1.5 of 2 are free on this host");
	step_await(pair, run, "none", "ready", "no host with label riscv");
	/* the step that waits for home is not started on h2, and vice versa */
	order_exited(&pair->h2, two.id, 0);
	order_expect(&pair->h2, &three);
	assert_string_equal(three.slug, "three");
	order_exited(&pair->h2, three.id, 0);
	order_expect(&pair->h2, &two);
	assert_string_equal(two.slug, "gpu");
	assert_true(fixture_quiet(pair->home->daemon));
	pair_free(pair);
}

/* An executor that hangs up loses its own attempts and no others. */
static void test_loss_of_one(void **state)
{
	static const char text[] =
		"steps:\n"
		"  - {name: home, command: \"true\", resources: {cpu: 2}}\n"
		"  - {name: lost, command: \"true\", labels: [gpu]}\n"
		"  - {name: again, command: \"true\", labels: [gpu], interruptible: true}\n"
		"  - {name: anew, command: \"true\", resources: {memory: 400M}, interruptible: "
		"true}\n";
	struct pair *pair = pair_new();
	struct order home, order;
	uint64_t run;

	pair_start(pair);
	pair_sync(pair);
	run = run_start(pair->home, text);
	order_expect(pair->home, &home);
	assert_string_equal(home.slug, "home");
	for (int i = 0; i < 3; i++) {
		order_expect(&pair->h2, &order);
		order_started(&pair->h2, order.id);
	}
	step_await(pair, run, "anew", "running", "");
	close(pair->h2.daemon);
	step_await(pair, run, "lost", "errored",
		   "host lost: runbookd ended while the step was running");
	step_await(pair, run, "again", "ready",
		   "waiting for runbookd to report which steps are still running on h2");
	step_await(pair, run, "anew", "ready",
		   "waits for 0.5 processors: 0 of 2 are free on this host");
	step_expect(pair->home, run, "home", "running", "");
	/* the other executor goes on, and gets the steps of the lost one */
	order_exited(pair->home, home.id, 0);
	order_expect(pair->home, &order);
	assert_string_equal(order.slug, "anew");
	assert_int_equal(order.attempt, 2);
	order_exited(pair->home, order.id, 0);
	step_await(pair, run, "home", "succeeded", "");
	step_await(pair, run, "anew", "succeeded", "");
	pair->h2.daemon = fixture_pair(&(int){-1});
	pair_free(pair);
}

/* A daemon that stops, or has no space, does not hold up the other one. */
static void test_stopping(void **state)
{
	struct pair *pair = pair_new();
	struct order order;
	uint64_t run;

	pair_start(pair);
	pair_sync(pair);
	assert_int_equal(message_transmit(pair->h2.daemon, MESSAGE_NEW(steps_stopping, 0)), 0);
	run = run_start(pair->home, "steps:\n"
				    "  - {name: gpu, command: \"true\", labels: [gpu]}\n"
				    "  - {name: one, command: \"true\", resources: {cpu: 2}}\n"
				    "  - {name: two, command: \"true\"}\n");
	order_expect(pair->home, &order);
	while (strcmp(order.slug, "one") != 0)
		order_expect(pair->home, &order);
	step_await(pair, run, "gpu", "ready", "runbookd is stopping on h2");
	step_await(pair, run, "two", "ready",
		   "waits for 0.5 processors: 0 of 2 are free on this host");
	world_sync(&pair->h2); /* it is back: the step that waited for room comes first */
	order_expect(&pair->h2, &order);
	assert_string_equal(order.slug, "two");
	order_expect(&pair->h2, &order);
	assert_string_equal(order.slug, "gpu");
	pair_free(pair);
}

/* A report about an order of the other executor changes nothing. */
static void test_foreign_report(void **state)
{
	struct pair *pair = pair_new();
	struct message *cancel;
	struct order order;
	uint64_t run;

	pair_start(pair);
	pair_sync(pair);
	run = run_start(pair->home, gpu_step);
	order_expect(&pair->h2, &order);
	order_exited(pair->home, order.id, 1);
	ack_expect(pair->home, order.id);
	order_started(pair->home, order.id);
	cancel = fixture_receive(pair->home->daemon, MESSAGE_STEP_CANCEL);
	assert_int_equal(cancelled_order(cancel), order.id);
	(void)message_free(cancel);
	step_expect(pair->home, run, "gpu", "running", "");
	assert_true(fixture_quiet(pair->h2.daemon));
	order_exited(&pair->h2, order.id, 0);
	step_await(pair, run, "gpu", "succeeded", "");
	pair_free(pair);
}

static const char two_steps[] =
	"steps:\n"
	"  - {name: home, command: \"true\", resources: {memory: 600M}}\n"
	"  - {name: gpu, command: \"true\", resources: {memory: 600M}, labels: [gpu]}\n";

/* After a restart each claim belongs to the executor that reports it, or to its instance. */
static void test_restart(void **state)
{
	struct pair *pair = pair_new();
	struct order home, gpu, again;
	uint64_t run;

	pair_start(pair);
	pair_sync(pair);
	run = run_start(pair->home, two_steps);
	order_expect(pair->home, &home);
	order_expect(&pair->h2, &gpu);
	/* its order was lost with the scheduler: h2 is in sync without having reported it */
	pair_kill(pair);
	pair_start(pair);
	order_started(pair->home, home.id);
	world_sync(pair->home);
	assert_true(fixture_quiet(pair->home->daemon));
	world_sync(&pair->h2);
	order_expect(&pair->h2, &again);
	assert_int_equal(again.id, gpu.id);
	step_expect(pair->home, run, "gpu", "running", "");
	/* both report their running steps */
	pair_kill(pair);
	pair_start(pair);
	order_started(&pair->h2, gpu.id);
	world_sync(&pair->h2);
	order_started(pair->home, home.id);
	world_sync(pair->home);
	order_exited(&pair->h2, gpu.id, 0);
	ack_expect(&pair->h2, gpu.id);
	order_exited(pair->home, home.id, 0);
	ack_expect(pair->home, home.id);
	run_expect(pair->home, run, "succeeded", "");
	pair_free(pair);
}

/* One host was rebooted while the scheduler was away: only its attempts are lost. */
static void test_restart_with_loss(void **state)
{
	struct pair *pair = pair_new();
	struct order home, gpu;
	uint64_t run;

	pair_start(pair);
	pair_sync(pair);
	run = run_start(pair->home, two_steps);
	order_expect(pair->home, &home);
	order_expect(&pair->h2, &gpu);
	pair_kill(pair);
	pair->h2.instance = "another-instance-of-h2";
	pair_start(pair);
	/* home does not have it, but h2 may */
	order_started(pair->home, home.id);
	world_sync(pair->home);
	assert_true(fixture_quiet(pair->home->daemon));
	step_expect(pair->home, run, "gpu", "running", "");
	world_sync(&pair->h2);
	step_await(pair, run, "gpu", "errored",
		   "host lost: runbookd ended while the step was running");
	step_expect(pair->home, run, "home", "running", "");
	order_exited(pair->home, home.id, 0);
	step_await(pair, run, "home", "succeeded", "");
	run_expect(pair->home, run, "errored", "step \"gpu\" errored");
	pair_free(pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_where_it_fits),
		cmocka_unit_test(test_loss_of_one),
		cmocka_unit_test(test_stopping),
		cmocka_unit_test(test_foreign_report),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_restart_with_loss),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
