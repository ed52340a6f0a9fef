/* SPDX-License-Identifier: Apache-2.0 */
/* What starts a run, how runs exclude each other, and the time that they have. */
#include "tests/unit/scheduler_fixture.h"

#include "scheduler/store.h"

#include <time.h>

#define COMMIT_C "cccccccccccccccccccccccccccccccccccccccc"
#define COMMIT_D "dddddddddddddddddddddddddddddddddddddddd"
#define STEPS "steps:\n  - {name: one, command: 'true'}\n"
#define TWO                                                                                        \
	"steps:\n  - {name: one, command: 'true'}\n"                                               \
	"  - {name: two, command: 'true', depends_on: [one]}\n"

/* ---- what comes in ---- */

struct pushed {
	const char *delivery, *event, *ref, *before, *after, *base;
	uint64_t pull_request, fork;
};

static uint64_t push(struct world *world, const struct pushed *pushed)
{
	struct message *message = message_new(MESSAGE_TRIGGER, ++world->serial);

	message_put_string(message, "a");
	message_put_string(message, "github");
	message_put_string(message, pushed->delivery);
	message_put_string(message, pushed->event ? pushed->event : "push");
	message_put_string(message, pushed->ref ? pushed->ref : "refs/heads/main");
	message_put_string(message, pushed->before);
	message_put_string(message, pushed->after);
	message_put_string(message, "somebody");
	message_put_string(message, "a title");
	message_put_u64(message, pushed->pull_request);
	message_put_string(message, pushed->base);
	message_put_u64(message, pushed->fork);
	assert_int_equal(message_transmit(world->webhook, message), 0);
	return trigger_accepted(world, 0);
}

/* What was sent to it on any channel before is done when it answers. */
static void settle(struct world *world)
{
	json_decref(ask(world, ASK(.verb = API_STATUS)));
}

/* The tree of @commit is there, with the changed paths (NULL: not known; lines). */
static void arrive(struct world *world, const char *commit, const char *runbook, const char *paths)
{
	uint64_t serial = fetch_expect(world, commit);

	fetched_send_changed(world, serial, commit[0] ? commit : COMMIT_A, runbook, NULL, paths);
	settle(world);
}

/* Run and step, from the push to the order. */
static uint64_t started(struct world *world, const char *delivery, const char *commit,
			const char *runbook, struct order *order)
{
	uint64_t run = push(world, &(struct pushed){.delivery = delivery, .after = commit});

	arrive(world, commit, runbook, NULL);
	order_expect(world, order);
	assert_int_equal(order->run, run);
	return run;
}

/* ---- on ---- */

static void unwanted_expect(struct world *world, uint64_t run, bool unwanted)
{
	json_t *json = ask(world, ASK(.verb = API_RUN, .run = run));
	bool is = json_is_true(json_object_get(json, "unwanted"));

	if (is != unwanted ||
	    strcmp(member(json, "state"), unwanted ? "cancelled" : "running") != 0)
		fail_msg("run %llu: %s: %s", (unsigned long long)run, member(json, "state"),
			 member(json, "reason"));
	if (unwanted)
		assert_non_null(strstr(member(json, "reason"), "not wanted: "));
	json_decref(json);
}

