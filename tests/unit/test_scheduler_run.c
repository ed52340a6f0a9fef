/* SPDX-License-Identifier: Apache-2.0 */
/* The life of runs and steps, seen from the scheduler's peers. */
#include "tests/unit/scheduler_world.h"

static const char one[] = "steps:\n  - name: one\n    command: echo hello\n";
static const char diamond[] =
	"name: diamond\n"
	"global:\n  env: {A: global, B: global}\n"
	"steps:\n"
	"  - {name: top, command: 'true', env: {B: step}, timeout: 5s}\n"
	"  - {name: left, command: 'true', depends_on: [top]}\n"
	"  - {name: right side, command: 'true', depends_on: [top]}\n"
	"  - {name: bottom, command: 'true', depends_on: [left, right side]}\n"
	"  - {name: apart, command: 'true'}\n";

static void test_one_step(void **state)
{
	struct world *world = world_new();
	struct order order;
	json_t *json;
	uint64_t run;

	world_start(world);
	run = trigger(world, "a", "delivery-1", COMMIT_A);
	run_expect(world, run, "pending", "");
	fetch_answer(world, COMMIT_A, one);
	order_expect(world, &order);
	assert_int_equal(order.run, run);
	assert_string_equal(order.slug, "one");
	assert_string_equal(order.commit, COMMIT_A);
	assert_string_equal(order.command, "echo hello");
	assert_int_equal(order.timeout_msec, STEP_TIMEOUT_DEFAULT_SEC * 1000);
	assert_non_null(strstr(order.env, "CI=true\n"));
	assert_non_null(strstr(order.env, "RUNBOOK_PROJECT=a\n"));
	assert_non_null(strstr(order.env, "RUNBOOK_STEP=one\n"));
	assert_non_null(strstr(order.env, "RUNBOOK_REF=refs/heads/main\n"));
	assert_non_null(strstr(order.env, "RUNBOOK_COMMIT=" COMMIT_A "\n"));
	assert_non_null(strstr(order.env, "HOME=/workspace\n"));
	run_expect(world, run, "running", "");
	order_started(world, order.id);
	order_exited(world, order.id, 0);
	ack_expect(world, order.id);
	run_expect(world, run, "succeeded", "");
	json = ask(world, ASK(.verb = API_EVENTS, .run = run));
	/* pending, ready, run running, step running, step succeeded, run succeeded */
	assert_int_equal(json_array_size(json_object_get(json, "events")), 6);
	json_decref(json);
	json = ask(world, ASK(.verb = API_RUNBOOK, .run = run));
	assert_string_equal(member(json, "runbook"), one);
	json_decref(json);
	world_stop(world);
	world_free(world);
}

static void test_duplicates(void **state)
{
	struct world *world = world_new();
	uint64_t run, n_new = 0;

	world_start(world);
	for (int i = 0; i < 50; i++)
		trigger_send(world, "a", "the same", COMMIT_A);
	for (int i = 0; i < 50; i++) {
		struct message *message = fixture_receive(world->webhook, MESSAGE_TRIGGER_ACCEPTED);
		struct message_trigger_accepted accepted;

		assert_int_equal(MESSAGE_GET(message, trigger_accepted, &accepted), 0);
		assert_int_equal(accepted.run, 1);
		n_new += !accepted.duplicate;
		(void)message_free(message);
	}
	assert_int_equal(n_new, 1);
	/* the same push with another id gets the same run; another commit gets its own */
	trigger_send(world, "a", "another", COMMIT_A);
	assert_int_equal(trigger_accepted(world, 1), 1);
	run = trigger(world, "a", "third", COMMIT_B);
	assert_int_equal(run, 2);
	/* delivery ids of another project are independent */
	assert_int_equal(trigger(world, "b", "the same", COMMIT_A), 3);
	/* the id survives a restart */
	world_kill(world);
	world_start(world);
	trigger_send(world, "a", "the same", COMMIT_A);
	assert_int_equal(trigger_accepted(world, 1), 1);
	world_stop(world);
	world_free(world);
}

