/* SPDX-License-Identifier: Apache-2.0 */
/* What the cacher tells of artifacts that were put to runs that have ended. */
#include "tests/unit/scheduler_world.h"

#include "tests/unit/scheduler_pushes.h"

static void measured_send(int fd, uint64_t serial, const char *project, uint64_t run,
			  uint64_t bytes)
{
	struct message *message = message_new(MESSAGE_ARTIFACTS_MEASURED, serial);

	message_put_string(message, project);
	message_put_u64(message, run);
	message_put_u64(message, bytes);
	assert_int_equal(message_transmit(fd, message), 0);
}

static void test_put_to_a_run_that_is_gone(void **state)
{
	struct world *world = world_new();
	struct message *message;
	struct order order;
	uint64_t run;
	int cacher;

	world_start(world);
	cacher = fixture_channel(world, ROLE_CACHER);
	run = started(world, "1", COMMIT_A, STEPS, &order);
	/* of a run that is there, and of a question that was never asked */
	measured_send(cacher, 0, "a", run, 100);
	measured_send(cacher, 77, "a", 900, 100);
	/* what no run leads to is removed */
	measured_send(cacher, 0, "a", 999, 100);
	message = fixture_receive(cacher, MESSAGE_ARTIFACTS_REMOVE);
	assert_string_equal(message_get_string(message, PROJECT_NAME_MAX), "a");
	assert_int_equal(message_get_u64(message), 999);
	assert_int_equal(message_end(message), 0);
	(void)message_free(message);
	/* a name that is none leads nowhere */
	measured_send(cacher, 0, "../a", 998, 100);
	settle(world);
	assert_true(fixture_quiet(cacher));
	close(cacher);
	world_stop(world);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_to_a_run_that_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
