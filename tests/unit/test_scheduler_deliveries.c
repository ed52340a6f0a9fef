/* SPDX-License-Identifier: Apache-2.0 */
/* Which deliveries are duplicates, and which only look like one. */
#include "tests/unit/scheduler_pushes.h"

#define ZEROS "0000000000000000000000000000000000000000"
#define BODY_1 "digest of the first body, signed"
#define BODY_2 "digest of another body,   signed"
#define BODY_3 "digest of one more body,  signed"

static uint64_t move(struct world *world, const char *delivery, const char *before,
		     const char *after, const char *body)
{
	return push(world,
		    &(struct pushed){
			    .delivery = delivery, .before = before, .after = after, .body = body});
}

static uint64_t move_again(struct world *world, const char *delivery, const char *before,
			   const char *after, const char *body)
{
	return push_again(world, &(struct pushed){.delivery = delivery,
						  .before = before,
						  .after = after,
						  .body = body});
}

/* A second hook of the forge: equal within a minute, with another id and another body. */
static void test_second_hook(void **state)
{
	struct world *world = world_new();
	uint64_t run;

	world_start(world);
	run = move(world, "d1", ZEROS, COMMIT_A, BODY_1);
	assert_int_equal(move_again(world, "d2", ZEROS, COMMIT_A, BODY_2), run);
	/* both ids, and both bodies, are known from now on */
	assert_int_equal(move_again(world, "d2", ZEROS, COMMIT_A, BODY_2), run);
	assert_int_equal(move_again(world, "d3", ZEROS, COMMIT_A, BODY_2), run);
	world_stop(world);
	world_free(world);
}

static void test_tip_goes_back(void **state)
{
	struct world *world = world_new();
	uint64_t a, b, back;

	world_start(world);
	a = move(world, "d1", ZEROS, COMMIT_A, NULL);
	b = move(world, "d2", COMMIT_A, COMMIT_B, NULL);
	back = move(world, "d3", COMMIT_B, COMMIT_A, NULL);
	assert_true(a < b && b < back);
	/* and once more, which is byte for byte like the first time */
	assert_true(move(world, "d4", COMMIT_A, COMMIT_B, NULL) > back);
	assert_int_equal(move_again(world, "d5", COMMIT_A, COMMIT_B, NULL), back + 1);
	world_stop(world);
	world_free(world);
}

static void reason_has(struct world *world, uint64_t run, const char *state, const char *text)
{
	json_t *json = ask(world, ASK(.verb = API_RUN, .run = run));

	if (strcmp(member(json, "state"), state) != 0 || !strstr(member(json, "reason"), text))
		fail_msg("run %llu: %s: %s", (unsigned long long)run, member(json, "state"),
			 member(json, "reason"));
	json_decref(json);
}

/* A request without a commit fetches what the branch names: @at. */
static void tip_is(struct world *world, const char *at)
{
	uint64_t serial = fetch_expect(world, "");

	if (at)
		fetched_send(world, serial, at, STEPS, NULL);
	else
		fetched_failed(world, serial, FETCH_NO_SUCH_COMMIT, "no such branch");
	settle(world);
}

/* A forge whose pushes carry no time: the second push of a commit has the same bytes. */
static void test_same_bytes_of_two_pushes(void **state)
{
	struct world *world = world_new();
	struct order order;

	world->max_running = 10;
	world_start(world);
	(void)move(world, "d1", ZEROS, COMMIT_A, BODY_1);
	arrive(world, COMMIT_A, STEPS, NULL);
	order_expect(world, &order);
	(void)move(world, "d2", COMMIT_A, COMMIT_B, BODY_2);
	arrive(world, COMMIT_B, STEPS, NULL);
	order_expect(world, &order);
	(void)move(world, "d3", COMMIT_B, COMMIT_A, BODY_3);
	arrive(world, COMMIT_A, STEPS, NULL);
	order_expect(world, &order);
	assert_int_equal(move(world, "d4", COMMIT_A, COMMIT_B, BODY_2), 4);
	tip_is(world, COMMIT_B);
	order_expect(world, &order);
	assert_int_equal(order.run, 4);
	assert_string_equal(order.commit, COMMIT_B);
	/* the branch is at B now: the reply names the first run with these bytes */
	assert_int_equal(move_again(world, "d5", COMMIT_A, COMMIT_B, BODY_2), 2);
	/* back to A, and to B once more */
	assert_int_equal(move(world, "d6", COMMIT_B, COMMIT_A, BODY_3), 5);
	tip_is(world, COMMIT_A);
	order_expect(world, &order);
	assert_int_equal(order.run, 5);
	world_stop(world);
	world_free(world);
}

/* A recorded body that is sent again starts no run, neither now nor later. */
static void test_body_sent_again(void **state)
{
	struct world *world = world_new();
	struct order order;

	world_start(world);
	(void)move(world, "d1", COMMIT_D, COMMIT_A, BODY_1);
	arrive(world, COMMIT_A, STEPS, NULL);
	order_expect(world, &order);
	assert_int_equal(move_again(world, "again-1", COMMIT_D, COMMIT_A, BODY_1), 1);
	(void)move(world, "d2", COMMIT_A, COMMIT_B, BODY_2);
	arrive(world, COMMIT_B, STEPS, NULL);
	order_expect(world, &order);
	/* the branch left that commit, and the forge does not have it there any more */
	assert_int_equal(move(world, "again-2", COMMIT_D, COMMIT_A, BODY_1), 3);
	tip_is(world, COMMIT_B);
	unwanted_expect(world, 3, true);
	reason_has(world, 3, "cancelled", "made run 1 before, and main is at bbbbbbbbbbbb");
	/* nor does that count as a move of the branch: its current commit is not run again */
	assert_int_equal(move(world, "again-3", COMMIT_A, COMMIT_B, BODY_2), 4);
	/* still so after the scheduler was killed */
	world_kill(world);
	world_start(world);
	tip_is(world, COMMIT_B);
	unwanted_expect(world, 4, true);
	reason_has(world, 4, "cancelled", "did not move since run 2");
	/* the branch was deleted */
	assert_int_equal(move(world, "again-4", COMMIT_D, COMMIT_A, BODY_1), 5);
	tip_is(world, NULL);
	unwanted_expect(world, 5, true);
	world_stop(world);
	world_free(world);
}