static void test_refusals(void **state)
{
	struct world *world = world_new();

	world_start(world);
	trigger_send(world, "nobody", "1", COMMIT_A);
	assert_int_equal(trigger_refused(world), 404);
	trigger_send(world, "a", "2", "0000000000000000000000000000000000000000");
	assert_int_equal(trigger_refused(world), 200);
	trigger_send(world, "a", "3", "not a commit");
	assert_int_equal(trigger_refused(world), 400);
	trigger_send(world, "a", "", COMMIT_A);
	assert_int_equal(trigger_refused(world), 400);
	assert_true(fixture_quiet(world->fetcher));
	world_stop(world);
	world_free(world);
}

static void test_bad_runbook(void **state)
{
	struct world *world = world_new();
	cleanup_free char *large = malloc(2 * MIB + 1);
	uint64_t run;
	json_t *json;

	world_start(world);
	run = trigger(world, "a", "1", COMMIT_A);
	fetch_answer(world, COMMIT_A, "steps:\n  - name: x\n    comand: y\n  - 3\n");
	json = ask(world, ASK(.verb = API_RUN, .run = run));
	assert_string_equal(member(json, "state"), "failed");
	assert_non_null(strstr(member(json, "reason"), "runbook.yml:"));
	assert_true(json_array_size(json_object_get(json, "findings")) >= 2);
	json_decref(json);

	run = trigger(world, "a", "2", COMMIT_B);
	fetch_answer(world, COMMIT_B, NULL);
	run_expect(world, run, "failed",
		   "no runbook.yml in commit bbbbbbbbbbbb: add one to the top directory");

	memset(large, '#', 2 * MIB);
	large[2 * MIB] = '\0';
	run = trigger(world, "b", "3", COMMIT_A);
	fetch_answer(world, COMMIT_A, large);
	run_expect(world, run, "failed", NULL);

	run = trigger(world, "b", "4", COMMIT_B);
	fetched_send(world, fetch_expect(world, COMMIT_B), "", NULL, "no route to host: try again");
	run_expect(world, run, "errored", "no route to host: try again");
	world_stop(world);
	world_free(world);
}

static void test_diamond(void **state)
{
	struct world *world = world_new();
	struct order top, apart, left, right, bottom;
	uint64_t run;
	json_t *json;
	char *text;

	world_start(world);
	run = trigger(world, "a", "1", COMMIT_A);
	fetch_answer(world, COMMIT_A, diamond);
	order_expect(world, &top);
	order_expect(world, &apart);
	assert_string_equal(top.slug, "top");
	assert_string_equal(apart.slug, "apart");
	assert_int_equal(top.timeout_msec, 5000);
	assert_non_null(strstr(top.env, "A=global\n"));
	assert_non_null(strstr(top.env, "B=step\n"));
	assert_null(strstr(top.env, "B=global\n"));
	step_expect(world, run, "bottom", "pending", "waits for \"left\" and 1 more");
	assert_true(fixture_quiet(world->daemon));
	order_exited(world, top.id, 0);
	order_expect(world, &left);
	order_expect(world, &right);
	order_exited(world, left.id, 0);
	order_exited(world, right.id, 0);
	order_expect(world, &bottom);
	assert_string_equal(bottom.slug, "bottom");
	order_exited(world, bottom.id, 0);
	order_exited(world, apart.id, 0);
	ack_expect(world, bottom.id);
	ack_expect(world, apart.id);
	json = ask(world, ASK(.verb = API_RUN, .run = run));
	assert_string_equal(member(json, "state"), "succeeded");
	assert_string_equal(member(json, "name"), "diamond");
	text = json_dumps(
		json_object_get(json_array_get(json_object_get(json, "steps"), 3), "depends_on"),
		JSON_COMPACT);
	assert_string_equal(text, "[\"left\",\"right side\"]");
	free(text);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(
			json_array_size(json_object_get(
				json_array_get(json_object_get(json, "steps"), i), "attempts")),
			1);
	json_decref(json);
	world_stop(world);
	world_free(world);
}

