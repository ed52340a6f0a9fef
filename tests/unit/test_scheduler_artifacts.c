/* SPDX-License-Identifier: Apache-2.0 */
/* What the cacher tells of artifacts that were put to runs that have ended. */
#include "tests/unit/scheduler_world.h"

#include "common/messages/artifacts.h"
#include "tests/unit/scheduler_pushes.h"

static void measured_send(int fd, uint64_t serial, const char *project, uint64_t run,
			  uint64_t bytes)
{
	assert_int_equal(
		message_transmit(fd, MESSAGE_NEW(artifacts_measured, serial, .project = project,
						 .run = run, .bytes = bytes)),
		0);
}

static void test_put_to_a_run_that_is_gone(void **state)
{
	struct world *world = world_new();
	struct message_artifacts_remove removed;
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
	assert_int_equal(MESSAGE_GET(message, artifacts_remove, &removed), 0);
	assert_string_equal(removed.project, "a");
	assert_int_equal(removed.run, 999);
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
