/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions, allowed failures, attempts, matrices, and the directory and user of a step. */
#include "scheduler/engine/run.h"
#include "scheduler/engine/step_identity.h"
#include "tests/unit/scheduler_world.h"

#include <signal.h>
#include <sys/socket.h>

/* The next order must be for @slug; end it with @code. Return: its attempt. */
static uint64_t play(struct world *world, const char *slug, uint64_t code)
{
	struct order order;

	order_expect(world, &order);
	assert_string_equal(order.slug, slug);
	order_exited(world, order.id, code);
	return order.attempt;
}

/* The run has ended and its last reply is here: no order was sent before it. */
static void nothing_more(struct world *world)
{
	for (;;) {
		struct timeval none = {.tv_usec = 1}, timeout = {.tv_sec = WAIT_SEC};
		cleanup_message struct message *message = NULL;

		(void)setsockopt(world->daemon, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none));
		message = fixture_receive_any(world->daemon, false);
		(void)setsockopt(world->daemon, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
		if (!message)
			return;
		assert_true(message->type == MESSAGE_STEP_ACK ||
			    message->type == MESSAGE_STEP_CANCEL);
	}
}

static void run_ends(struct world *world, uint64_t run, const char *state, const char *reason)
{
	for (int i = 0; i < 1000; i++) {
		json_t *json = ask(world, ASK(.verb = API_RUN, .run = run));
		bool ended = number(json, "ended_usec") != 0;

		json_decref(json);
		if (ended)
			break;
		(void)usleep(10000);
	}
	run_expect(world, run, state, reason);
}

static json_t *step_of(const json_t *run, const char *slug)
{
	json_t *step;
	size_t i;

	json_array_foreach (json_object_get(run, "steps"), i, step) {
		if (strcmp(member(step, "slug"), slug) == 0)
			return step;
	}
	fail_msg("no step %s", slug);
	return NULL;
}

static const char statuses[] =
	"steps:\n"
	"  - {name: test, command: 'true'}\n"
	"  - {name: publish, command: 'true', depends_on: [test]}\n"
	"  - {name: mourn, command: 'true', depends_on: [publish], when: failure}\n"
	"  - {name: tidy, command: 'true', depends_on: [publish], when: always}\n"
	"  - {name: last, command: 'true', depends_on: [tidy]}\n";

static void test_statuses(void **state)
{
	struct world *world = world_new();
	uint64_t run;

	world->max_running = 1;
	world_start(world);
	run = run_start(world, statuses);
	(void)play(world, "test", 1);
	/* the failure is two steps above the one that waits for it */
	(void)play(world, "mourn", 0);
	(void)play(world, "tidy", 0);
	(void)play(world, "last", 0);
	run_ends(world, run, "failed", "step \"test\" failed");
	step_expect(world, run, "publish", "skipped", "dependency \"test\" failed");

	run = run_start(world, statuses);
	(void)play(world, "test", 0);
	(void)play(world, "publish", 0);
	(void)play(world, "tidy", 0);
	(void)play(world, "last", 0);
	run_ends(world, run, "succeeded", "");
	step_expect(world, run, "mourn", "skipped", "when: failure: no step before it failed");
	world_stop(world);
	world_free(world);
}

