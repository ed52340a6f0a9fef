/* SPDX-License-Identifier: Apache-2.0 */
/* Kills of any process at any time: what was acknowledged stays, and no attempt runs twice. */
#include "tests/unit/scheduler_world.h"

#include <poll.h>
#include <sys/wait.h>

static const char one[] = "steps:\n  - name: one\n    command: echo hello\n";
static const char chain[] = "steps:\n  - {name: one, command: 'true'}\n"
			    "  - {name: two, command: 'true', depends_on: [one]}\n";
static const char wide[] = "steps:\n  - {name: s1, command: 'true'}\n"
			   "  - {name: s2, command: 'true'}\n  - {name: s3, command: 'true'}\n";

/* Make a run of @runbook and wait for the order of its first step. */
static uint64_t run_to_order(struct world *world, const char *runbook, struct order *order)
{
	uint64_t run = trigger(world, "a", "1", COMMIT_A);

	fetch_answer(world, COMMIT_A, runbook);
	order_expect(world, order);
	return run;
}

static void test_order_lost(void **state)
{
	struct world *world = world_new();
	struct order order, again;
	uint64_t run;

	world_start(world);
	run = run_to_order(world, one, &order);
	world_kill(world);
	world_start_unsynced(world);
	run_expect(world, run, "running", NULL);
	assert_true(fixture_quiet(world->daemon)); /* no order before the daemon is in sync */
	world_sync(world);
	order_expect(world, &again);
	assert_int_equal(again.id, order.id);
	assert_int_equal(again.attempt, 1);
	order_exited(world, again.id, 0);
	ack_expect(world, again.id);
	run_expect(world, run, "succeeded", NULL);
	world_stop(world);
	world_free(world);
}

static void test_sync_before_configuration(void **state)
{
	struct world *world = world_new();
	struct order order, again;

	world->timeout_sec = 120;
	world_start(world);
	(void)run_to_order(world, one, &order);
	assert_int_equal(order.timeout_msec, 120000);
	world_kill(world);
	world->sync_first = true;
	world_start_unsynced(world);
	order_expect(world, &again);
	assert_int_equal(again.id, order.id);
	assert_int_equal(again.timeout_msec, 120000);
	world_stop(world);
	world_free(world);
}

static void test_order_known(void **state)
{
	struct world *world = world_new();
	struct order one_order, two;
	uint64_t run;

	world_start(world);
	run = run_to_order(world, chain, &one_order);
	world_kill(world);
	/* the step still runs */
	world_start_unsynced(world);
	order_started(world, one_order.id);
	world_sync(world);
	assert_true(fixture_quiet(world->daemon));
	world_kill(world);
	/* the step ended meanwhile */
	world_start_unsynced(world);
	order_exited(world, one_order.id, 0);
	world_sync(world);
	order_expect(world, &two);
	assert_string_equal(two.slug, "two");
	assert_true(two.id > one_order.id);
	world_kill(world);
	/* the result was committed, but its acknowledgement may be lost: it is reported again */
	world_start_unsynced(world);
	order_exited(world, one_order.id, 9);
	ack_expect(world, one_order.id);
	order_started(world, two.id);
	world_sync(world);
	step_expect(world, run, "one", "succeeded", "");
	order_exited(world, two.id, 0);
	ack_expect(world, two.id);
	run_expect(world, run, "succeeded", NULL);
	world_stop(world);
	world_free(world);
}

static void test_host_lost(void **state)
{
	struct world *world = world_new();
	struct order order;
	uint64_t run;

	world_start(world);
	run = run_to_order(world, chain, &order);
	world_kill(world);
	world->instance = "instance-2";
	world_start(world);
	step_expect(world, run, "one", "errored",
		    "host lost: runbookd ended while the step was running");
	step_expect(world, run, "two", "skipped", "dependency \"one\" errored");
	run_expect(world, run, "errored", "step \"one\" errored");
	assert_true(fixture_quiet(world->daemon));
	/* and it can be retried */
	json_decref(ask(world, ASK(.verb = API_RUN_RETRY, .run = run, .step = "one")));
	order_expect(world, &order);
	assert_int_equal(order.attempt, 2);
	world_stop(world);
	world_free(world);
}

static void test_unclaimed_order(void **state)
{
	struct world *world = world_new();
	struct message *message;

	world_start_unsynced(world);
	order_started(world, 4711);
	message = fixture_receive(world->daemon, MESSAGE_STEP_CANCEL);
	assert_int_equal(cancelled_order(message), 4711);
	(void)message_free(message);
	order_exited(world, 4711, 0);
	ack_expect(world, 4711);
	world_stop(world);
	world_free(world);
}

