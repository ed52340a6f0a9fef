/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/scheduler_pushes.h"

#include "common/image.h"
#include "common/messages/images.h"

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define LAYER "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

static void send_known(int fd, const char *id, const char *variable)
{
	struct image_record record = {.id = id, .source = "", .workdir = "/srv", .uid = 7};
	cleanup_free char *data = NULL;
	size_t size;

	record.env[record.n_env++] = variable;
	record.env[record.n_env++] = "PATH=/opt/bin";
	record.layers[record.n_layers++] = LAYER;
	assert_int_equal(image_record_format(&record, &data, &size), 0);
	assert_int_equal(message_transmit(fd, MESSAGE_NEW(image_known, 0, .record = {data, size})),
			 0);
}

/* The contents of a table: @name stands for @id; NULL: empty. */
struct scope {
	bool forks, everyone;
	const char *projects;
};

static void send_table_scoped(int fd, const char *name, const char *id, const struct scope *scope)
{
	assert_int_equal(message_transmit(fd, MESSAGE_NEW(images_begin, 0)), 0);
	if (name) {
		send_known(fd, ID_A, "WHO=a");
		send_known(fd, ID_B, "WHO=b");
		assert_int_equal(message_transmit(fd, MESSAGE_NEW(image_named, 0, .name = name,
								  .id = id, .forks = scope->forks,
								  .everyone = scope->everyone,
								  .projects = scope->projects)),
				 0);
	}
	assert_int_equal(message_transmit(fd, MESSAGE_NEW(images_end, 0)), 0);
}

static void send_table(int fd, const char *name, const char *id)
{
	static const struct scope anyone = {true, true, ""};

	send_table_scoped(fd, name, id, &anyone);
}

static void send_missing_for(int fd, const char *name, const char *project, bool fork,
			     const char *text, bool again)
{
	assert_int_equal(
		message_transmit(fd, MESSAGE_NEW(image_missing, 0, .name = name, .project = project,
						 .fork = fork, .error = text, .again = again)),
		0);
}

static void send_missing_again(int fd, const char *name, const char *text, bool again)
{
	send_missing_for(fd, name, "a", false, text, again);
}

static void send_missing(int fd, const char *name, const char *text)
{
	send_missing_again(fd, name, text, false);
}

static void expect_wanted_for(int fd, const char *name, const char *project, bool fork)
{
	struct message *message = fixture_receive(fd, MESSAGE_IMAGE_WANTED);

	struct message_image_wanted wanted;

	assert_int_equal(MESSAGE_GET(message, image_wanted, &wanted), 0);
	assert_string_equal(wanted.name, name);
	assert_string_equal(wanted.project, project);
	assert_int_equal(wanted.fork, fork);
	(void)message_free(message);
}

static void expect_wanted(int fd, const char *name)
{
	expect_wanted_for(fd, name, "a", false);
}

static const char text[] = "steps:\n"
			   "  - {name: one, image: \"r.example/x:1\", command: \"true\"}\n"
			   "  - {name: two, image: \"r.example/x:1\", command: \"true\", "
			   "depends_on: [one]}\n";

static void test_waits_and_fixes(void **state)
{
	struct world *world = world_new();
	struct order order;
	uint64_t run;
	int image;

	world_start(world);
	run = trigger(world, "a", "delivery-1", COMMIT_A);
	fetch_answer(world, COMMIT_A, text);
	run_expect(world, run, "pending", "");
	/* runbook-image is not there yet: no request, no start */
	image = fixture_channel(world, ROLE_IMAGE);
	send_table(image, NULL, NULL);
	expect_wanted(image, "r.example/x:1");
	assert_true(fixture_quiet(world->daemon));
	send_table(image, "r.example/x:1", ID_A);
	order_expect(world, &order);
	assert_string_equal(order.slug, "one");
	assert_string_equal(order.workdir, "/srv");
	assert_string_equal(order.layer, LAYER);
	assert_int_equal(order.uid, 7);
	assert_non_null(strstr(order.env, "WHO=a\n"));
	assert_non_null(strstr(order.env, "PATH=/opt/bin:/run/runbookd/bin\n"));
	assert_null(strstr(order.env, "USER=root\n"));
	/* the name is pulled again meanwhile: this run keeps its image */
	send_table(image, "r.example/x:1", ID_B);
	order_started(world, order.id);
	order_exited(world, order.id, 0);
	ack_expect(world, order.id);
	order_expect(world, &order);
	assert_string_equal(order.slug, "two");
	assert_non_null(strstr(order.env, "WHO=a\n"));
	/* and after a crash: the order never arrived, and waits for runbook-image */
	world_kill(world);
	close(image);
	world_start(world);
	assert_true(fixture_quiet(world->daemon));
	image = fixture_channel(world, ROLE_IMAGE);
	send_table(image, "r.example/x:1", ID_B);
	order_expect(world, &order);
	assert_string_equal(order.slug, "two");
	assert_non_null(strstr(order.env, "WHO=a\n"));
	order_exited(world, order.id, 0);
	ack_expect(world, order.id);
	run_expect(world, run, "succeeded", "");
	/* another run gets the new image */
	run = trigger(world, "a", "delivery-2", COMMIT_B);
	fetch_answer(world, COMMIT_B, text);
	order_expect(world, &order);
	assert_non_null(strstr(order.env, "WHO=b\n"));
	close(image);
	world_stop(world);
	world_free(world);
}