/* A step that waits for failures waits until everything above it has ended. */
static void test_settling(void **state)
{
	static const char runbook[] =
		"steps:\n"
		"  - {name: slow, command: 'true'}\n"
		"  - {name: stopped, command: 'true'}\n"
		"  - {name: both, command: 'true', depends_on: [slow, stopped]}\n"
		"  - {name: mourn, command: 'true', depends_on: [both], when: failure}\n";
	struct world *world = world_new();
	struct order slow, stopped;
	uint64_t run;

	world_start(world);
	run = run_start(world, runbook);
	order_expect(world, &slow);
	order_expect(world, &stopped);
	json_decref(ask(world, ASK(.verb = API_RUN_CANCEL, .run = run, .step = "stopped")));
	order_result(world, stopped.id, STEP_RESULT_CANCELLED, 0, "");
	json_decref(ask(world, ASK(.verb = API_STATUS)));
	/* skipped at once, but steps above it may still fail */
	for (int i = 0; i < 100; i++) {
		json_t *json = ask(world, ASK(.verb = API_RUN, .run = run));
		bool skipped = strcmp(member(step_of(json, "both"), "state"), "skipped") == 0;

		json_decref(json);
		if (skipped)
			break;
		(void)usleep(10000);
	}
	step_expect(world, run, "both", "skipped", "dependency \"stopped\" was cancelled");
	step_expect(world, run, "mourn", "pending", "waits for \"both\"");
	world_kill(world);
	world_start_unsynced(world);
	order_started(world, slow.id);
	world_sync(world);
	order_exited(world, slow.id, 1);
	(void)play(world, "mourn", 0);
	run_ends(world, run, "failed", "step \"slow\" failed");
	world_stop(world);
	world_free(world);
}

static void test_cancelled_run(void **state)
{
	struct world *world = world_new();
	struct order order;
	uint64_t run;

	world_start(world);
	run = run_start(world, statuses);
	order_expect(world, &order);
	json_decref(ask(world, ASK(.verb = API_RUN_CANCEL, .run = run)));
	order_result(world, order.id, STEP_RESULT_CANCELLED, 0, "");
	run_ends(world, run, "cancelled", "cancelled");
	step_expect(world, run, "tidy", "cancelled", "cancelled");
	step_expect(world, run, "mourn", "cancelled", "cancelled");
	nothing_more(world);
	world_stop(world);
	world_free(world);
}

static const char conditions[] =
	"steps:\n"
	"  - {name: here, command: 'true', when: {branch: [main, 'release/*'], event: [push]}}\n"
	"  - {name: other, command: 'true', when: {branch: [dev, stable]}}\n"
	"  - {name: tagged, command: 'true', when: {event: [tag, schedule]}}\n"
	"  - {name: after, command: 'true', depends_on: [other]}\n"
	"  - {name: anyway, command: 'true', depends_on: [tagged], when: always}\n";

static void test_conditions(void **state)
{
	struct world *world = world_new();
	uint64_t run;

	world->max_running = 1;
	world_start(world);
	run = run_start(world, conditions);
	step_expect(world, run, "other", "skipped", "when.branch: \"main\" is not in dev, stable");
	step_expect(world, run, "tagged", "skipped",
		    "when.event: the run's is push, not tag or schedule");
	step_expect(world, run, "after", "skipped", "dependency \"other\" was skipped");
	/* the decision stays, whatever is retried */
	world_kill(world);
	world_start(world);
	assert_int_equal(
		ask_refused(world, ASK(.verb = API_RUN_RETRY, .run = run, .step = "other")), 409);
	(void)play(world, "here", 0);
	(void)play(world, "anyway", 0);
	run_ends(world, run, "succeeded", "");
	world_stop(world);
	world_free(world);
}

/* A run without a step to run succeeds, without ever having run. */
static void test_nothing_to_do(void **state)
{
	struct world *world = world_new();
	uint64_t run;

	world_start(world);
	run = run_start(world, "steps:\n"
			       "  - {name: tagged, command: 'true', when: {event: tag}}\n"
			       "  - {name: after, command: 'true', depends_on: [tagged]}\n");
	run_ends(world, run, "succeeded", "");
	step_expect(world, run, "after", "skipped", "dependency \"tagged\" was skipped");
	world_stop(world);
	world_free(world);
}

