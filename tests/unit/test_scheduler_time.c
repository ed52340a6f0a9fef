/* SPDX-License-Identifier: Apache-2.0 */
/* Timeouts of runs, and runs that a schedule starts. */
#include "tests/unit/scheduler_pushes.h"

#include "scheduler/store/store.h"

#include <time.h>

/* ---- timeouts ---- */

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
	/* a retried step has the whole timeout again */
	json_decref(ask(world, ASK(.verb = API_RUN_RETRY, .run = 1, .step = "one")));
	order_expect(world, &order);
	run_expect(world, 1, "running", NULL);
	/* over a restart, the time that passed counts */
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
	/* the time goes on while the scheduler does not run */
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

/* A retried and held run has its whole timeout when it is released, also after a restart. */
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
	/* and not more than that */
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
	/* only pushes to the default branch bring schedules; the push itself is filtered out */
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
	/* a time zone that this host does not have is reported, not guessed */
	(void)push(world, &(struct pushed){.delivery = "3", .after = COMMIT_C});
	arrive(world, COMMIT_C,
	       "on: {schedule: [{cron: '@daily', timezone: Europe/Atlantis}]}\n" STEPS, NULL);
	schedule = json_array_get(schedules_of(world, &project), 0);
	assert_true(json_is_null(json_object_get(schedule, "next_usec")));
	assert_non_null(strstr(member(schedule, "problem"), "time zone"));
	json_decref(project);
	/* the schedules go with the runbook */
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

	/* an hour of minutes was missed: exactly one run makes up for them */
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
	assert_true(runs_count(world) <= 2); /* the next minute may have begun */
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

	/* due once a year, last week: too old to be made up for */
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

	/* everything up to next month is done: then the clock was wrong */
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
	/* missed times stay missed */
	json = ask(world, ASK(.verb = API_PROJECT_UNPAUSE, .project = "a"));
	json_decref(json);
	world_kill(world);
	world_start(world);
	assert_int_equal(runs_count(world), 0);
	world_kill(world);
	/*
	 * the current runbook lacks the schedule that has fired: nothing runs, and the store is
	 * updated
	 */
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