static void test_fetches_repeated(void **state)
{
	struct world *world = world_new();
	struct order order;
	uint64_t run, serial, again;

	world_start(world);
	run = trigger(world, "a", "1", COMMIT_A);
	serial = fetch_expect(world, COMMIT_A);
	/* the fetcher dies */
	close(world->fetcher);
	world->fetcher = fixture_channel(world, ROLE_FETCHER);
	again = fetch_expect(world, COMMIT_A);
	assert_true(again != serial);
	fetched_send(world, serial, COMMIT_A, "steps: nonsense", NULL); /* without a request */
	/* the scheduler dies */
	world_kill(world);
	world_start(world);
	fetch_answer(world, COMMIT_A, one);
	order_expect(world, &order);
	assert_int_equal(order.run, run);
	world_stop(world);
	world_free(world);
}

static void test_fetch_window(void **state)
{
	struct world *world = world_new();
	char commit[41], delivery[16];
	uint64_t serials[SOURCES_ASKED_MAX];

	world_start(world);
	for (int i = 1; i <= 10; i++) {
		(void)snprintf(commit, sizeof(commit), "%040x", i);
		(void)snprintf(delivery, sizeof(delivery), "%d", i);
		(void)trigger(world, "a", delivery, commit);
	}
	for (int i = 0; i < SOURCES_ASKED_MAX; i++) {
		(void)snprintf(commit, sizeof(commit), "%040x", i + 1);
		serials[i] = fetch_expect(world, commit);
	}
	assert_true(fixture_quiet(world->fetcher));
	/* another project does not wait behind them */
	(void)trigger(world, "b", "1", COMMIT_B);
	(void)fetch_expect(world, COMMIT_B);
	/* cancel one in the middle of the list: the next request is sent */
	json_decref(ask(world, ASK(.verb = API_RUN_CANCEL, .run = 2)));
	(void)fetch_expect(world, "0000000000000000000000000000000000000005");
	fetched_send(world, serials[0], "0000000000000000000000000000000000000001", one, NULL);
	(void)fetch_expect(world, "0000000000000000000000000000000000000006");
	json_decref(ask(world, ASK(.verb = API_RUN_CANCEL, .run = 10)));
	world_stop(world);
	world_free(world);
}

static void test_line_kept(void **state)
{
	struct world *world = world_new();
	struct order order;

	world->max_running = 1;
	world_start(world);
	(void)run_to_order(world, wide, &order);
	assert_string_equal(order.slug, "s1");
	world_kill(world);
	world_start_unsynced(world);
	order_exited(world, order.id, 0);
	world_sync(world);
	order_expect(world, &order);
	assert_string_equal(order.slug, "s2");
	world_kill(world);
	world_start_unsynced(world);
	order_started(world, order.id);
	world_sync(world);
	assert_true(fixture_quiet(world->daemon)); /* the limit counts running steps already */
	order_exited(world, order.id, 0);
	order_expect(world, &order);
	assert_string_equal(order.slug, "s3");
	world_stop(world);
	world_free(world);
}

static void test_cancel_kept(void **state)
{
	struct world *world = world_new();
	struct order order;
	struct message *message;
	uint64_t run;

	world_start(world);
	run = run_to_order(world, chain, &order);
	json_decref(ask(world, ASK(.verb = API_RUN_CANCEL, .run = run)));
	message = fixture_receive(world->daemon, MESSAGE_STEP_CANCEL);
	(void)message_free(message);
	world_kill(world);
	/*
	 * The order never arrived either, or it waits in the daemon's queue: a step is not started
	 * just to be cancelled, nor after it was reported as cancelled.
	 */
	world_start(world);
	run_expect(world, run, "cancelled", "cancelled");
	step_expect(world, run, "one", "cancelled", "cancelled");
	message = fixture_receive(world->daemon, MESSAGE_STEP_CANCEL);
	assert_int_equal(cancelled_order(message), order.id);
	(void)message_free(message);
	assert_true(fixture_quiet(world->daemon));
	world_stop(world);
	world_free(world);
}

