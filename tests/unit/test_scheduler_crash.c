/* SPDX-License-Identifier: Apache-2.0 */
/* Whoever dies, whenever: what was acknowledged stays, no attempt runs twice. */
#include "tests/unit/scheduler_fixture.h"

static const char one[] = "steps:\n  - name: one\n    command: echo hello\n";
static const char chain[] = "steps:\n  - {name: one, command: 'true'}\n"
			    "  - {name: two, command: 'true', depends_on: [one]}\n";
static const char wide[] = "steps:\n  - {name: s1, command: 'true'}\n"
			   "  - {name: s2, command: 'true'}\n  - {name: s3, command: 'true'}\n";

/* A run of @runbook whose first step was just ordered. */
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
	assert_true(fixture_quiet(world->daemon)); /* not before it knows */
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

static void test_order_known(void **state)
{
	struct world *world = world_new();
	struct order one_order, two;
	uint64_t run;

	world_start(world);
	run = run_to_order(world, chain, &one_order);
	world_kill(world);
	/* it still runs */
	world_start_unsynced(world);
	order_started(world, one_order.id);
	world_sync(world);
	assert_true(fixture_quiet(world->daemon));
	world_kill(world);
	/* it ended meanwhile */
	world_start_unsynced(world);
	order_exited(world, one_order.id, 0);
	world_sync(world);
	order_expect(world, &two);
	assert_string_equal(two.slug, "two");
	assert_true(two.id > one_order.id);
	world_kill(world);
	/* the result was committed, its acknowledgement may be lost: told again */
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
	/* and it can be tried again */
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
	assert_int_equal(message_get_u64(message), 4711);
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
	fetched_send(world, serial, COMMIT_A, "steps: nonsense", NULL); /* nobody asked for that */
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
	/* another project does not stand behind them */
	(void)trigger(world, "b", "1", COMMIT_B);
	(void)fetch_expect(world, COMMIT_B);
	/* in the middle of the line, and the next one is asked for */
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
	assert_true(fixture_quiet(world->daemon)); /* the limit counts what runs already */
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
	/* the order never arrived either: nothing is started just to be cancelled */
	world_start(world);
	run_expect(world, run, "cancelled", "cancelled");
	step_expect(world, run, "one", "cancelled", "cancelled");
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
	config_bracket(world, MESSAGE_CONFIG_BEGIN);
	{
		struct message *message = message_new(MESSAGE_CONFIG_SCHEDULER, 0);

		message_put_string(message, world->instance);
		message_put_u64(message, 3);
		message_put_u64(message, 2000);
		message_put_u64(message, 1 * GIB);
		message_put_string(message, "");
		message_put_u64(message, 60);
		assert_int_equal(message_transmit(world->daemon, message), 0);
	}
	config_project(world, "a", 0, 1, 0);
	config_bracket(world, MESSAGE_CONFIG_END);
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

/* A disk that fills up: no answer without a commit, and everything is there afterwards. */
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
		cleanup_message struct message *message = message_new(MESSAGE_TRIGGER, i);
		struct message *sent = message;
		char delivery[16], commit[41];

		(void)snprintf(delivery, sizeof(delivery), "%u", i);
		(void)snprintf(commit, sizeof(commit), "%040x", i);
		message = NULL;
		message_put_string(sent, "a");
		message_put_string(sent, "github");
		message_put_string(sent, delivery);
		message_put_string(sent, "push");
		message_put_string(sent, "refs/heads/main");
		message_put_string(sent, "");
		message_put_string(sent, commit);
		message_put_string(sent, "");
		message_put_string(sent, "");
		if (message_transmit(world->webhook, sent) < 0)
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

/* Kills at random moments; at the end each step ran once and every run is right. */
static void test_random_kills(void **state)
{
	struct world *world = world_new();
	uint64_t started[4096] = {0}, ended[4096] = {0};
	unsigned n_runs = 0;

	srand(20);
	for (unsigned round = 0; round < 30; round++) {
		int budget = rand() % 40;

		world_start_unsynced(world);
		for (uint64_t order = 1; order < ARRAY_SIZE(started); order++) {
			if (started[order] && !ended[order])
				order_started(world, order);
			else if (ended[order] == 1)
				order_exited(world, order, 0);
		}
		world_sync(world);
		for (; budget > 0; budget--) {
			struct timeval some = {.tv_usec = 3000}, much = {.tv_sec = WAIT_SEC};
			struct message *message;
			struct order order;
			char delivery[16], commit[41];
			uint64_t i;

			if (rand() % 4 == 0) {
				(void)snprintf(delivery, sizeof(delivery), "%u", ++n_runs);
				(void)snprintf(commit, sizeof(commit), "%040x", n_runs);
				trigger_send(world, "a", delivery, commit);
				(void)trigger_accepted(world, 0);
			}
			(void)setsockopt(world->fetcher, SOL_SOCKET, SO_RCVTIMEO, &some,
					 sizeof(some));
			message = fixture_receive_any(world->fetcher, false);
			(void)setsockopt(world->fetcher, SOL_SOCKET, SO_RCVTIMEO, &much,
					 sizeof(much));
			if (message) {
				(void)message_get_string(message, PROJECT_NAME_MAX);
				(void)message_get_string(message, REF_NAME_MAX);
				(void)snprintf(commit, sizeof(commit), "%s",
					       message_get_string(message, COMMIT_HEX_MAX));
				fetched_send(world, message->serial, commit, chain, NULL);
				(void)message_free(message);
			}
			(void)setsockopt(world->daemon, SOL_SOCKET, SO_RCVTIMEO, &some,
					 sizeof(some));
			message = fixture_receive_any(world->daemon, false);
			(void)setsockopt(world->daemon, SOL_SOCKET, SO_RCVTIMEO, &much,
					 sizeof(much));
			if (message && message->type == MESSAGE_STEP_START) {
				order_parse(message, &order);
				assert_true(order.id < ARRAY_SIZE(started));
				started[order.id]++;
			} else if (message && message->type == MESSAGE_STEP_ACK) {
				i = message_get_u64(message);
				assert_true(ended[i] > 0);
				ended[i] = 2;
			}
			(void)message_free(message);
			i = 1 + (uint64_t)rand() % 64;
			if (started[i] && !ended[i]) {
				ended[i] = 1;
				order_exited(world, i, 0);
			}
		}
		world_kill(world);
	}
	/* to the end, without kills */
	world_start_unsynced(world);
	for (uint64_t order = 1; order < ARRAY_SIZE(started); order++) {
		if (started[order] && ended[order] != 2)
			order_exited(world, order, 0);
	}
	world_sync(world);
	for (;;) {
		json_t *json = ask(world, ASK(.verb = API_STATUS));
		uint64_t n_done = (uint64_t)number(json_object_get(json, "runs"), "succeeded");
		struct message *message;
		struct timeval some = {.tv_usec = 3000};

		json_decref(json);
		assert_true(n_done <= n_runs);
		if (n_done == n_runs)
			break;
		(void)setsockopt(world->fetcher, SOL_SOCKET, SO_RCVTIMEO, &some, sizeof(some));
		(void)setsockopt(world->daemon, SOL_SOCKET, SO_RCVTIMEO, &some, sizeof(some));
		while ((message = fixture_receive_any(world->fetcher, false))) {
			char commit[80];

			(void)message_get_string(message, PROJECT_NAME_MAX);
			(void)message_get_string(message, REF_NAME_MAX);
			(void)snprintf(commit, sizeof(commit), "%s",
				       message_get_string(message, COMMIT_HEX_MAX));
			fetched_send(world, message->serial, commit, chain, NULL);
			(void)message_free(message);
		}
		while ((message = fixture_receive_any(world->daemon, false))) {
			struct order order;

			if (message->type == MESSAGE_STEP_START) {
				order_parse(message, &order);
				started[order.id]++;
				order_exited(world, order.id, 0);
			}
			(void)message_free(message);
		}
	}
	world_stop(world);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_lost),	   cmocka_unit_test(test_order_known),
		cmocka_unit_test(test_host_lost),	   cmocka_unit_test(test_unclaimed_order),
		cmocka_unit_test(test_fetches_repeated),   cmocka_unit_test(test_fetch_window),
		cmocka_unit_test(test_line_kept),	   cmocka_unit_test(test_cancel_kept),
		cmocka_unit_test(test_upload_interrupted), cmocka_unit_test(test_project_removed),
		cmocka_unit_test(test_disk_full),	   cmocka_unit_test(test_random_kills),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