static void test_filters(void **state)
{
	static const char filtered[] = "on:\n"
				       "  push: {branches: [main, 'release/*'], paths: ['src/**', "
				       "'!src/doc/**']}\n"
				       "  pull_request: {branches: [main]}\n"
				       "  tag: {tags: ['v*']}\n" STEPS;
	const struct {
		struct pushed pushed;
		const char *runbook, *paths;
		bool unwanted;
	} cases[] = {
		{{.ref = "refs/heads/main"}, filtered, "src/a.c\n", false},
		{{.ref = "refs/heads/release/1"}, filtered, "doc\nsrc/x\n", false},
		{{.ref = "refs/heads/release/1/2"}, filtered, "src/x\n", true},
		{{.ref = "refs/heads/main"}, filtered, "src/doc/a\nREADME\n", true},
		{{.ref = "refs/heads/main"}, filtered, "", true},
		{{.ref = "refs/heads/main"}, filtered, NULL, false}, /* not known */
		{{.ref = "refs/heads/other"}, filtered, NULL, true},
		{{.ref = "refs/tags/v1"}, filtered, NULL, false},
		{{.ref = "refs/tags/x1"}, filtered, NULL, true},
		{{.ref = "refs/pull/3/head",
		  .event = "pull_request",
		  .base = "refs/heads/main",
		  .pull_request = 3},
		 filtered,
		 NULL,
		 false},
		{{.ref = "refs/pull/3/head",
		  .event = "pull_request",
		  .base = "refs/heads/other",
		  .pull_request = 3},
		 filtered,
		 NULL,
		 true},
		/* without "on": every branch and pull request, no tag */
		{{.ref = "refs/heads/any/thing"}, STEPS, NULL, false},
		{{.ref = "refs/tags/v1"}, STEPS, NULL, true},
		{{.ref = "refs/pull/4/head",
		  .event = "pull_request",
		  .base = "refs/heads/any",
		  .pull_request = 4},
		 STEPS,
		 NULL,
		 false},
		/* push alone is about branches */
		{{.ref = "refs/tags/v1"}, "on:\n  push: {}\n" STEPS, NULL, true},
	};
	struct world *world = world_new();

	world->max_running = 100;
	world_start(world);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pushed pushed = cases[i].pushed;
		char delivery[16], commit[41];
		uint64_t run;

		(void)snprintf(delivery, sizeof(delivery), "d%zu", i);
		(void)snprintf(commit, sizeof(commit), "%040zx", i + 1);
		pushed.delivery = delivery;
		pushed.after = commit;
		pushed.before = COMMIT_B;
		run = push(world, &pushed);
		arrive(world, commit, cases[i].runbook, cases[i].paths);
		if (!cases[i].unwanted) {
			struct order order;

			order_expect(world, &order);
		}
		unwanted_expect(world, run, cases[i].unwanted);
	}
	world_stop(world);
	world_free(world);
}

static void test_manual_and_retry(void **state)
{
	struct world *world = world_new();
	struct order order;
	json_t *json;

	world_start(world);
	/* somebody asks, but the runbook does not want to be asked */
	json = ask(world, ASK(.verb = API_RUN_TRIGGER, .project = "a"));
	json_decref(json);
	arrive(world, "", "on: {push: {}}\n" STEPS, NULL);
	unwanted_expect(world, 1, true);
	/* the default branch is what "" means, and it is said */
	json = ask(world, ASK(.verb = API_RUN, .run = 1));
	assert_string_equal(member(json, "ref"), "refs/heads/main");
	json_decref(json);
	/* a retry asks for just this run */
	json = ask(world, ASK(.verb = API_RUN_RETRY, .run = 1));
	json_decref(json);
	arrive(world, COMMIT_A, "on: {push: {}}\n" STEPS, NULL);
	order_expect(world, &order);
	assert_int_equal(order.run, 2);
	/* the last run of a project is one that was wanted */
	json = ask(world, ASK(.verb = API_RUN_TRIGGER, .project = "a", .ref = "main"));
	json_decref(json);
	arrive(world, "", "on: {push: {}}\n" STEPS, NULL);
	unwanted_expect(world, 3, true);
	json = ask(world, ASK(.verb = API_PROJECT, .project = "a"));
	assert_int_equal(number(json_object_get(json, "last_run"), "id"), 2);
	json_decref(json);
	world_stop(world);
	world_free(world);
}