static void test_paths(void **state)
{
	static const char runbook[] =
		"steps:\n"
		"  - {name: docs, command: 'true', when: {paths: ['docs/**', '!docs/old/**']}}\n"
		"  - {name: code, command: 'true', when: {paths: ['src/**']}}\n";
	struct world *world = world_new();
	uint64_t run;

	world->max_running = 1;
	world_start(world);
	run = trigger(world, "a", "1", COMMIT_A);
	fetched_send_changed(world, fetch_expect(world, COMMIT_A), COMMIT_A, runbook, NULL,
			     "README\nsrc/a/b.c\ndocs/old/x\n");
	(void)play(world, "code", 0);
	run_ends(world, run, "succeeded", "");
	step_expect(world, run, "docs", "skipped",
		    "when.paths: no changed path is in docs/**, !docs/old/**");
	/* the changed paths are unknown: any path may have changed */
	run = run_start(world, runbook);
	(void)play(world, "docs", 0);
	(void)play(world, "code", 0);
	run_ends(world, run, "succeeded", "");
	world_stop(world);
	world_free(world);
}

static void test_allowed(void **state)
{
	static const char runbook[] =
		"steps:\n"
		"  - {name: lint, command: 'true', allow_failure: true}\n"
		"  - {name: build, command: 'true', depends_on: [lint]}\n"
		"  - {name: mourn, command: 'true', depends_on: [lint], when: failure}\n";
	struct world *world = world_new();
	uint64_t run;
	json_t *json;

	world->max_running = 1;
	world_start(world);
	run = run_start(world, runbook);
	(void)play(world, "lint", 4);
	(void)play(world, "build", 0);
	run_ends(world, run, "succeeded", "step \"lint\" failed, which is allowed");
	step_expect(world, run, "mourn", "skipped", NULL);
	json = ask(world, ASK(.verb = API_RUN, .run = run));
	assert_string_equal(member(step_of(json, "lint"), "state"), "failed");
	assert_true(json_is_true(json_object_get(step_of(json, "lint"), "allow_failure")));
	assert_false(json_is_true(json_object_get(step_of(json, "build"), "allow_failure")));
	json_decref(json);
	world_stop(world);
	world_free(world);
}

static const char again[] = "steps:\n"
			    "  - {name: flaky, command: 'true', attempts: 3, timeout: 5s}\n"
			    "  - {name: then, command: 'true', depends_on: [flaky]}\n";

static void attempts_expect(struct world *world, uint64_t run, const char *slug,
			    const char *const *wanted, size_t n)
{
	json_t *json = ask(world, ASK(.verb = API_RUN, .run = run));
	json_t *attempts = json_object_get(step_of(json, slug), "attempts");

	assert_int_equal(json_array_size(attempts), n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(number(json_array_get(attempts, i), "attempt"), i + 1);
		assert_string_equal(member(json_array_get(attempts, i), "reason"), wanted[i]);
	}
	json_decref(json);
}

static void test_attempts(void **state)
{
	static const char *const reasons[] = {"exit code 1", "timeout after 5s", ""};
	struct world *world = world_new();
	struct order order;
	uint64_t run;
	json_t *json;

	world_start(world);
	run = run_start(world, again);
	assert_int_equal(play(world, "flaky", 1), 1);
	/* a restart in between changes nothing */
	order_expect(world, &order);
	assert_int_equal(order.attempt, 2);
	assert_int_equal(order.timeout_msec, 5000);
	world_kill(world);
	world_start_unsynced(world);
	order_started(world, order.id);
	world_sync(world);
	order_result(world, order.id, STEP_RESULT_TIMEOUT, 0, "");
	assert_int_equal(play(world, "flaky", 0), 3);
	(void)play(world, "then", 0);
	run_ends(world, run, "succeeded", "");
	attempts_expect(world, run, "flaky", reasons, 3);
	json = ask(world, ASK(.verb = API_EVENTS, .run = run));
	/*
	 * 1 run pending, 2 flaky ready, 3 run running, 4-7 running, failed, pending, ready, 8-11
	 * the same again, 12, 13 running, succeeded, 14 then ready, 15, 16 its, 17 run succeeded;
	 * the first pending -> ready of "flaky" is 2
	 */
	assert_int_equal(json_array_size(json_object_get(json, "events")), 17);
	json_decref(json);
	world_stop(world);
	world_free(world);
}