static void test_upload_interrupted(void **state)
{
	struct world *world = world_new();
	int fd = text_fd("a tar");
	json_t *json;

	world_start(world);
	json = ask(world, ASK(.verb = API_RUN_UPLOAD, .fd = fd));
	close(fd);
	(void)message_free(fixture_receive(world->fetcher, MESSAGE_UNPACK));
	world_kill(world);
	world_start(world);
	run_expect(world, (uint64_t)number(json, "run"), "errored",
		   "the upload was interrupted by a restart: send it again");
	assert_int_equal(ask_refused(world, ASK(.verb = API_RUN_RETRY, .run = 1)), 409);
	json_decref(json);
	world_stop(world);
	world_free(world);
}

static void test_project_removed(void **state)
{
	struct world *world = world_new();
	struct order order;
	uint64_t run;

	world->max_running = 1;
	world_start(world);
	(void)run_to_order(world, one, &order);
	run = trigger(world, "b", "2", COMMIT_B);
	fetch_answer(world, COMMIT_B, one);
	step_expect(world, run, "one", "ready", "limit 1 of running steps reached");
	/* a configuration without b, with another limit */
	config_begin(world);
	assert_int_equal(
		message_transmit(world->daemon,
				 MESSAGE_NEW(config_scheduler, 0, .instance = world->instance,
					     .max_running = 3, .cpu_milli = 2000, .memory = 1 * GIB,
					     .timeout_sec = 60)),
		0);
	config_project(world, "a", 0, 1, 0);
	config_end(world);
	trigger_send(world, "b", "3", COMMIT_A);
	assert_int_equal(trigger_refused(world), 404);
	assert_true(fixture_quiet(world->daemon));
	step_expect(world, run, "one", "ready",
		    "project is not configured any more: add it again or cancel the run");
	order_exited(world, order.id, 0);
	ack_expect(world, order.id);
	world_configure(world);
	order_expect(world, &order);
	assert_int_equal(order.run, run);
	world_stop(world);
	world_free(world);
}