static void test_pull_request_row(void **state)
{
	struct world *world = world_new();
	uint64_t run;
	json_t *json;

	world_start(world);
	run = push(world, &(struct pushed){.delivery = "p",
					   .event = "pull_request",
					   .ref = "refs/pull/7/head",
					   .after = COMMIT_A,
					   .base = "refs/heads/main",
					   .pull_request = 7,
					   .fork = 1});
	world_kill(world);
	world_start(world);
	json = ask(world, ASK(.verb = API_RUN, .run = run));
	assert_string_equal(member(json, "event"), "pull_request");
	assert_int_equal(number(json, "pull_request"), 7);
	assert_string_equal(member(json, "base_ref"), "refs/heads/main");
	assert_true(json_is_true(json_object_get(json, "from_fork")));
	json_decref(json);
	/* some forges do not say which commit: then two are two runs */
	for (uint64_t i = 2; i < 4; i++)
		assert_int_equal(push(world, &(struct pushed){.delivery = i == 2 ? "q" : "r",
							      .event = "pull_request",
							      .ref = "refs/heads/topic",
							      .after = "",
							      .base = "refs/heads/main",
							      .pull_request = 8}),
				 i);
	world_stop(world);
	world_free(world);
}

/* ---- concurrency ---- */

#define GROUP "concurrency: {group: 'deploy-{{ branch }}'}\n"

/* Held steps are in the queue that people see, behind the others. */
static void queue_expect(struct world *world, uint64_t first, uint64_t second)
{
	json_t *json = ask(world, ASK(.verb = API_QUEUE));
	const json_t *waiting = json_object_get(json, "waiting");

	assert_int_equal(number(json, "total"), 2);
	assert_int_equal(json_array_size(waiting), 2);
	assert_int_equal(number(json_array_get(waiting, 0), "run"), first);
	assert_int_equal(number(json_array_get(waiting, 1), "run"), second);
	assert_string_equal(member(json_array_get(waiting, 0), "wait"), "concurrency");
	assert_true(json_is_null(json_object_get(json_array_get(waiting, 0), "position")));
	json_decref(json);
}

static void test_concurrency(void **state)
{
	struct world *world = world_new();
	struct order first, second, third, other;
	uint64_t run[4];

	world_start(world);
	run[0] = started(world, "1", COMMIT_A, GROUP STEPS, &first);
	run[1] = push(world, &(struct pushed){.delivery = "2", .after = COMMIT_B});
	arrive(world, COMMIT_B, GROUP STEPS, NULL);
	run[2] = push(world, &(struct pushed){.delivery = "3", .after = COMMIT_C});
	arrive(world, COMMIT_C, GROUP STEPS, NULL);
	run_expect(world, run[1], "pending",
		   "concurrency group \"deploy-main\": run 1 is before it");
	step_expect(world, run[1], "one", "ready",
		    "concurrency group \"deploy-main\": run 1 is before it");
	run_expect(world, run[2], "pending",
		   "concurrency group \"deploy-main\": run 1 and 1 more are before it");
	assert_true(fixture_quiet(world->daemon));
	queue_expect(world, run[1], run[2]);
	/* another branch is another group */
	run[3] = push(world, &(struct pushed){
				     .delivery = "4", .ref = "refs/heads/side", .after = COMMIT_D});
	arrive(world, COMMIT_D, GROUP STEPS, NULL);
	order_expect(world, &other);
	assert_int_equal(other.run, run[3]);
	/* a restart changes nothing */
	world_kill(world);
	world_start_unsynced(world);
	order_started(world, first.id);
	order_started(world, other.id);
	world_sync(world);
	run_expect(world, run[1], "pending",
		   "concurrency group \"deploy-main\": run 1 is before it");
	assert_true(fixture_quiet(world->daemon));
	order_exited(world, first.id, 0);
	order_expect(world, &second);
	assert_int_equal(second.run, run[1]);
	run_expect(world, run[2], "pending",
		   "concurrency group \"deploy-main\": run 2 is before it");
	/* however it ends */
	order_exited(world, second.id, 1);
	order_expect(world, &third);
	assert_int_equal(third.run, run[2]);
	order_exited(world, third.id, 0);
	ack_expect(world, third.id);
	run_expect(world, run[2], "succeeded", "");
	world_stop(world);
	world_free(world);
}