static void test_missing(void **state)
{
	struct world *world = world_new();
	uint64_t run;
	int image;

	world_start(world);
	image = fixture_channel(world, ROLE_IMAGE);
	send_table(image, NULL, NULL);
	run = trigger(world, "a", "delivery-1", COMMIT_A);
	fetch_answer(world, COMMIT_A, text);
	expect_wanted(image, "r.example/x:1");
	send_missing(image, "r.example/y:1", "another one");
	assert_true(fixture_quiet(world->daemon));
	send_missing(image, "r.example/x:1", "manifest unknown");
	step_expect(world, run, "one", "errored", "manifest unknown");
	run_expect(world, run, "errored", "step \"one\" errored");
	/* a message out of turn closes the channel, not the scheduler */
	send_known(image, ID_A, "A=b");
	run = trigger(world, "a", "delivery-2", COMMIT_B);
	fetch_expect(world, COMMIT_B);
	close(image);
	world_stop(world);
	world_free(world);
}

/* However many steps wait for an image, it is requested once, and once more after a new table. */
static void test_asked_once(void **state)
{
	static const char many[] =
		"priority: 3\n"
		"steps:\n"
		"  - {name: one, image: \"{{ matrix.i }}\", command: \"true\",\n"
		"     matrix: {n: [1, 2, 3], i: [\"r.example/x:1\", \"r.example/y:1\"]}}\n"
		"  - {name: after, image: \"r.example/x:1\", command: \"true\", when: always,\n"
		"     depends_on: [one]}\n";
	struct world *world = world_new();
	const json_t *waiting;
	json_t *json;
	uint64_t run;
	int image;

	world_start(world);
	image = fixture_channel(world, ROLE_IMAGE);
	send_table(image, NULL, NULL);
	json_decref(ask(world, ASK(.verb = API_STATUS)));
	run = trigger(world, "a", "delivery-1", COMMIT_A);
	fetch_answer(world, COMMIT_A, many);
	for (int i = 0; i < 2; i++) {
		expect_wanted(image, "r.example/x:1");
		expect_wanted(image, "r.example/y:1");
		assert_true(fixture_quiet(image));
		if (i == 0)
			send_table(image, "r.example/z:1", ID_A);
	}
	json = ask(world, ASK(.verb = API_QUEUE));
	assert_int_equal(number(json, "total"), 6);
	waiting = json_object_get(json, "waiting");
	assert_int_equal(json_array_size(waiting), 6);
	assert_string_equal(member(json_array_get(waiting, 0), "wait"), "image");
	assert_string_equal(member(json_array_get(waiting, 0), "reason"),
			    "pulling image \"r.example/x:1\"");
	assert_int_equal(number(json_array_get(waiting, 0), "priority"), 3);
	json_decref(json);
	send_missing(image, "r.example/y:1", "no y");
	assert_true(fixture_quiet(image));
	send_missing(image, "r.example/x:1", "no x");
	/* a step that becomes ready by this ends at once */
	run_expect(world, run, "errored", "step \"one (n=1, i=r.example/x:1)\" errored");
	step_expect(world, run, "after", "errored", "no x");
	close(image);
	world_stop(world);
	world_free(world);
}

/* A registry that is away: the step waits, shows the reason, and its image is requested again. */
static void test_missing_for_a_while(void **state)
{
	static const char away[] = "dial tcp: connection refused";
	struct world *world = world_new();
	struct order order;
	uint64_t run;
	json_t *json;
	int image;

	world->fetch_retry_sec = 3600;
	world_start(world);
	image = fixture_channel(world, ROLE_IMAGE);
	send_table(image, NULL, NULL);
	run = trigger(world, "a", "delivery-1", COMMIT_A);
	fetch_answer(world, COMMIT_A, text);
	expect_wanted(image, "r.example/x:1");
	send_missing_again(image, "r.example/x:1", away, true);
	expect_wanted(image, "r.example/x:1");
	json = ask(world, ASK(.verb = API_QUEUE));
	assert_non_null(
		strstr(member(json_array_get(json_object_get(json, "waiting"), 0), "reason"),
		       "cannot be pulled yet (tried 1x"));
	json_decref(json);
	send_missing_again(image, "r.example/x:1", away, true);
	/* the time begins anew after a restart */
	json_decref(ask(world, ASK(.verb = API_STATUS)));
	world_kill(world);
	close(image);
	world_start(world);
	image = fixture_channel(world, ROLE_IMAGE);
	send_table(image, NULL, NULL);
	expect_wanted(image, "r.example/x:1");
	send_missing_again(image, "r.example/x:1", away, true);
	expect_wanted(image, "r.example/x:1");
	send_table(image, "r.example/x:1", ID_A);
	order_expect(world, &order);
	assert_int_equal(order.run, run);
	close(image);
	world_stop(world);
	world_free(world);
}