static void test_failure_skips(void **state)
{
	struct world *world = world_new();
	struct order top, apart, left, right;
	uint64_t run;

	world_start(world);
	run = trigger(world, "a", "1", COMMIT_A);
	fetch_answer(world, COMMIT_A, diamond);
	order_expect(world, &top);
	order_expect(world, &apart);
	order_exited(world, top.id, 0);
	order_expect(world, &left);
	order_expect(world, &right);
	order_exited(world, left.id, 3);
	ack_expect(world, left.id);
	step_expect(world, run, "left", "failed", "exit code 3");
	step_expect(world, run, "bottom", "skipped", "dependency \"left\" failed");
	run_expect(world, run, "running", "");
	order_exited(world, right.id, 0);
	order_exited(world, apart.id, 0);
	ack_expect(world, right.id);
	ack_expect(world, apart.id);
	run_expect(world, run, "failed", "step \"left\" failed");
	world_stop(world);
	world_free(world);
}

static void test_results(void **state)
{
	static const struct {
		enum step_result result;
		uint64_t code;
		const char *reason, *want_state, *want_reason;
	} cases[] = {
		{STEP_RESULT_EXITED, 0, "", "succeeded", ""},
		{STEP_RESULT_EXITED, 7, "", "failed", "exit code 7"},
		{STEP_RESULT_SIGNALED, 9, "", "failed", "killed by signal 9 (KILL)"},
		{STEP_RESULT_TIMEOUT, 0, "", "failed", "timeout after 1h"},
		{STEP_RESULT_CANCELLED, 0, "", "cancelled", "cancelled"},
		{STEP_RESULT_MEMORY, 0, "", "failed", "out of memory"},
		{STEP_RESULT_MEMORY, 0, "out of memory: limit 512M", "failed",
		 "out of memory: limit 512M"},
		{STEP_RESULT_SANDBOX, 0, "cannot build the sandbox: no such image", "errored",
		 "cannot build the sandbox: no such image"},
	};
	struct world *world = world_new();

	world_start(world);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char delivery[16], commit[41];
		struct order order;
		uint64_t run;

		(void)snprintf(delivery, sizeof(delivery), "%zu", i);
		(void)snprintf(commit, sizeof(commit), "%040zx", i + 1);
		run = trigger(world, "a", delivery, commit);
		fetch_answer(world, commit, one);
		order_expect(world, &order);
		order_result(world, order.id, cases[i].result, cases[i].code, cases[i].reason);
		ack_expect(world, order.id);
		step_expect(world, run, "one", cases[i].want_state, cases[i].want_reason);
		run_expect(world, run, cases[i].want_state, NULL);
	}
	world_stop(world);
	world_free(world);
}

/* The usage of a step is in the reply and survives a restart; unknown figures are left out. */
static void test_usage(void **state)
{
	struct world *world = world_new();
	struct step_usage usage = {.known = 0};
	struct order order;
	json_t *json, *step, *figures;
	uint64_t run;

	world_start(world);
	run = trigger(world, "a", "1", COMMIT_A);
	fetch_answer(world, COMMIT_A, one);
	order_expect(world, &order);
	step_usage_set(&usage, STEP_USAGE_CPU, 12300000);
	step_usage_set(&usage, STEP_USAGE_MEMORY_PEAK, 1ULL << 60);
	step_usage_set(&usage, STEP_USAGE_IO_WRITE, 0);
	step_usage_set(&usage, STEP_USAGE_WAIT_IO, 9);
	order_used(world, order.id, STEP_RESULT_EXITED, 0, "", &usage);
	ack_expect(world, order.id);
	world_kill(world);
	world_start(world);
	json = ask(world, ASK(.verb = API_RUN, .run = run));
	step = json_array_get(json_object_get(json, "steps"), 0);
	for (int i = 0; i < 2; i++) {
		figures = json_object_get(step, "usage");
		assert_int_equal(json_object_size(figures), 4);
		assert_int_equal(number(figures, "cpu_usec"), 12300000);
		assert_int_equal(number(figures, "memory_peak"), 1ULL << 53);
		assert_int_equal(number(figures, "io_write"), 0);
		assert_int_equal(number(figures, "wait_io_usec"), 9);
		step = json_array_get(json_object_get(step, "attempts"), 0);
	}
	json_decref(json);
	world_stop(world);
	world_free(world);
}