static void test_attempts_end(void **state)
{
	static const char *const reasons[] = {"exit code 1", "exit code 2", "exit code 3",
					      "exit code 4", "exit code 5", "exit code 6"};
	struct world *world = world_new();
	uint64_t run;

	world_start(world);
	run = run_start(world, again);
	for (uint64_t i = 1; i <= 3; i++)
		assert_int_equal(play(world, "flaky", i), i);
	run_ends(world, run, "failed", "step \"flaky\" failed");
	step_expect(world, run, "then", "skipped", "dependency \"flaky\" failed");
	/* by hand: a new budget, in addition to the old attempts */
	json_decref(ask(world, ASK(.verb = API_RUN_RETRY, .run = run, .step = "flaky")));
	for (uint64_t i = 4; i <= 6; i++)
		assert_int_equal(play(world, "flaky", i), i);
	run_ends(world, run, "failed", "step \"flaky\" failed");
	attempts_expect(world, run, "flaky", reasons, 6);
	nothing_more(world);
	world_stop(world);
	world_free(world);
}

static void test_no_attempt_after_cancel(void **state)
{
	struct world *world = world_new();
	struct order order;
	uint64_t run;

	world_start(world);
	run = run_start(world, again);
	order_expect(world, &order);
	json_decref(ask(world, ASK(.verb = API_RUN_CANCEL, .run = run, .step = "flaky")));
	order_exited(world, order.id, 143); /* it ended by itself, within the grace period */
	run_ends(world, run, "failed", NULL);
	nothing_more(world);
	world_stop(world);
	world_free(world);
}

static void test_host_lost(void **state)
{
	struct world *world = world_new();
	struct order order;
	uint64_t run;

	world_start(world);
	run = run_start(world, again);
	order_expect(world, &order);
	world_kill(world);
	world->instance = "instance-2";
	world_start(world);
	assert_int_equal(play(world, "flaky", 0), 2);
	(void)play(world, "then", 0);
	run_ends(world, run, "succeeded", "");
	world_stop(world);
	world_free(world);
}

static void send_stopping(struct world *world)
{
	assert_int_equal(message_transmit(world->daemon, MESSAGE_NEW(steps_stopping, 0)), 0);
}

static void test_interruptible(void **state)
{
	static const char runbook[] = "steps:\n"
				      "  - {name: soft, command: 'true', interruptible: true}\n"
				      "  - {name: hard, command: 'true'}\n"
				      "  - {name: queued, command: 'true'}\n";
	struct world *world = world_new();
	struct order soft, hard;
	uint64_t run;

	world->max_running = 2;
	world_start(world);
	run = run_start(world, runbook);
	order_expect(world, &soft);
	order_expect(world, &hard);
	send_stopping(world);
	order_result(world, soft.id, STEP_RESULT_CANCELLED, 0, "cancelled: runbookd was stopped");
	order_result(world, hard.id, STEP_RESULT_CANCELLED, 0, "cancelled: runbookd was stopped");
	ack_expect(world, soft.id);
	ack_expect(world, hard.id);
	assert_true(fixture_quiet(world->daemon)); /* a daemon that stops gets no more orders */
	step_expect(world, run, "hard", "cancelled", "cancelled: runbookd was stopped");
	step_expect(world, run, "soft", "ready", "runbookd is stopping");
	step_expect(world, run, "queued", "ready", "runbookd is stopping");
	world_kill(world);
	world->instance = "instance-2";
	world_start(world);
	assert_int_equal(play(world, "soft", 0), 2);
	(void)play(world, "queued", 0);
	run_ends(world, run, "cancelled", "step \"hard\" was cancelled");
	world_stop(world);
	world_free(world);
}