static void test_concurrency_limit_and_cancel(void **state)
{
	static const char limited[] = "concurrency: {group: g, limit: 2}\n" STEPS;
	struct world *world = world_new();
	struct order orders[2], last;
	json_t *json;

	world_start(world);
	(void)started(world, "1", COMMIT_A, limited, &orders[0]);
	(void)started(world, "2", COMMIT_B, limited, &orders[1]);
	(void)push(world, &(struct pushed){.delivery = "3", .after = COMMIT_C});
	arrive(world, COMMIT_C, limited, NULL);
	(void)push(world, &(struct pushed){.delivery = "4", .after = COMMIT_D});
	arrive(world, COMMIT_D, limited, NULL);
	run_expect(world, 3, "pending", "concurrency group \"g\": run 1 and 1 more are before it");
	/* one that waits is cancelled: the next one takes its place in the line */
	json = ask(world, ASK(.verb = API_RUN_CANCEL, .run = 3));
	json_decref(json);
	run_expect(world, 3, "cancelled", "cancelled");
	assert_true(fixture_quiet(world->daemon));
	order_exited(world, orders[1].id, 0);
	order_expect(world, &last);
	assert_int_equal(last.run, 4);
	/* a retried step of a run that was over waits like everybody */
	json = ask(world, ASK(.verb = API_RUN_RETRY, .run = 2, .step = "one"));
	json_decref(json);
	step_expect(world, 2, "one", "ready",
		    "concurrency group \"g\": run 1 and 1 more are before it");
	world_kill(world);
	world_start_unsynced(world);
	order_started(world, orders[0].id);
	order_started(world, last.id);
	world_sync(world);
	assert_true(fixture_quiet(world->daemon));
	order_exited(world, orders[0].id, 0);
	order_expect(world, &orders[1]);
	assert_int_equal(orders[1].run, 2);
	assert_int_equal(orders[1].attempt, 2);
	world_stop(world);
	world_free(world);
}

/* The order that STEP_CANCEL names; acknowledgements are skipped. */
static uint64_t cancel_expect(struct world *world)
{
	for (;;) {
		cleanup_message struct message *message = fixture_receive_any(world->daemon, false);

		assert_non_null(message);
		if (message->type == MESSAGE_STEP_ACK)
			continue;
		assert_int_equal(message->type, MESSAGE_STEP_CANCEL);
		return message_get_u64(message);
	}
}

static void test_supersede(void **state)
{
	static const char latest[] =
		"concurrency: {group: '{{ ref }}', cancel_superseded: true}\n" TWO;
	struct world *world = world_new();
	struct order first, last;

	world_start(world);
	(void)started(world, "1", COMMIT_A, latest, &first);
	(void)push(world, &(struct pushed){.delivery = "2", .after = COMMIT_B});
	arrive(world, COMMIT_B, latest, NULL);
	/* what runs is told to end, what waits of it ends */
	assert_int_equal(cancel_expect(world), first.id);
	step_expect(world, 1, "two", "cancelled", "superseded by run 2");
	run_expect(world, 2, "pending",
		   "concurrency group \"refs/heads/main\": run 1 is before it");
	/* the third one ends the second, which never ran; both say by whom */
	(void)push(world, &(struct pushed){.delivery = "3", .after = COMMIT_C});
	arrive(world, COMMIT_C, latest, NULL);
	run_expect(world, 2, "cancelled", "superseded by run 3");
	/* it is true after a restart as well */
	world_kill(world);
	world_start_unsynced(world);
	order_started(world, first.id);
	world_sync(world);
	assert_int_equal(cancel_expect(world), first.id);
	order_result(world, first.id, STEP_RESULT_CANCELLED, 0, "cancelled");
	order_expect(world, &last);
	assert_int_equal(last.run, 3);
	run_expect(world, 1, "cancelled", "superseded by run 2");
	step_expect(world, 1, "one", "cancelled", "superseded by run 2");
	world_stop(world);
	world_free(world);
}