static void test_limits(void **state)
{
	struct world *world = world_new();
	struct order first, second;
	uint64_t run_1, run_2;
	json_t *json;

	world->max_running = 1;
	world_start(world);
	run_1 = trigger(world, "b", "1", COMMIT_A);
	fetch_answer(world, COMMIT_A, one);
	order_expect(world, &first);
	run_2 = trigger(world, "b", "2", COMMIT_B);
	fetch_answer(world, COMMIT_B, one);
	step_expect(world, run_2, "one", "ready", "project limit 1 reached");
	json = ask(world, ASK(.verb = API_QUEUE));
	assert_int_equal(number(json, "running"), 1);
	assert_int_equal(number(json, "limit"), 1);
	json_decref(json);
	order_exited(world, first.id, 0);
	order_expect(world, &second);
	assert_int_equal(second.run, run_2);
	run_expect(world, run_1, "succeeded", "");
	/* paused: accepted and held */
	json_decref(ask(world, ASK(.verb = API_PROJECT_PAUSE, .project = "a")));
	run_1 = trigger(world, "a", "3", COMMIT_A);
	fetch_answer(world, COMMIT_A, one);
	order_exited(world, second.id, 0);
	ack_expect(world, second.id);
	step_expect(world, run_1, "one", "ready", "project is paused");
	world_kill(world); /* it stays paused */
	world_start(world);
	step_expect(world, run_1, "one", "ready", "project is paused");
	json_decref(ask(world, ASK(.verb = API_PROJECT_UNPAUSE, .project = "a")));
	order_expect(world, &first);
	assert_int_equal(first.run, run_1);
	world_stop(world);
	world_free(world);
}

static uint64_t cancel_expect(struct world *world)
{
	struct message *message = fixture_receive(world->daemon, MESSAGE_STEP_CANCEL);
	uint64_t order = cancelled_order(message);

	(void)message_free(message);
	return order;
}

static void test_cancel(void **state)
{
	struct world *world = world_new();
	struct order top, apart;
	uint64_t run;
	json_t *json;

	world_start(world);
	/* cancelled during the fetch */
	run = trigger(world, "a", "1", COMMIT_B);
	json_decref(ask(world, ASK(.verb = API_RUN_CANCEL, .run = run)));
	run_expect(world, run, "cancelled", "cancelled");
	assert_int_equal(ask_refused(world, ASK(.verb = API_RUN_CANCEL, .run = run)), 409);
	assert_int_equal(ask_refused(world, ASK(.verb = API_RUN_CANCEL, .run = 999)), 404);
	fetch_answer(world, COMMIT_B, one); /* too late: ignored */
	assert_true(fixture_quiet(world->daemon));
	/* cancelled while it runs */
	run = trigger(world, "a", "2", COMMIT_A);
	fetch_answer(world, COMMIT_A, diamond);
	order_expect(world, &top);
	order_expect(world, &apart);
	assert_int_equal(ask_refused(world, ASK(.verb = API_RUN_CANCEL, .run = run, .step = "no")),
			 404);
	json = ask(world, ASK(.verb = API_RUN_CANCEL, .run = run));
	assert_int_equal(number(json, "cancelled"), 5);
	json_decref(json);
	assert_int_equal(cancel_expect(world), top.id);
	assert_int_equal(cancel_expect(world), apart.id);
	step_expect(world, run, "bottom", "cancelled", "cancelled");
	run_expect(world, run, "running", "");
	order_result(world, top.id, STEP_RESULT_CANCELLED, 0, "");
	order_exited(world, apart.id, 0); /* it ended before the cancel arrived */
	ack_expect(world, top.id);
	ack_expect(world, apart.id);
	run_expect(world, run, "cancelled", "cancelled");
	step_expect(world, run, "apart", "succeeded", "");
	world_stop(world);
	world_free(world);
}