static const char matrix[] =
	"steps:\n"
	"  - name: test\n"
	"    command: 'true'\n"
	"    matrix: {n: [1, 2, 3, 4], fail_fast: true}\n"
	"  - {name: after, command: 'true', depends_on: [test]}\n"
	"  - {name: mourn, command: 'true', depends_on: [test], when: failure}\n";

static void test_fail_fast(void **state)
{
	struct world *world = world_new();
	struct order first, second;
	cleanup_message struct message *message = NULL;
	uint64_t run;

	world->max_running = 2;
	world_start(world);
	run = run_start(world, matrix);
	order_expect(world, &first);
	order_expect(world, &second);
	assert_non_null(strstr(first.env, "n=1\n"));
	order_exited(world, first.id, 1);
	/* the acknowledgement and the cancel leave in one turn */
	while ((message = fixture_receive_any(world->daemon, false)) &&
	       message->type == MESSAGE_STEP_ACK)
		message = message_free(message);
	assert_non_null(message);
	assert_int_equal(message->type, MESSAGE_STEP_CANCEL);
	assert_int_equal(cancelled_order(message), second.id);
	order_result(world, second.id, STEP_RESULT_CANCELLED, 0, "cancelled");
	(void)play(world, "mourn", 0);
	run_ends(world, run, "failed", "step \"test (n=1)\" failed");
	step_expect(world, run, second.slug, "cancelled",
		    "cancelled: \"test (n=1)\" failed, and its matrix has fail_fast");
	step_expect(world, run, "after", "skipped", NULL);
	/* retry everything: what failed and what was cancelled because of it */
	json_decref(ask(world, ASK(.verb = API_RUN_RETRY, .run = run, .failed = true)));
	for (int i = 0; i < 4; i++) {
		struct order order;

		order_expect(world, &order);
		order_exited(world, order.id, 0);
	}
	(void)play(world, "after", 0);
	run_ends(world, run, "succeeded", "");
	step_expect(world, run, "mourn", "skipped", "when: failure: no step before it failed");
	assert_int_equal(ask_refused(world, ASK(.verb = API_RUN_RETRY, .run = run, .failed = true)),
			 409);
	world_stop(world);
	world_free(world);
}

static void test_matrix_limit(void **state)
{
	static const char runbook[] = "steps:\n"
				      "  - name: test\n"
				      "    command: 'true'\n"
				      "    matrix: {n: [1, 2, 3], limit: 1}\n"
				      "  - {name: apart, command: 'true'}\n";
	struct world *world = world_new();
	struct order order, apart;
	uint64_t run;
	json_t *json;

	world_start(world);
	run = run_start(world, runbook);
	order_expect(world, &order);
	order_expect(world, &apart);
	assert_string_equal(apart.slug, "apart");
	assert_true(fixture_quiet(world->daemon));
	json = ask(world, ASK(.verb = API_RUN, .run = run));
	assert_non_null(strstr(member(json_array_get(json_object_get(json, "steps"), 1), "reason"),
			       "limit 1"));
	json_decref(json);
	world_kill(world);
	world_start_unsynced(world);
	order_started(world, order.id);
	order_started(world, apart.id);
	world_sync(world);
	assert_true(fixture_quiet(world->daemon)); /* the steps that still run count */
	order_exited(world, apart.id, 0);
	order_exited(world, order.id, 0);
	for (int i = 0; i < 2; i++) {
		order_expect(world, &order);
		order_exited(world, order.id, 0);
	}
	run_ends(world, run, "succeeded", "");
	world_stop(world);
	world_free(world);
}