static uint64_t pull(struct world *world, const char *delivery, const char *action,
		     const char *base, const char *before)
{
	return push(world, &(struct pushed){.delivery = delivery,
					    .event = "pull_request",
					    .ref = "refs/pull/3/head",
					    .after = COMMIT_A,
					    .before = before,
					    .base = base,
					    .pull_request = 3,
					    .action = action});
}

/* Action, target branch and its commit: a difference in any of them makes another run. */
static void test_pull_requests(void **state)
{
	struct world *world = world_new();
	struct pushed again = {.delivery = "again",
			       .event = "pull_request",
			       .ref = "refs/pull/3/head",
			       .after = COMMIT_A,
			       .before = COMMIT_C,
			       .base = "refs/heads/next",
			       .pull_request = 3,
			       .action = "reopened"};

	world_start(world);
	assert_int_equal(pull(world, "d1", "opened", "refs/heads/main", COMMIT_B), 1);
	assert_int_equal(pull(world, "d2", "reopened", "refs/heads/main", COMMIT_B), 2);
	assert_int_equal(pull(world, "d3", "reopened", "refs/heads/main", COMMIT_C), 3);
	assert_int_equal(pull(world, "d4", "reopened", "refs/heads/next", COMMIT_C), 4);
	assert_int_equal(push_again(world, &again), 4);
	/* a push of the same commit to the same ref differs from a pull request */
	assert_int_equal(push(world, &(struct pushed){.delivery = "d5",
						      .ref = "refs/pull/3/head",
						      .after = COMMIT_A,
						      .before = COMMIT_C}),
			 5);
	/* the body of a pull request contains a time: the same bytes are the same delivery */
	again.delivery = "d6";
	again.action = "synchronize";
	again.body = BODY_1;
	assert_int_equal(push(world, &again), 6);
	again.delivery = "d7";
	assert_int_equal(push_again(world, &again), 6);
	world_stop(world);
	world_free(world);
}

/* An earlier run that was cut short or errored has tested nothing. */
static void test_outcomes(void **state)
{
	struct world *world = world_new();
	struct order order;
	uint64_t serial;

	world_start(world);
	/* cancelled */
	assert_int_equal(move(world, "d1", ZEROS, COMMIT_A, NULL), 1);
	serial = fetch_expect(world, COMMIT_A);
	json_decref(ask(world, ASK(.verb = API_RUN_CANCEL, .run = 1)));
	assert_int_equal(move(world, "d2", ZEROS, COMMIT_A, NULL), 2);
	fetched_send(world, serial, COMMIT_A, STEPS, NULL);
	/* errored: runbook.yml is a directory */
	serial = fetch_expect(world, COMMIT_A);
	fetched_failed(world, serial, FETCH_REFUSED,
		       "runbook.yml is a symlink; make it a regular file");
	settle(world);
	assert_int_equal(move(world, "d3", ZEROS, COMMIT_A, NULL), 3);
	/* failed: that is a result */
	arrive(world, COMMIT_A, STEPS, NULL);
	order_expect(world, &order);
	order_exited(world, order.id, 1);
	settle(world);
	assert_int_equal(move_again(world, "d4", ZEROS, COMMIT_A, NULL), 3);
	/* not wanted: the commit would not be wanted the second time either */
	assert_int_equal(push(world, &(struct pushed){.delivery = "d5",
						      .ref = "refs/heads/other",
						      .after = COMMIT_C}),
			 4);
	arrive(world, COMMIT_C, "on: {push: {branches: [main]}}\n" STEPS, NULL);
	unwanted_expect(world, 4, true);
	assert_int_equal(push_again(world, &(struct pushed){.delivery = "d6",
							    .ref = "refs/heads/other",
							    .after = COMMIT_C}),
			 4);
	world_stop(world);
	world_free(world);
}

/* After the configured time the delivery is forgotten. */
static void test_forgotten(void **state)
{
	struct world *world = world_new();
	uint64_t duplicate = 1;

	world->deliveries_sec = 1;
	world_start(world);
	assert_int_equal(move(world, "d1", COMMIT_B, COMMIT_A, BODY_1), 1);
	for (unsigned i = 0; duplicate && i < 600; i++) {
		cleanup_message struct message *message = NULL;
		struct message_trigger_accepted accepted;

		(void)usleep(100000);
		push_send(world, &(struct pushed){.delivery = "d1",
						  .before = COMMIT_B,
						  .after = COMMIT_A,
						  .body = BODY_1});
		message = fixture_receive(world->webhook, MESSAGE_TRIGGER_ACCEPTED);
		assert_int_equal(MESSAGE_GET(message, trigger_accepted, &accepted), 0);
		duplicate = accepted.duplicate;
	}
	assert_int_equal(duplicate, 0);
	world_stop(world);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_second_hook),
		cmocka_unit_test(test_tip_goes_back),
		cmocka_unit_test(test_same_bytes_of_two_pushes),
		cmocka_unit_test(test_body_sent_again),
		cmocka_unit_test(test_pull_requests),
		cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