static void test_cancel_step(void **state)
{
	struct world *world = world_new();
	struct order top, apart;
	uint64_t run;

	world_start(world);
	run = trigger(world, "a", "1", COMMIT_A);
	fetch_answer(world, COMMIT_A, diamond);
	order_expect(world, &top);
	order_expect(world, &apart);
	json_decref(ask(world, ASK(.verb = API_RUN_CANCEL, .run = run, .step = "right side")));
	step_expect(world, run, "right_side", "cancelled", "cancelled");
	step_expect(world, run, "bottom", "skipped", "dependency \"right side\" was cancelled");
	json_decref(ask(world, ASK(.verb = API_RUN_CANCEL, .run = run, .step = "top")));
	assert_int_equal(cancel_expect(world), top.id);
	/* the request survives a kill of the scheduler: the daemon gets it again */
	world_kill(world);
	world_start_unsynced(world);
	order_started(world, top.id);
	order_started(world, apart.id);
	world_sync(world);
	assert_int_equal(cancel_expect(world), top.id);
	order_result(world, top.id, STEP_RESULT_CANCELLED, 0, "");
	ack_expect(world, top.id);
	step_expect(world, run, "left", "skipped", "dependency \"top\" was cancelled");
	order_exited(world, apart.id, 0);
	ack_expect(world, apart.id);
	run_expect(world, run, "cancelled", "step \"top\" was cancelled");
	world_stop(world);
	world_free(world);
}

static void test_retry_run(void **state)
{
	struct world *world = world_new();
	struct order order;
	uint64_t run, retried;
	json_t *json;

	world_start(world);
	run = trigger(world, "a", "1", COMMIT_A);
	fetch_answer(world, COMMIT_A, one);
	order_expect(world, &order);
	assert_int_equal(ask_refused(world, ASK(.verb = API_RUN_RETRY, .run = run)), 409);
	order_exited(world, order.id, 1);
	ack_expect(world, order.id);
	json = ask(world, ASK(.verb = API_RUN_RETRY, .run = run));
	retried = (uint64_t)number(json, "run");
	json_decref(json);
	assert_true(retried > run);
	/* the tree is fetched again; what its runbook says now does not matter */
	fetch_answer(world, COMMIT_A, "steps:\n  - name: other\n    command: other\n");
	order_expect(world, &order);
	assert_string_equal(order.slug, "one");
	assert_int_equal(order.run, retried);
	order_exited(world, order.id, 0);
	ack_expect(world, order.id);
	json = ask(world, ASK(.verb = API_RUN, .run = retried));
	assert_int_equal(number(json, "retry_of"), run);
	assert_string_equal(member(json, "state"), "succeeded");
	json_decref(json);
	run_expect(world, run, "failed", NULL);
	world_stop(world);
	world_free(world);
}

static void test_retry_step(void **state)
{
	struct world *world = world_new();
	struct order top, apart, left, right, bottom;
	uint64_t run;
	json_t *json, *step;

	world_start(world);
	run = trigger(world, "a", "1", COMMIT_A);
	fetch_answer(world, COMMIT_A, diamond);
	order_expect(world, &top);
	order_expect(world, &apart);
	assert_int_equal(ask_refused(world, ASK(.verb = API_RUN_RETRY, .run = run, .step = "top")),
			 409);
	order_exited(world, apart.id, 0);
	order_exited(world, top.id, 0);
	order_expect(world, &left);
	order_expect(world, &right);
	order_exited(world, left.id, 1);
	order_exited(world, right.id, 0);
	ack_expect(world, left.id);
	ack_expect(world, right.id);
	run_expect(world, run, "failed", NULL);
	assert_int_equal(
		ask_refused(world, ASK(.verb = API_RUN_RETRY, .run = run, .step = "bottom")), 409);
	json_decref(ask(world, ASK(.verb = API_RUN_RETRY, .run = run, .step = "left")));
	run_expect(world, run, "running", NULL);
	order_expect(world, &left);
	assert_string_equal(left.slug, "left");
	assert_int_equal(left.attempt, 2);
	step_expect(world, run, "bottom", "pending", "waits for \"left\"");
	order_exited(world, left.id, 0);
	order_expect(world, &bottom);
	assert_int_equal(bottom.attempt, 1);
	order_exited(world, bottom.id, 0);
	ack_expect(world, bottom.id);
	json = ask(world, ASK(.verb = API_RUN, .run = run));
	assert_string_equal(member(json, "state"), "succeeded");
	step = json_array_get(json_object_get(json, "steps"), 1);
	assert_int_equal(json_array_size(json_object_get(step, "attempts")), 2);
	assert_int_equal(number(step, "attempt"), 2);
	assert_int_equal(number(step, "log_bytes"), 77);
	json_decref(json);
	world_stop(world);
	world_free(world);
}