/* A disk that fills up: no reply without a commit, and everything is there afterwards. */
static void test_disk_full(void **state)
{
	struct world *world = world_new();
	uint64_t n_accepted = 0;
	int status;
	json_t *json;

	world_start(world);
	world_stop(world);
	world->file_limit = 512 * KIB;
	world_start(world);
	for (unsigned i = 1; i <= 5000; i++) {
		cleanup_message struct message *message = NULL;
		char delivery[16], commit[41];

		(void)snprintf(delivery, sizeof(delivery), "%u", i);
		(void)snprintf(commit, sizeof(commit), "%040x", i);
		if (message_transmit(world->webhook,
				     MESSAGE_NEW(trigger, i, .project = "a", .provider = "github",
						 .delivery = delivery, .event = "push",
						 .ref = "refs/heads/main", .after = commit)) < 0)
			break;
		message = fixture_receive_any(world->webhook, false);
		if (!message)
			break;
		n_accepted += message->type == MESSAGE_TRIGGER_ACCEPTED;
	}
	assert_true(n_accepted > 0 && n_accepted < 5000);
	world_disconnect(world);
	assert_int_equal(waitpid(world->pid, &status, 0), world->pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	world->file_limit = 0;
	world_start(world);
	json = ask(world, ASK(.verb = API_STATUS));
	assert_true((uint64_t)number(json_object_get(json, "runs"), "pending") >= n_accepted);
	json_decref(json);
	world_stop(world);
	world_free(world);
}

/* ---- random kills ---- */

#define ORDERS_MAX 512

/* what a daemon and a fetcher remember while the scheduler is killed and started */
struct chaos {
	struct world *world;
	enum { ORDER_UNKNOWN, ORDER_STARTED, ORDER_EXITED, ORDER_ACKED } orders[ORDERS_MAX];
	uint64_t last; /* highest order number so far */
	unsigned n_runs;
};

static struct message *chaos_poll(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	/* HELLO may be the only message: then the receive waits for the next one */
	if (poll(&poll_fd, 1, 2) < 1)
		return NULL;
	return fixture_receive_any(fd, false);
}

/* A new life: report what is known, as the daemon does. */
static void chaos_start(struct chaos *chaos)
{
	struct message *hello = NULL;

	world_start_unsynced(chaos->world);
	assert_int_equal(message_receive(chaos->world->daemon, &hello), 1);
	(void)message_free(hello);
	assert_int_equal(message_receive(chaos->world->fetcher, &hello), 1);
	(void)message_free(hello);
	for (uint64_t order = 1; order <= chaos->last; order++) {
		if (chaos->orders[order] == ORDER_STARTED)
			order_started(chaos->world, order);
		else if (chaos->orders[order] == ORDER_EXITED)
			order_exited(chaos->world, order, 0);
	}
	world_sync(chaos->world);
}

static void chaos_trigger(struct chaos *chaos)
{
	char delivery[16], commit[41];

	(void)snprintf(delivery, sizeof(delivery), "%u", ++chaos->n_runs);
	(void)snprintf(commit, sizeof(commit), "%040x", chaos->n_runs);
	assert_int_equal(trigger(chaos->world, "a", delivery, commit), chaos->n_runs);
}

static void chaos_fetch(struct chaos *chaos)
{
	cleanup_message struct message *message = chaos_poll(chaos->world->fetcher);
	struct message_fetch fetch;

	if (!message)
		return;
	assert_int_equal(MESSAGE_GET(message, fetch, &fetch), 0);
	fetched_send(chaos->world, message->serial, fetch.commit, chain, NULL);
}

static bool chaos_daemon(struct chaos *chaos)
{
	cleanup_message struct message *message = chaos_poll(chaos->world->daemon);
	uint64_t order;

	if (!message)
		return false;
	order = message->type == MESSAGE_STEP_ACK ? acked_order(message) : started_order(message);
	assert_in_range(order, 1, ORDERS_MAX - 1);
	if (message->type == MESSAGE_STEP_ACK) {
		assert_true(chaos->orders[order] >= ORDER_EXITED);
		chaos->orders[order] = ORDER_ACKED;
	} else {
		assert_int_equal(message->type, MESSAGE_STEP_START);
		/*
		 * the daemon reported everything it has: an order only comes again if it never
		 * arrived
		 */
		assert_int_equal(chaos->orders[order], ORDER_UNKNOWN);
		chaos->orders[order] = ORDER_STARTED;
		chaos->last = order > chaos->last ? order : chaos->last;
	}
	return true;
}

static void chaos_exit_one(struct chaos *chaos)
{
	uint64_t order = 1 + (uint64_t)rand() % (chaos->last + 1);

	if (order > chaos->last || chaos->orders[order] != ORDER_STARTED)
		return;
	chaos->orders[order] = ORDER_EXITED;
	order_exited(chaos->world, order, 0);
}

static uint64_t chaos_succeeded(struct chaos *chaos)
{
	json_t *json = ask(chaos->world, ASK(.verb = API_STATUS));
	uint64_t n = (uint64_t)number(json_object_get(json, "runs"), "succeeded");

	json_decref(json);
	return n;
}

/* In the end every run has succeeded, and each of its steps was ordered exactly once. */
static void test_random_kills(void **state)
{
	struct chaos chaos = {.world = world_new()};
	unsigned seed = getenv("TEST_SEED") ? (unsigned)atoi(getenv("TEST_SEED")) : 20;

	print_message("seed %u\n", seed);
	srand(seed);
	for (unsigned round = 0; round < 40; round++) {
		chaos_start(&chaos);
		for (int budget = rand() % 60; budget > 0; budget--) {
			if (rand() % 8 == 0 && chaos.n_runs < ORDERS_MAX / 2 - 1)
				chaos_trigger(&chaos);
			chaos_fetch(&chaos);
			(void)chaos_daemon(&chaos);
			chaos_exit_one(&chaos);
		}
		world_kill(chaos.world);
	}
	chaos_start(&chaos);
	while (chaos_succeeded(&chaos) < chaos.n_runs) {
		chaos_fetch(&chaos);
		while (chaos_daemon(&chaos))
			;
		for (uint64_t order = 1; order <= chaos.last; order++) {
			if (chaos.orders[order] == ORDER_STARTED) {
				chaos.orders[order] = ORDER_EXITED;
				order_exited(chaos.world, order, 0);
			}
		}
	}
	while (chaos_daemon(&chaos))
		;
	assert_int_equal(chaos.last, 2 * chaos.n_runs);
	for (uint64_t order = 1; order <= chaos.last; order++)
		assert_int_equal(chaos.orders[order], ORDER_ACKED);
	world_stop(chaos.world);
	world_free(chaos.world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_lost),
		cmocka_unit_test(test_sync_before_configuration),
		cmocka_unit_test(test_order_known),
		cmocka_unit_test(test_host_lost),
		cmocka_unit_test(test_unclaimed_order),
		cmocka_unit_test(test_fetches_repeated),
		cmocka_unit_test(test_fetch_window),
		cmocka_unit_test(test_line_kept),
		cmocka_unit_test(test_cancel_kept),
		cmocka_unit_test(test_upload_interrupted),
		cmocka_unit_test(test_project_removed),
		cmocka_unit_test(test_disk_full),
		cmocka_unit_test(test_random_kills),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
