/* SPDX-License-Identifier: Apache-2.0 */
/* What starts a run, and concurrency groups. */
#include "tests/unit/scheduler_pushes.h"

/* ---- filters in "on" ---- */

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
		{{.ref = "refs/heads/main"},
		 filtered,
		 NULL,
		 false}, /* the changed paths are unknown */
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
		/* push alone means branches */
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
	/* a request, but the runbook does not allow manual runs */
	json = ask(world, ASK(.verb = API_RUN_TRIGGER, .project = "a"));
	json_decref(json);
	arrive(world, "", "on: {push: {}}\n" STEPS, NULL);
	unwanted_expect(world, 1, true);
	/* "" stands for the default branch, which the run shows */
	json = ask(world, ASK(.verb = API_RUN, .run = 1));
	assert_string_equal(member(json, "ref"), "refs/heads/main");
	json_decref(json);
	/* a retry is wanted in any case */
	json = ask(world, ASK(.verb = API_RUN_RETRY, .run = 1));
	json_decref(json);
	arrive(world, COMMIT_A, "on: {push: {}}\n" STEPS, NULL);
	order_expect(world, &order);
	assert_int_equal(order.run, 2);
	/* the last run of a project is the last one that was wanted */
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
	/* some forges send no commit: then two deliveries are two runs */
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
	/* whatever the result of the run */
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
	/* a waiting run is cancelled: the next one moves up */
	json = ask(world, ASK(.verb = API_RUN_CANCEL, .run = 3));
	json_decref(json);
	run_expect(world, 3, "cancelled", "cancelled");
	assert_true(fixture_quiet(world->daemon));
	order_exited(world, orders[1].id, 0);
	order_expect(world, &last);
	assert_int_equal(last.run, 4);
	/* a retried step of a final run is held like any other */
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
	/* the running step gets STEP_CANCEL, the waiting ones end */
	assert_int_equal(cancel_expect(world), first.id);
	step_expect(world, 1, "two", "cancelled", "superseded by run 2");
	run_expect(world, 2, "pending",
		   "concurrency group \"refs/heads/main\": run 1 is before it");
	/* the third run ends the second, which never ran; both name the run that superseded them */
	(void)push(world, &(struct pushed){.delivery = "3", .after = COMMIT_C});
	arrive(world, COMMIT_C, latest, NULL);
	run_expect(world, 2, "cancelled", "superseded by run 3");
	/* the same after a restart */
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

	/* the tree of the older run arrives after that of the newer one */
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

/* The runbook of a stranger neither cancels nor holds the project's own runs. */
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
		if (i == 2) { /* they run beside the project's own … */
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

/* The priority in the runbook of a stranger does not put its runs before the project's own. */
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

/* ---- references and objects that steps see ---- */

#define VIEW "1111111111111111111111111111111111111111"

static uint64_t view_order(struct world *world, const char *commit, struct order *order)
{
	arrive(world, commit, STEPS, NULL);
	order_expect(world, order);
	return world->whose;
}

/* FETCH says whose commit it is, and the order has what follows from that. */
static void test_whose(void **state)
{
	const struct {
		struct pushed pushed;
		bool own; /* the fetcher made objects for the view */
		enum fetch_whose whose;
		enum step_objects objects;
	} cases[] = {
		{{.ref = "refs/heads/main"}, false, FETCH_OURS, STEP_OBJECTS_MIRROR},
		{{.ref = "refs/tags/v1", .event = "push"}, false, FETCH_OURS, STEP_OBJECTS_MIRROR},
		{{.event = "pull_request", .ref = "refs/pull/1/head", .pull_request = 1},
		 false,
		 FETCH_OURS,
		 STEP_OBJECTS_MIRROR},
		{{.event = "pull_request", .ref = "refs/pull/1/head", .pull_request = 1, .fork = 1},
		 true,
		 FETCH_FOREIGN,
		 STEP_OBJECTS_VIEW},
		/* none rather than all */
		{{.event = "pull_request", .ref = "refs/pull/1/head", .pull_request = 1, .fork = 1},
		 false,
		 FETCH_FOREIGN,
		 STEP_OBJECTS_NONE},
	};
	static const char any[] = "on: {push: {}, tag: {}, pull_request: {}, manual: {}}\n" STEPS;
	struct world *world = world_new();
	struct order order;

	world->max_running = 100;
	world->view = VIEW;
	world_start(world);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pushed pushed = cases[i].pushed;
		char delivery[8], commit[41];

		(void)snprintf(delivery, sizeof(delivery), "%zu", i);
		(void)snprintf(commit, sizeof(commit), "%040zu", i + 1);
		pushed.delivery = delivery;
		pushed.after = commit;
		pushed.base = pushed.pull_request ? "refs/heads/main" : "";
		world->view_objects = cases[i].own;
		(void)push(world, &pushed);
		arrive(world, commit, any, NULL);
		order_expect(world, &order);
		assert_int_equal(world->whose, cases[i].whose);
		assert_int_equal(order.objects, cases[i].objects);
		assert_string_equal(order.view, VIEW);
	}
	world_stop(world);
	world_free(world);
}

/* A manual run may name any commit: one that no branch of the remote has is a stranger's. */
static void test_whose_by_hand(void **state)
{
	struct world *world = world_new();
	struct order order;
	uint64_t run;
	json_t *json;

	world->max_running = 100;
	world->view = VIEW;
	world_start(world);
	json_decref(ask(world, ASK(.verb = API_RUN_TRIGGER, .project = "a", .ref = "main")));
	assert_int_equal(view_order(world, "", &order), FETCH_OURS);
	assert_int_equal(order.objects, STEP_OBJECTS_MIRROR);
	world->view_objects = true;
	json_decref(ask(world,
			ASK(.verb = API_RUN_TRIGGER, .project = "a", .ref = "refs/pull/7/head")));
	assert_int_equal(view_order(world, "", &order), FETCH_FOREIGN);
	assert_int_equal(order.objects, STEP_OBJECTS_VIEW);
	json = ask(world, ASK(.verb = API_RUN_TRIGGER, .project = "a", .commit = COMMIT_C));
	run = (uint64_t)number(json, "run");
	json_decref(json);
	assert_int_equal(view_order(world, COMMIT_C, &order), FETCH_UNKNOWN);
	assert_int_equal(order.objects, STEP_OBJECTS_VIEW);
	/* the same when it is retried, by a scheduler that has only its store */
	order_exited(world, order.id, 1);
	settle(world);
	world->view = NULL;
	world_stop(world);
	world_start(world);
	json_decref(ask(world, ASK(.verb = API_RUN_RETRY, .run = run, .step = "one")));
	do /* orders of the other runs come again */
		order_expect(world, &order);
	while (order.run != run);
	assert_string_equal(order.view, VIEW);
	assert_int_equal(order.objects, STEP_OBJECTS_VIEW);
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
		cmocka_unit_test(test_whose),
		cmocka_unit_test(test_whose_by_hand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