/* A final step is not retried while the rest of its run is being cancelled. */
static void test_retry_while_cancelled(void **state)
{
	static const char two[] = "steps: [{name: a, command: \"false\"}, {name: b, command: b}]\n";
	struct world *world = world_new();
	struct order a, b;
	uint64_t run;

	world_start(world);
	run = trigger(world, "a", "1", COMMIT_A);
	fetch_answer(world, COMMIT_A, two);
	order_expect(world, &a);
	order_expect(world, &b);
	order_exited(world, a.id, 1);
	ack_expect(world, a.id);
	json_decref(ask(world, ASK(.verb = API_RUN_CANCEL, .run = run)));
	assert_int_equal(cancel_expect(world), b.id);
	assert_int_equal(ask_refused(world, ASK(.verb = API_RUN_RETRY, .run = run, .step = "a")),
			 409);
	order_result(world, b.id, STEP_RESULT_CANCELLED, 0, "");
	ack_expect(world, b.id);
	run_expect(world, run, "cancelled", NULL);
	json_decref(ask(world, ASK(.verb = API_RUN_RETRY, .run = run, .step = "a")));
	order_expect(world, &a);
	assert_int_equal(a.attempt, 2);
	world_stop(world);
	world_free(world);
}

static void test_workspace_and_upload(void **state)
{
	struct world *world = world_new();
	struct message *message;
	struct message_unpack unpack;
	struct order order;
	uint64_t run, serial;
	char tree[80];
	int fd;
	json_t *json;

	world_start(world);
	json = ask(world, ASK(.verb = API_RUN_TRIGGER, .project = "w", .ref = "main"));
	run = (uint64_t)number(json, "run");
	json_decref(json);
	message = fixture_receive(world->daemon, MESSAGE_WORKSPACE_OPEN);
	serial = message->serial;
	(void)message_free(message);
	fd = text_fd(one);
	message = MESSAGE_NEW(workspace_opened, serial, .runbook = fd);
	close(fd);
	assert_int_equal(message_transmit(world->daemon, message), 0);
	order_expect(world, &order);
	assert_int_equal(order.run, run);
	assert_non_null(strstr(order.env, "RUNBOOK_REF=refs/heads/main\n"));
	order_exited(world, order.id, 0);
	ack_expect(world, order.id);

	fd = text_fd("a tar");
	json = ask(world,
		   ASK(.verb = API_RUN_UPLOAD, .project = "copy", .commit = COMMIT_A, .fd = fd));
	close(fd);
	run = (uint64_t)number(json, "run");
	json_decref(json);
	message = fixture_receive(world->fetcher, MESSAGE_UNPACK);
	assert_int_equal(MESSAGE_GET(message, unpack, &unpack), 0);
	assert_string_equal(unpack.project, "copy");
	(void)snprintf(tree, sizeof(tree), "%s", unpack.id);
	assert_int_equal(strlen(tree), 40);
	serial = message->serial;
	(void)message_free(message);
	fetched_send(world, serial, tree, one, NULL);
	order_expect(world, &order);
	assert_int_equal(order.run, run);
	assert_string_equal(order.commit, tree);
	assert_non_null(strstr(order.env, "RUNBOOK_COMMIT=" COMMIT_A "\n"));
	order_exited(world, order.id, 0);
	ack_expect(world, order.id);
	run_expect(world, run, "succeeded", NULL);
	assert_int_equal(ask_refused(world, ASK(.verb = API_RUN_UPLOAD)), 400);
	world_stop(world);
	world_free(world);
}

