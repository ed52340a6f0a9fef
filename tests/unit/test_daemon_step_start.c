/* SPDX-License-Identifier: Apache-2.0 */
/* Steps whose sandboxes another thread builds (step_fixture.h). */
#include "tests/unit/step_fixture.h"

/* For house_call(): how many sandboxes are being built. */
static void count_starting(void *argument)
{
	*(size_t *)argument = steps_starting(house.daemon.steps);
}

/* Wait until @n sandboxes were begun. */
static void wait_begun(size_t n)
{
	size_t starting = 0;

	do
		house_call(count_starting, &starting); /* a turn of the loop */
	while (fake.n_launches < n);
}

static void end_and_acknowledge(struct fake_sandbox *sandbox, uint64_t order)
{
	struct exited exited;

	fake_end(sandbox, SANDBOX_EXITED, 0);
	exited = expect_exited();
	assert_int_equal(exited.order, order);
	assert_int_equal(exited.result, STEP_RESULT_EXITED);
	send_ack(order);
}

static void is_started_when_it_is_built(void **state)
{
	size_t n;

	send_order(&(struct order){ORDER(1)});
	wait_begun(1);
	expect_silence(house.scheduler_fd);
	house_call(count_starting, &n);
	assert_int_equal(n, 1);
	assert_int_equal(fake.n_sandboxes, 0);
	/* the request is whole while the other thread reads it */
	assert_string_equal(fake.launches[0].request->id, "demo-7-a-1");
	assert_true(fcntl(fake.launches[0].request->payload_fd, F_GETFD) >= 0);
	assert_true(fcntl(fake.launches[0].request->stdout_fd, F_GETFD) >= 0);
	house_call(fake_build, NULL);
	expect_and_free(house.scheduler_fd, MESSAGE_STEP_STARTED);
	house_call(count_starting, &n);
	assert_int_equal(n, 0);
	end_and_acknowledge(&fake.sandboxes[0], 1);
}

static void is_cancelled_while_it_is_built(void **state)
{
	struct exited exited;
	size_t n;

	send_order(&(struct order){ORDER(1)});
	wait_begun(1);
	send_cancel(1, STEP_RESULT_TIMEOUT);
	send_cancel(1, STEP_RESULT_CANCELLED); /* the first one counts */
	expect_silence(house.scheduler_fd);
	house_call(fake_build, NULL);
	expect_and_free(house.scheduler_fd, MESSAGE_STEP_STARTED);
	house_call(count_starting, &n); /* the turn is over */
	assert_int_equal(fake.sandboxes[0].n_signals, 1);
	assert_int_equal(fake.sandboxes[0].signals[0], SIGTERM);
	exited = expect_exited(); /* after the grace */
	assert_true(fake.sandboxes[0].killed);
	assert_int_equal(exited.result, STEP_RESULT_TIMEOUT);
}

static void reports_what_another_thread_cannot_build(void **state)
{
	struct exited exited;

	fake.refuse = true;
	send_order(&(struct order){ORDER(1)});
	wait_begun(1);
	house_call(fake_build, NULL);
	exited = expect_exited();
	assert_int_equal(exited.result, STEP_RESULT_SANDBOX);
	assert_int_equal(exited.started, 0);
	assert_non_null(strstr(exited.reason, "the fake refuses"));
	assert_int_equal(count_files_named("memfd:step-payload"), 0);
}

static void builds_a_few_at_a_time(void **state)
{
	const size_t n_steps = 2 * STEPS_LAUNCHERS + 2;
	size_t n, left = n_steps;

	for (size_t i = 0; i < n_steps; i++) {
		char slug[] = {(char)('a' + i), '\0'};
		struct order order = {ORDER(i + 1)};

		order.slug = slug;
		send_order(&order);
	}
	wait_begun(2 * STEPS_LAUNCHERS);
	expect_silence(house.scheduler_fd);
	house_call(count_starting, &n);
	assert_int_equal(n, 2 * STEPS_LAUNCHERS);
	for (; left > 0; left--) {
		wait_begun(n_steps - left + 1);
		house_call(fake_build, NULL);
		expect_and_free(house.scheduler_fd, MESSAGE_STEP_STARTED);
	}
	house_call(count_starting, &n);
	assert_int_equal(n, 0);
	for (size_t i = 0; i < n_steps; i++)
		end_and_acknowledge(&fake.sandboxes[i], i + 1);
}

/* A new scheduler learns of a step when it is started. */
static void is_not_reported_before_it_is_built(void **state)
{
	send_order(&(struct order){ORDER(1)});
	wait_begun(1);
	(void)close(house.scheduler_fd);
	house.scheduler_fd = greet(CHILD_SCHEDULER, ROLE_SCHEDULER);
	expect_and_free(house.scheduler_fd, MESSAGE_STEP_SYNCED);
	expect_silence(house.scheduler_fd);
	house_call(fake_build, NULL);
	expect_and_free(house.scheduler_fd, MESSAGE_STEP_STARTED);
	end_and_acknowledge(&fake.sandboxes[0], 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_threads, teardown)
	const struct CMUnitTest tests[] = {
		TEST(is_started_when_it_is_built),
		TEST(is_cancelled_while_it_is_built),
		TEST(reports_what_another_thread_cannot_build),
		TEST(builds_a_few_at_a_time),
		TEST(is_not_reported_before_it_is_built),
	};

	log_set_level((enum log_level)0);
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