static void test_supersede_late(void **state)
{
	static const char latest[] = "concurrency: {group: g, cancel_superseded: true}\n" STEPS;
	struct world *world = world_new();
	struct order order;
	uint64_t serial;

	/* the tree of the older run arrives behind that of the newer one */
	world_start(world);
	(void)push(world, &(struct pushed){.delivery = "1", .after = COMMIT_A});
	serial = fetch_expect(world, COMMIT_A);
	(void)push(world, &(struct pushed){.delivery = "2", .after = COMMIT_B});
	arrive(world, COMMIT_B, latest, NULL);
	order_expect(world, &order);
	assert_int_equal(order.run, 2);
	fetched_send(world, serial, COMMIT_A, latest, NULL);
	settle(world);
	run_expect(world, 1, "cancelled", "superseded by run 2");
	assert_true(fixture_quiet(world->daemon));
	world_stop(world);
	world_free(world);
}

/* A stranger's runbook neither cancels nor holds up what is the project's own. */
static void test_groups_of_forks(void **state)
{
	static const char own[] = "concurrency: {group: deploy}\n" STEPS;
	static const char strange[] =
		"concurrency: {group: deploy, cancel_superseded: true}\n" STEPS;
	struct world *world = world_new();
	struct order order, other;

	world_start(world);
	(void)started(world, "1", COMMIT_A, own, &order);
	for (uint64_t i = 2; i < 4; i++) {
		char delivery[8], commit[41];

		(void)snprintf(delivery, sizeof(delivery), "%llu", (unsigned long long)i);
		(void)snprintf(commit, sizeof(commit), "%040llu", (unsigned long long)i);
		(void)push(world, &(struct pushed){.delivery = delivery,
						   .event = "pull_request",
						   .ref = "refs/pull/7/head",
						   .after = commit,
						   .base = "refs/heads/main",
						   .pull_request = 7,
						   .fork = 1});
		arrive(world, commit, strange, NULL);
		if (i == 2) { /* they run beside it … */
			order_expect(world, &other);
			assert_int_equal(other.run, 2);
		}
	}
	/* … and cancel each other */
	run_expect(world, 1, "running", "");
	json_decref(ask(world, ASK(.verb = API_STATUS)));
	order_result(world, other.id, STEP_RESULT_CANCELLED, 0, "");
	settle(world);
	run_expect(world, 2, "cancelled", "superseded by run 3");
	world_stop(world);
	world_free(world);
}

/* … nor does it go before that. */
static void test_priority_of_forks(void **state)
{
	struct world *world = world_new();
	struct order order;
	json_t *json;

	world->max_running = 1;
	world_start(world);
	(void)started(world, "1", COMMIT_A, STEPS, &order);
	(void)push(world, &(struct pushed){.delivery = "2",
					   .event = "pull_request",
					   .ref = "refs/pull/7/head",
					   .after = COMMIT_B,
					   .base = "refs/heads/main",
					   .pull_request = 7,
					   .fork = 1});
	arrive(world, COMMIT_B, "priority: 90\n" STEPS, NULL);
	(void)push(world, &(struct pushed){.delivery = "3", .after = COMMIT_C});
	arrive(world, COMMIT_C, "priority: 1\n" STEPS, NULL);
	json = ask(world, ASK(.verb = API_QUEUE));
	assert_int_equal(number(json_array_get(json_object_get(json, "waiting"), 0), "run"), 3);
	assert_int_equal(number(json_array_get(json_object_get(json, "waiting"), 1), "priority"),
			 0);
	json_decref(json);
	world_stop(world);
	world_free(world);
}

/* ---- time ---- */

static void run_wait(struct world *world, uint64_t run, const char *state)
{
	for (int i = 0; i < WAIT_SEC * 20; i++) {
		json_t *json = ask(world, ASK(.verb = API_RUN, .run = run));
		bool there = strcmp(member(json, "state"), state) == 0;

		json_decref(json);
		if (there)
			return;
		(void)usleep(50000);
	}
	fail_msg("run %llu did not become %s", (unsigned long long)run, state);
}