/* In the end the step is errored, with the number of tries in the reason. */
static void test_missing_for_too_long(void **state)
{
	struct world *world = world_new();
	uint64_t run;
	json_t *json = NULL;
	int image;

	world->fetch_retry_sec = 1;
	world_start(world);
	image = fixture_channel(world, ROLE_IMAGE);
	send_table(image, NULL, NULL);
	run = trigger(world, "a", "delivery-1", COMMIT_A);
	fetch_answer(world, COMMIT_A, text);
	for (;;) {
		expect_wanted(image, "r.example/x:1");
		send_missing_again(image, "r.example/x:1", "away", true);
		(void)usleep(10000);
		json = ask(world, ASK(.verb = API_RUN, .run = run));
		if (strcmp(member(json, "state"), "errored") == 0)
			break;
		json_decref(json);
	}
	json_decref(json);
	json = ask(world, ASK(.verb = API_RUN, .run = run));
	assert_non_null(strstr(member(json_array_get(json_object_get(json, "steps"), 0), "reason"),
			       "away (tried "));
	json_decref(json);
	close(image);
	world_stop(world);
	world_free(world);
}

/* A run of a fork, or of another project, gets no image that was pulled with credentials. */
static void test_scopes(void **state)
{
	static const struct scope everyone = {false, true, ""}, others = {false, false, "b c"},
				  ours = {false, false, "b a"};
	struct world *world = world_new();
	uint64_t fork, ref, own;
	struct order order;
	int image;

	world_start(world);
	image = fixture_channel(world, ROLE_IMAGE);
	send_table_scoped(image, "r.example/x:1", ID_A, &everyone);
	settle(world);
	fork = push(world, &(struct pushed){.delivery = "1",
					    .event = "pull_request",
					    .ref = "refs/pull/7/head",
					    .base = "refs/heads/main",
					    .before = COMMIT_B,
					    .after = COMMIT_A,
					    .pull_request = 7,
					    .fork = 1});
	arrive(world, COMMIT_A, text, NULL);
	expect_wanted_for(image, "r.example/x:1", "a", true);
	/* a ref that is not a branch is a stranger's as well, and waits for the same pull */
	ref = push(world,
		   &(struct pushed){.delivery = "2", .ref = "refs/pull/8/head", .after = COMMIT_C});
	arrive(world, COMMIT_C, text, NULL);
	assert_true(fixture_quiet(world->daemon));
	own = push(world, &(struct pushed){.delivery = "3", .after = COMMIT_B});
	arrive(world, COMMIT_B, text, NULL);
	order_expect(world, &order);
	assert_int_equal(order.run, own);
	/* a failure for the project's own runs does not affect these, and vice versa */
	send_missing_for(image, "r.example/x:1", "a", false, "not for the fork", false);
	send_missing_for(image, "r.example/x:1", "b", true, "nor is this", false);
	settle(world);
	send_missing_for(image, "r.example/x:1", "a", true, "not for forks", false);
	settle(world);
	step_expect(world, fork, "one", "errored", "not for forks");
	step_expect(world, ref, "one", "errored", "not for forks");
	order_exited(world, order.id, 0);
	ack_expect(world, order.id);
	/* fixed for the run, which keeps it */
	order_expect(world, &order);
	order_exited(world, order.id, 0);
	ack_expect(world, order.id);
	run_expect(world, own, "succeeded", "");
	send_table_scoped(image, "r.example/x:1", ID_A, &others);
	own = push(world, &(struct pushed){.delivery = "4", .after = COMMIT_D});
	arrive(world, COMMIT_D, text, NULL);
	expect_wanted_for(image, "r.example/x:1", "a", false);
	assert_true(fixture_quiet(world->daemon));
	send_table_scoped(image, "r.example/x:1", ID_A, &ours);
	order_expect(world, &order);
	assert_int_equal(order.run, own);
	/* a requested commit that no branch or tag has is a stranger's as well */
	world->view = COMMIT_A;
	world->view_objects = true;
	json_decref(ask(world, ASK(.verb = API_RUN_TRIGGER, .project = "a", .commit = COMMIT_C)));
	arrive(world, COMMIT_C, text, NULL);
	expect_wanted_for(image, "r.example/x:1", "a", true);
	close(image);
	world_stop(world);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waits_and_fixes),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_scopes),
		cmocka_unit_test(test_missing_for_a_while),
		cmocka_unit_test(test_missing_for_too_long),
		cmocka_unit_test(test_asked_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
