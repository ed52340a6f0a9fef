/* SPDX-License-Identifier: Apache-2.0 */
/* Reports of the cacher about artifacts of ended runs, and their removal. */
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
	/* for an existing run, and to a request that was never made */
	measured_send(cacher, 0, "a", run, 100);
	measured_send(cacher, 77, "a", 900, 100);
	/* artifacts that no run leads to are removed */
	measured_send(cacher, 0, "a", 999, 100);
	message = fixture_receive(cacher, MESSAGE_ARTIFACTS_REMOVE);
	assert_int_equal(MESSAGE_GET(message, artifacts_remove, &removed), 0);
	assert_string_equal(removed.project, "a");
	assert_int_equal(removed.run, 999);
	(void)message_free(message);
	/* an invalid project name leads nowhere */
	measured_send(cacher, 0, "../a", 998, 100);
	settle(world);
	assert_true(fixture_quiet(cacher));
	close(cacher);
	world_stop(world);
	world_free(world);
}

/* Keep logs and artifacts of the newest run only. */
static void configure_one_of_each(struct world *world)
{
	struct message_config_keep kinds[RETENTION_NUM] = {
		[RETENTION_LOGS] = {.count = 1},
		[RETENTION_ARTIFACTS] = {.count = 1},
	};

	config_begin(world);
	config_project(world, "a", 0, 1, 0);
	assert_int_equal(
		message_transmit(world->daemon, MESSAGE_NEW(config_retention, 0, .kinds = kinds,
							    .n_kinds = RETENTION_NUM)),
		0);
	config_end(world);
}

static uint64_t ended_with_artifacts(struct world *world, int cacher, const char *delivery,
				     const char *commit)
{
	struct order order;
	uint64_t run = started(world, delivery, commit, STEPS, &order);

	order_exited(world, order.id, 0);
	ack_expect(world, order.id);
	measured_send(cacher, 0, "a", run, 100);
	settle(world);
	return run;
}

/* One pass removes both; the first reply must not leave the other one without an effect. */
static void test_logs_and_artifacts_of_one_run(void **state)
{
	struct world *world = world_new();
	const struct message_api_request gc = {.verb = API_GC, .content = -1};
	struct message_api_answer answer;
	struct message_artifacts_remove artifacts;
	struct message_log_remove logs;
	struct message *message;
	uint64_t run;
	int cacher;

	world_start(world);
	cacher = fixture_channel(world, ROLE_CACHER);
	run = ended_with_artifacts(world, cacher, "1", COMMIT_A);
	(void)ended_with_artifacts(world, cacher, "2", COMMIT_B);
	configure_one_of_each(world);
	assert_int_equal(message_transmit(world->api, message_build(&message_format_api_request,
								    ++world->serial, &gc)),
			 0);
	message = fixture_receive(cacher, MESSAGE_ARTIFACTS_REMOVE);
	assert_int_equal(MESSAGE_GET(message, artifacts_remove, &artifacts), 0);
	assert_int_equal(artifacts.run, run);
	(void)message_free(message);
	message = fixture_receive(world->daemon, MESSAGE_LOG_REMOVE);
	assert_int_equal(MESSAGE_GET(message, log_remove, &logs), 0);
	assert_int_equal(logs.run, run);
	(void)message_free(message);
	assert_int_equal(message_transmit(cacher, MESSAGE_NEW(artifacts_removed, 0, .run = run)),
			 0);
	assert_true(fixture_quiet(world->api));
	assert_int_equal(message_transmit(world->daemon, MESSAGE_NEW(log_removed, 0, .run = run)),
			 0);
	message = fixture_receive(world->api, MESSAGE_API_ANSWER);
	assert_int_equal(MESSAGE_GET(message, api_answer, &answer), 0);
	assert_int_equal(answer.status, 200);
	(void)message_free(message);
	close(cacher);
	world_stop(world);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_logs_and_artifacts_of_one_run),
		cmocka_unit_test(test_put_to_a_run_that_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