static void test_run_timeout(void **state)
{
	static const char timed[] = "timeout: 1s\n" TWO;
	struct world *world = world_new();
	struct order order;

	world_start(world);
	(void)started(world, "1", COMMIT_A, timed, &order);
	assert_int_equal(cancel_expect(world), order.id);
	step_expect(world, 1, "two", "cancelled", "run timeout after 1s");
	order_result(world, order.id, STEP_RESULT_CANCELLED, 0, "");
	ack_expect(world, order.id);
	run_expect(world, 1, "failed", "run timeout after 1s");
	step_expect(world, 1, "one", "cancelled", "run timeout after 1s");
	/* a retried step has the whole time again */
	json_decref(ask(world, ASK(.verb = API_RUN_RETRY, .run = 1, .step = "one")));
	order_expect(world, &order);
	run_expect(world, 1, "running", NULL);
	/* over a restart it is the time that passed which counts */
	world_kill(world);
	(void)sleep(1);
	world_start_unsynced(world);
	order_started(world, order.id);
	world_sync(world);
	assert_int_equal(cancel_expect(world), order.id);
	order_result(world, order.id, STEP_RESULT_CANCELLED, 0, "");
	run_wait(world, 1, "failed");
	world_stop(world);
	world_free(world);
}

static void test_queue_timeout(void **state)
{
	static const char impatient[] = "queue_timeout: 1s\n" TWO;
	struct world *world = world_new();
	struct order order;

	world->max_running = 1;
	world_start(world);
	(void)started(world, "1", COMMIT_A, STEPS, &order);
	(void)push(world, &(struct pushed){.delivery = "2", .after = COMMIT_B});
	arrive(world, COMMIT_B, impatient, NULL);
	run_wait(world, 2, "errored");
	step_expect(world, 2, "one", "errored", "queue timeout: could not start for 1s");
	step_expect(world, 2, "two", "skipped", NULL);
	/* the time goes on while nobody is there */
	(void)push(world, &(struct pushed){.delivery = "3", .after = COMMIT_C});
	arrive(world, COMMIT_C, impatient, NULL);
	run_expect(world, 3, "pending", NULL);
	world_kill(world);
	(void)sleep(1);
	world_start_unsynced(world);
	order_started(world, order.id);
	world_sync(world);
	run_wait(world, 3, "errored");
	world_stop(world);
	world_free(world);
}

static void test_queue_timeout_of_a_held_run(void **state)
{
	static const char held[] = "queue_timeout: 1s\nconcurrency: {group: g}\n" STEPS;
	struct world *world = world_new();
	struct order first, second;

	world_start(world);
	(void)started(world, "1", COMMIT_A, held, &first);
	(void)push(world, &(struct pushed){.delivery = "2", .after = COMMIT_B});
	arrive(world, COMMIT_B, held, NULL);
	(void)usleep(1300000);
	run_expect(world, 2, "pending", NULL);
	order_exited(world, first.id, 0);
	order_expect(world, &second);
	assert_int_equal(second.run, 2);
	world_stop(world);
	world_free(world);
}

/* A run that goes on and is held has all of its time when it may, also after a restart. */
static void test_run_timeout_of_a_held_run(void **state)
{
	static const char brief[] = "timeout: 1s\nconcurrency: {group: g}\n" STEPS;
	static const char other[] = "concurrency: {group: g}\n" STEPS;
	struct world *world = world_new();
	struct order first, second;

	world_start(world);
	(void)started(world, "1", COMMIT_A, brief, &first);
	order_exited(world, first.id, 1);
	run_wait(world, 1, "failed");
	(void)started(world, "2", COMMIT_B, other, &second);
	json_decref(ask(world, ASK(.verb = API_RUN_RETRY, .run = 1, .step = "one")));
	(void)usleep(1300000);
	run_expect(world, 1, "running", NULL);
	world_kill(world);
	world_start_unsynced(world);
	order_started(world, second.id);
	world_sync(world);
	run_expect(world, 1, "running", NULL);
	order_exited(world, second.id, 0);
	order_expect(world, &first);
	assert_int_equal(first.run, 1);
	/* and no more than that */
	(void)usleep(1200000);
	order_result(world, first.id, STEP_RESULT_CANCELLED, 0, "");
	run_wait(world, 1, "failed");
	run_expect(world, 1, "failed", "run timeout after 1s");
	world_stop(world);
	world_free(world);
}