static void test_place(void **state)
{
	static const char runbook[] =
		"steps:\n"
		"  - {name: plain, command: 'true'}\n"
		"  - {name: as user, command: 'true', user: user, workdir: sub/dir, tty: true}\n"
		"  - {name: by number, command: 'true', user: '7:8', workdir: /tmp}\n"
		"  - {name: nobody knows, command: 'true', user: somebody}\n";
	struct world *world = world_new();
	struct order order;
	uint64_t run;

	world_start(world);
	run = run_start(world, runbook);
	order_expect(world, &order);
	assert_string_equal(order.workdir, "");
	assert_int_equal(order.uid, 0);
	assert_int_equal(order.tty, 0);
	assert_non_null(strstr(order.env, "USER=root\n"));
	assert_non_null(strstr(order.env, "TERM=dumb\n"));
	order_exited(world, order.id, 0);
	order_expect(world, &order);
	assert_string_equal(order.workdir, "/workspace/sub/dir");
	assert_int_equal(order.uid, 1000);
	assert_int_equal(order.gid, 1000);
	assert_int_equal(order.tty, 1);
	assert_non_null(strstr(order.env, "USER=user\n"));
	assert_non_null(strstr(order.env, "TERM=xterm\n"));
	order_exited(world, order.id, 0);
	order_expect(world, &order);
	assert_string_equal(order.workdir, "/tmp");
	assert_int_equal(order.uid, 7);
	assert_int_equal(order.gid, 8);
	assert_null(strstr(order.env, "USER="));
	order_exited(world, order.id, 0);
	run_ends(world, run, "errored", "step \"nobody knows\" errored");
	step_expect(world, run, "nobody_knows", "errored",
		    "user \"somebody\" is not in the image's /etc/passwd: name one that is, or "
		    "give its number");
	world_stop(world);
	world_free(world);
}

static void test_workdir(void **state)
{
	static const struct {
		const char *given, *wanted;
	} cases[] = {
		{"a", "/workspace/a"},	  {"./a//b/", "/workspace/a/b"},
		{".", "/workspace"},	  {"..", "/"},
		{"../../../etc", "/etc"}, {"/", "/"},
		{"/a/./b/../c", "/a/c"},  {"/..", "/"},
	};
	char path[64];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(step_workdir(cases[i].given, path, sizeof(path)), 0);
		assert_string_equal(path, cases[i].wanted);
	}
	assert_int_equal(step_workdir("/aaaaaaaaaa/bbbbbbbbbb", path, 16), -ENAMETOOLONG);
}

/* The retry of a handler's cause resets the handler as well. */
static void test_retry_handlers(void **state)
{
	struct world *world = world_new();
	uint64_t run;

	world->max_running = 1;
	world_start(world);
	run = run_start(world, statuses);
	(void)play(world, "test", 1);
	(void)play(world, "mourn", 0);
	(void)play(world, "tidy", 0);
	(void)play(world, "last", 0);
	run_ends(world, run, "failed", NULL);
	assert_int_equal(
		ask_refused(world, ASK(.verb = API_RUN_RETRY, .run = run, .step = "publish")), 409);
	json_decref(ask(world, ASK(.verb = API_RUN_RETRY, .run = run, .step = "test")));
	assert_int_equal(play(world, "test", 0), 2);
	assert_int_equal(play(world, "publish", 0), 1);
	assert_int_equal(play(world, "tidy", 0), 2);
	run_ends(world, run, "succeeded", "");
	step_expect(world, run, "mourn", "skipped", "when: failure: no step before it failed");
	step_expect(world, run, "last", "succeeded", "");
	world_stop(world);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_settling),
		cmocka_unit_test(test_cancelled_run),
		cmocka_unit_test(test_conditions),
		cmocka_unit_test(test_nothing_to_do),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_attempts),
		cmocka_unit_test(test_attempts_end),
		cmocka_unit_test(test_no_attempt_after_cancel),
		cmocka_unit_test(test_host_lost),
		cmocka_unit_test(test_interruptible),
		cmocka_unit_test(test_fail_fast),
		cmocka_unit_test(test_matrix_limit),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_workdir),
		cmocka_unit_test(test_retry_handlers),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