static void test_pages(void **state)
{
	struct world *world = world_new();
	json_t *json;

	world_start(world);
	for (int i = 1; i <= 5; i++) {
		char delivery[16], commit[41];

		(void)snprintf(delivery, sizeof(delivery), "%d", i);
		(void)snprintf(commit, sizeof(commit), "%040x", i);
		assert_int_equal(trigger(world, i % 2 ? "a" : "b", delivery, commit), i);
	}
	json = ask(world, ASK(.verb = API_RUNS, .limit = 2));
	assert_int_equal(json_array_size(json_object_get(json, "runs")), 2);
	assert_int_equal(number(json, "next"), 4);
	json_decref(json);
	json = ask(world, ASK(.verb = API_RUNS, .limit = 10, .after = 4, .project = "a"));
	assert_int_equal(json_array_size(json_object_get(json, "runs")), 2);
	assert_true(json_is_null(json_object_get(json, "next")));
	json_decref(json);
	json = ask(world, ASK(.verb = API_STATUS));
	assert_int_equal(number(json_object_get(json, "runs"), "pending"), 5);
	assert_int_equal(number(json, "projects"), 3);
	json_decref(json);
	json = ask(world, ASK(.verb = API_PROJECTS));
	assert_int_equal(json_array_size(json_object_get(json, "projects")), 3);
	json_decref(json);
	json = ask(world, ASK(.verb = API_PROJECT, .project = "a"));
	assert_int_equal(number(json_object_get(json, "last_run"), "id"), 5);
	json_decref(json);
	json = ask(world, ASK(.verb = API_EVENTS, .after = 2, .limit = 2));
	assert_int_equal(number(json, "next"), 4);
	json_decref(json);
	assert_int_equal(ask_refused(world, ASK(.verb = API_RUN, .run = 77)), 404);
	assert_int_equal(ask_refused(world, ASK(.verb = API_RUN)), 404);
	assert_int_equal(ask_refused(world, ASK(.verb = API_RUNBOOK, .run = 1)), 404);
	assert_int_equal(ask_refused(world, ASK(.verb = API_PROJECT, .project = "zz")), 404);
	assert_int_equal(ask_refused(world, ASK(.verb = API_PROJECT, .project = "../x")), 400);
	assert_int_equal(ask_refused(world, ASK(.verb = API_PROJECT_PAUSE)), 400);
	assert_int_equal(ask_refused(world, ASK(.verb = (enum api_verb)99)), 501);
	assert_int_equal(
		ask_refused(world, ASK(.verb = API_RUN_TRIGGER, .project = "a", .commit = "abc")),
		400);
	world_stop(world);
	world_free(world);
}

static void test_events_pushed(void **state)
{
	struct world *world = world_new();
	struct message_event pushed;
	struct message *message;
	json_t *event;

	world_start(world);
	(void)trigger(world, "a", "1", COMMIT_A);
	message = fixture_receive(world->api, MESSAGE_EVENT);
	assert_int_equal(MESSAGE_GET(message, event, &pushed), 0);
	assert_int_equal(pushed.id, 1);
	assert_int_equal(pushed.run, 1);
	event = json_loads(pushed.json, 0, NULL);
	assert_string_equal(member(event, "type"), "run");
	assert_string_equal(member(event, "to"), "pending");
	json_decref(event);
	(void)message_free(message);
	world_stop(world);
	world_free(world);
}

/* One turn makes more events than are queued for the api: it gets all of them, in order. */
static void test_events_behind(void **state)
{
	enum { N_STEPS = 10000 };
	struct world *world = world_new();
	cleanup_free char *runbook = malloc(N_STEPS * 40 + 16);
	size_t length = (size_t)sprintf(runbook, "steps:\n");

	for (int i = 0; i < N_STEPS; i++)
		length += (size_t)sprintf(runbook + length, "  - {name: s%d, command: x}\n", i);
	world_start_unsynced(world);
	(void)trigger(world, "a", "1", COMMIT_A);
	fetch_answer(world, COMMIT_A, runbook);
	for (uint64_t id = 1; id <= N_STEPS + 1; id++) {
		struct message *message = fixture_receive(world->api, MESSAGE_EVENT);
		struct message_event pushed;

		assert_int_equal(MESSAGE_GET(message, event, &pushed), 0);
		assert_int_equal(pushed.id, id);
		(void)message_free(message);
	}
	/* later events arrive as before */
	json_decref(ask(world, ASK(.verb = API_RUN_CANCEL, .run = 1, .step = "s17")));
	world_stop(world);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_step),
		cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_bad_runbook),
		cmocka_unit_test(test_diamond),
		cmocka_unit_test(test_failure_skips),
		cmocka_unit_test(test_results),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_cancel_step),
		cmocka_unit_test(test_retry_run),
		cmocka_unit_test(test_retry_step),
		cmocka_unit_test(test_retry_while_cancelled),
		cmocka_unit_test(test_workspace_and_upload),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_events_pushed),
		cmocka_unit_test(test_events_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