/* ---- schedules ---- */

#define SCHEDULED "on: {schedule: [{cron: '30 4 * * *', timezone: Europe/Berlin}]}\n" STEPS

/* As an earlier life left it: one schedule of "a", done up to @ago_sec ago. */
static void store_schedule(struct world *world, const char *cron, uint64_t ago_sec)
{
	const struct store_schedule row = {
		.cron = cron,
		.timezone = "",
		.branch = "",
		.last_usec = wall_usec() - ago_sec * USEC_PER_SEC,
	};
	struct error error = ERROR_INIT;
	struct store *store = NULL;

	assert_int_equal(store_open(world->store, &store, &error), 0);
	store_schedules_set(store, "a", 1, "refs/heads/main", &row, 1);
	assert_int_equal(store_commit(store, &error), 0);
	(void)store_close(store);
}

static json_t *schedules_of(struct world *world, json_t **ret_project)
{
	*ret_project = ask(world, ASK(.verb = API_PROJECT, .project = "a"));
	return json_object_get(*ret_project, "schedules");
}

static void test_schedule_learnt(void **state)
{
	struct world *world = world_new();
	json_t *project, *schedule;
	json_int_t next;

	world_start(world);
	(void)push(world,
		   &(struct pushed){.delivery = "1", .ref = "refs/heads/side", .after = COMMIT_A});
	arrive(world, COMMIT_A, SCHEDULED, NULL);
	assert_int_equal(json_array_size(schedules_of(world, &project)), 0);
	json_decref(project);
	/* only pushes to the default branch count; the push itself is not asked for */
	(void)push(world, &(struct pushed){.delivery = "2", .after = COMMIT_B});
	arrive(world, COMMIT_B, SCHEDULED, NULL);
	unwanted_expect(world, 2, true);
	schedule = json_array_get(schedules_of(world, &project), 0);
	assert_string_equal(member(schedule, "cron"), "30 4 * * *");
	assert_string_equal(member(schedule, "timezone"), "Europe/Berlin");
	assert_string_equal(member(schedule, "branch"), "main");
	next = number(schedule, "next_usec");
	assert_true(next > (json_int_t)wall_usec());
	assert_int_equal(next / 60000000 % 60, 30);
	json_decref(project);
	world_kill(world);
	world_start(world);
	schedule = json_array_get(schedules_of(world, &project), 0);
	assert_int_equal(number(schedule, "next_usec"), next);
	json_decref(project);
	/* a time zone that this host does not have is said, not guessed */
	(void)push(world, &(struct pushed){.delivery = "3", .after = COMMIT_C});
	arrive(world, COMMIT_C,
	       "on: {schedule: [{cron: '@daily', timezone: Europe/Atlantis}]}\n" STEPS, NULL);
	schedule = json_array_get(schedules_of(world, &project), 0);
	assert_true(json_is_null(json_object_get(schedule, "next_usec")));
	assert_non_null(strstr(member(schedule, "problem"), "time zone"));
	json_decref(project);
	/* gone with the runbook */
	(void)push(world, &(struct pushed){.delivery = "4", .after = COMMIT_D});
	arrive(world, COMMIT_D, STEPS, NULL);
	assert_int_equal(json_array_size(schedules_of(world, &project)), 0);
	json_decref(project);
	world_stop(world);
	world_free(world);
}

static uint64_t runs_count(struct world *world)
{
	json_t *json = ask(world, ASK(.verb = API_RUNS));
	uint64_t n = json_array_size(json_object_get(json, "runs"));

	json_decref(json);
	return n;
}

static void test_schedule_missed(void **state)
{
	struct world *world = world_new();
	struct order order;
	json_t *json;

	/* an hour of minutes was missed: one run makes up for it, and one only */
	world_start(world);
	world_kill(world);
	store_schedule(world, "* * * * *", 3600);
	world_start(world);
	assert_int_equal(runs_count(world), 1);
	json = ask(world, ASK(.verb = API_RUN, .run = 1));
	assert_string_equal(member(json, "event"), "schedule");
	assert_string_equal(member(json, "actor"), "schedule * * * * *");
	assert_string_equal(member(json, "ref"), "refs/heads/main");
	json_decref(json);
	world_kill(world);
	world_start(world);
	assert_true(runs_count(world) <= 2); /* the next minute may be here */
	arrive(world, "", "on: {schedule: [{cron: '* * * * *'}]}\n" STEPS, NULL);
	order_expect(world, &order);
	assert_int_equal(order.run, 1);
	world_stop(world);
	world_free(world);
}

static void test_schedule_missed_long_ago(void **state)
{
	struct world *world = world_new();
	time_t soon = time(NULL) + 7200;
	struct tm tm;
	char cron[64];

	/* due once a year, last week: nobody waits for that any more */
	assert_non_null(gmtime_r(&soon, &tm));
	soon -= 8 * 86400;
	assert_non_null(gmtime_r(&soon, &tm));
	(void)snprintf(cron, sizeof(cron), "%d %d %d %d *", tm.tm_min, tm.tm_hour, tm.tm_mday,
		       tm.tm_mon + 1);
	world_start(world);
	world_kill(world);
	store_schedule(world, cron, 30 * 86400ULL);
	world_start(world);
	assert_int_equal(runs_count(world), 0);
	world_stop(world);
	world_free(world);
}

static void test_schedule_of_a_wrong_clock(void **state)
{
	struct world *world = world_new();
	json_t *project;

	/* everything up to next month is done: then the clock was wrong, not we */
	world_start(world);
	world_kill(world);
	store_schedule(world, "*/5 * * * *", (uint64_t)-2592000);
	world_start(world);
	assert_true(number(json_array_get(schedules_of(world, &project), 0), "next_usec") <
		    (json_int_t)(wall_usec() + 301 * USEC_PER_SEC));
	json_decref(project);
	assert_int_equal(runs_count(world), 0);
	world_stop(world);
	world_free(world);
}

static void test_schedule_paused_and_gone(void **state)
{
	struct world *world = world_new();
	json_t *json;

	world_start(world);
	json = ask(world, ASK(.verb = API_PROJECT_PAUSE, .project = "a"));
	json_decref(json);
	world_kill(world);
	store_schedule(world, "0 0 * * *", 86400);
	world_start(world);
	assert_int_equal(runs_count(world), 0);
	/* missed for good */
	json = ask(world, ASK(.verb = API_PROJECT_UNPAUSE, .project = "a"));
	json_decref(json);
	world_kill(world);
	world_start(world);
	assert_int_equal(runs_count(world), 0);
	world_kill(world);
	/* the runbook of now says otherwise than that of then: nothing runs, and it is learnt */
	store_schedule(world, "0 0 * * *", 86400);
	world_start(world);
	assert_int_equal(runs_count(world), 1);
	arrive(world, "", STEPS, NULL);
	unwanted_expect(world, 1, true);
	assert_int_equal(json_array_size(schedules_of(world, &json)), 0);
	json_decref(json);
	world_stop(world);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_manual_and_retry),
		cmocka_unit_test(test_pull_request_row),
		cmocka_unit_test(test_concurrency),
		cmocka_unit_test(test_concurrency_limit_and_cancel),
		cmocka_unit_test(test_supersede),
		cmocka_unit_test(test_groups_of_forks),
		cmocka_unit_test(test_priority_of_forks),
		cmocka_unit_test(test_supersede_late),
		cmocka_unit_test(test_run_timeout),
		cmocka_unit_test(test_queue_timeout),
		cmocka_unit_test(test_queue_timeout_of_a_held_run),
		cmocka_unit_test(test_run_timeout_of_a_held_run),
		cmocka_unit_test(test_schedule_learnt),
		cmocka_unit_test(test_schedule_missed),
		cmocka_unit_test(test_schedule_missed_long_ago),
		cmocka_unit_test(test_schedule_of_a_wrong_clock),
		cmocka_unit_test(test_schedule_paused_and_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
