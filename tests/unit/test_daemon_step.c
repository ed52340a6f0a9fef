/* SPDX-License-Identifier: Apache-2.0 */
/* The life of steps, from the order to the acknowledgement (step_fixture.h). */
#include "tests/unit/step_fixture.h"

static void runs_and_is_acknowledged(void **state)
{
	struct fake_sandbox *sandbox = &fake.sandboxes[0];
	struct exited exited;
	char path[PATH_MAX + 32];
	char text[32] = "";
	size_t counts[2];
	struct stat st;
	int fd;

	send_order(&(struct order){ORDER(1)});
	expect_and_free(house.scheduler_fd, MESSAGE_STEP_STARTED);
	assert_string_equal(sandbox->id, "demo-7-a-1");
	assert_string_equal(sandbox->workspace, house.root);
	assert_int_equal(sandbox->n_binds, 1);
	assert_int_equal(fd_write_all(sandbox->stdout_fd, "hello\n", 6), 0);
	fake_end(sandbox, SANDBOX_EXITED, 3);
	exited = expect_exited();
	assert_int_equal(exited.order, 1);
	assert_int_equal(exited.result, STEP_RESULT_EXITED);
	assert_int_equal(exited.exit_code, 3);
	assert_string_equal(exited.reason, "exit code 3");
	assert_int_equal(exited.bytes, 6);
	assert_true(exited.started > 0 && exited.ended >= exited.started);
	(void)snprintf(path, sizeof(path), "%s/demo/7/a.1.log", house.daemon.paths.log);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(read(fd, text, sizeof(text)), 6);
	assert_string_equal(text, "hello\n");
	(void)close(fd);
	(void)snprintf(path, sizeof(path), "%s/steps/1", house.daemon.paths.run);
	assert_int_equal(access(path, F_OK), -1);
	house_call(count_steps, counts);
	assert_int_equal(counts[0], 0);
	assert_int_equal(counts[1], 1);
	send_ack(1);
	send_ack(1);
	send_order(&(struct order){ORDER(1)}); /* it ran: not again, but it gets a result */
	exited = expect_exited();
	assert_int_equal(exited.order, 1);
	assert_int_equal(exited.result, STEP_RESULT_SANDBOX);
	assert_non_null(strstr(exited.reason, "ran already"));
	expect_silence(house.scheduler_fd);
	house_call(count_steps, counts);
	assert_int_equal(counts[0] + counts[1], 0);
	assert_int_equal(fake.n_sandboxes, 1);
}

static void refuses_what_no_scheduler_sends(void **state)
{
	int not_sealed = memfd_create("x", MFD_CLOEXEC);
	int directory = open("/", O_PATH | O_CLOEXEC);
	struct order bad[] = {
		{ORDER(1)},  {ORDER(2)},  {ORDER(3)},  {ORDER(4)}, {ORDER(5)},
		{ORDER(6)},  {ORDER(7)},  {ORDER(8)},  {ORDER(9)}, {ORDER(10)},
		{ORDER(11)}, {ORDER(12)}, {ORDER(13)},
	};
	const char *reasons[] = {
		"project name",	     "slug",	"commit",  "image",
		"choice of objects", "payload", "payload", "timeout",
		"step name",	     "image",	"user",	   "working directory",
		"list of secrets",
	};

	bad[0].project = "../etc";
	bad[1].slug = "a/b";
	bad[2].commit = "../../..";
	bad[3].image = "/";
	bad[4].objects = STEP_OBJECTS_VIEW;
	bad[5].payload_fd = not_sealed;
	bad[6].payload_fd = directory;
	bad[7].timeout_msec = UINT64_MAX;
	bad[8].name = "a\nb";
	bad[9].layer = "../../../etc";
	bad[10].uid = 1ULL << 32;
	bad[11].workdir = "relative";
	bad[12].mask_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct exited exited;

		send_order(&bad[i]);
		exited = expect_exited();
		assert_int_equal(exited.order, i + 1);
		assert_int_equal(exited.result, STEP_RESULT_SANDBOX);
		assert_int_equal(exited.started, 0);
		assert_non_null(strstr(exited.reason, reasons[i]));
	}
	(void)close(bad[12].mask_fd);
	/* a broken scheduler must not use up our descriptors */
	bad[1].number = 20;
	bad[1].mask_fd = step_mask_new(&(struct step_mask_value){"secret", 6}, 1);
	send_order(&bad[1]);
	(void)close(bad[1].mask_fd);
	assert_int_equal(expect_exited().order, 20);
	assert_int_equal(count_files_named("memfd:step-mask"), 0);
	assert_int_equal(fake.n_sandboxes, 0);
}

/* A sealed file that is not a list of secrets: the step must not run with an unmasked log. */
static void refuses_secrets_that_are_none(void **state)
{
	struct order order = {ORDER(1)};
	struct exited exited;

	order.mask_fd = memfd_sealed("x", "RBM1 and something", 18);
	assert_true(order.mask_fd >= 0);
	send_order(&order);
	exited = expect_exited();
	assert_int_equal(exited.result, STEP_RESULT_SANDBOX);
	assert_non_null(strstr(exited.reason, "the secrets to mask in the step's log"));
	assert_int_equal(fake.n_sandboxes, 0);
	(void)close(order.mask_fd);
}

static void hides_secrets(void **state)
{
	static const struct step_mask_value values[] = {{"pass word", 9}, {"tok", 3}};
	struct fake_sandbox *sandbox = &fake.sandboxes[0];
	struct order order = {ORDER(1)};
	struct exited exited;
	char path[PATH_MAX + 32], text[64] = "";
	cleanup_close int fd = -1;

	order.mask_fd = step_mask_new(values, ARRAY_SIZE(values));
	assert_true(order.mask_fd >= 0);
	send_order(&order);
	(void)close(order.mask_fd);
	expect_and_free(house.scheduler_fd, MESSAGE_STEP_STARTED);
	assert_int_equal(fd_write_all(sandbox->stdout_fd, "a pass", 6), 0);
	(void)usleep(20000); /* most likely the output is read in two parts */
	assert_int_equal(fd_write_all(sandbox->stdout_fd, " word, pass%20word, tok\n", 24), 0);
	fake_end(sandbox, SANDBOX_EXITED, 0);
	exited = expect_exited();
	assert_int_equal(exited.bytes, 16);
	/* an ended step has no descriptor of secrets, acknowledged or not */
	assert_int_equal(count_files_named("memfd:step-mask"), 0);
	(void)snprintf(path, sizeof(path), "%s/demo/7/a.1.log", house.daemon.paths.log);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, text, sizeof(text)), 16);
	assert_string_equal(text, "a ***, ***, tok\n");
	send_ack(1);
}

static void reports_what_cannot_be_built(void **state)
{
	struct order order = {ORDER(1)};
	struct exited exited;

	fake.refuse = true;
	send_order(&order);
	exited = expect_exited();
	assert_int_equal(exited.result, STEP_RESULT_SANDBOX);
	assert_string_equal(exited.reason, "cannot build the sandbox: the fake refuses");
	fake.refuse = false;
	order.number = 2;
	order.image = "absent";
	order.layer = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	send_order(&order);
	assert_non_null(strstr(expect_exited().reason, "of image \"absent\" is not here"));
	order = (struct order){ORDER(3)};
	order.project = "fetched";
	order.commit = "0123456789012345678901234567890123456789";
	send_order(&order);
	assert_non_null(strstr(expect_exited().reason, "retry the run"));
	order = (struct order){ORDER(5)};
	order.project = "fetched";
	send_order(&order);
	assert_non_null(strstr(expect_exited().reason, "names no commit"));
	order = (struct order){ORDER(4)};
	order.project = "unknown";
	send_order(&order);
	assert_non_null(strstr(expect_exited().reason, "no commit")); /* an upload has its tree */
}

static void times_out(void **state)
{
	struct order order = {ORDER(1)};
	struct exited exited;

	order.timeout_msec = 40;
	send_order(&order);
	expect_and_free(house.scheduler_fd, MESSAGE_STEP_STARTED);
	exited = expect_exited(); /* SIGTERM is ignored by the fake: it is killed */
	assert_int_equal(exited.result, STEP_RESULT_TIMEOUT);
	assert_string_equal(exited.reason, "timeout after 40ms");
	assert_int_equal(fake.sandboxes[0].n_signals, 1);
	assert_int_equal(fake.sandboxes[0].signals[0], SIGTERM);
	assert_true(fake.sandboxes[0].killed);
}

static void is_cancelled(void **state)
{
	struct order order = {ORDER(1)};
	struct exited exited;

	order.grace_msec = 5000;
	send_order(&order);
	expect_and_free(house.scheduler_fd, MESSAGE_STEP_STARTED);
	send_cancel(1, STEP_RESULT_CANCELLED);
	while (*(volatile size_t *)&fake.sandboxes[0].n_signals == 0)
		(void)usleep(1000);
	assert_int_equal(write(fake.sandboxes[0].status_fd, "", 1), 1); /* parts still run */
	expect_silence(house.scheduler_fd);
	fake_end(&fake.sandboxes[0], SANDBOX_SIGNALED, SIGTERM);
	assert_int_equal((exited = expect_exited()).result, STEP_RESULT_CANCELLED);
	assert_string_equal(exited.reason, "cancelled");
	assert_false(fake.sandboxes[0].killed);
	send_cancel(99, STEP_RESULT_CANCELLED);
	expect_silence(house.scheduler_fd); /* an unknown order is ignored */
}

static void reports_to_a_new_scheduler(void **state)
{
	struct message_step_synced synced;
	struct message *message;

	send_order(&(struct order){ORDER(1)});
	expect_and_free(house.scheduler_fd, MESSAGE_STEP_STARTED);
	send_order(&(struct order){ORDER(2), .timeout_msec = 0});
	expect_and_free(house.scheduler_fd, MESSAGE_STEP_STARTED);
	(void)close(house.scheduler_fd);
	fake_end(&fake.sandboxes[0], SANDBOX_EXITED, 0); /* while there is no scheduler */
	for (size_t counts[2] = {0, 0}; counts[1] == 0; (void)usleep(1000))
		house_call(count_steps, counts);
	house.scheduler_fd = greet(CHILD_SCHEDULER, ROLE_SCHEDULER);
	assert_int_equal(expect_exited().order, 1);
	expect_and_free(house.scheduler_fd, MESSAGE_STEP_STARTED);
	message = expect(house.scheduler_fd, MESSAGE_STEP_SYNCED);
	assert_int_equal(MESSAGE_GET(message, step_synced, &synced), 0);
	assert_string_equal(synced.instance, "instance");
	(void)message_free(message);
	fake_end(&fake.sandboxes[1], SANDBOX_SIGNALED, SIGSEGV);
	assert_string_equal(expect_exited().reason, "killed by signal 11 (SEGV)");
}

static void lends_its_socket_to_each_cacher(void **state)
{
	struct message_cacher_listen request;
	struct message *message;

	send_order(&(struct order){ORDER(5)});
	expect_and_free(house.scheduler_fd, MESSAGE_STEP_STARTED);
	for (int i = 0; i < 2; i++) {
		int listening = 0;
		socklen_t size = sizeof(listening);

		house.cacher_fd = greet(CHILD_CACHER, ROLE_CACHER);
		message = expect(house.cacher_fd, MESSAGE_CACHER_LISTEN);
		assert_int_equal(MESSAGE_GET(message, cacher_listen, &request), 0);
		assert_int_equal(request.order, 5);
		assert_string_equal(request.project, "demo");
		assert_int_equal(request.run, 7);
		assert_string_equal(request.slug, "a");
		assert_int_equal(
			getsockopt(request.socket, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size),
			0);
		assert_int_equal(listening, 1);
		(void)message_free(message);
		if (i == 0)
			(void)close(house.cacher_fd);
	}
	fake_end(&fake.sandboxes[0], SANDBOX_EXITED, 0);
	expect_and_free(house.cacher_fd, MESSAGE_CACHER_CLOSE);
	assert_string_equal(expect_exited().reason, "");
}

static void waits_for_the_last_words_but_not_forever(void **state)
{
	struct fake_sandbox *sandbox = &fake.sandboxes[0];
	struct exited exited;
	int held;

	send_order(&(struct order){ORDER(1)});
	expect_and_free(house.scheduler_fd, MESSAGE_STEP_STARTED);
	held = dup(sandbox->stdout_fd); /* as a process outside of the sandbox may have it */
	assert_int_equal(fd_write_all(held, "late", 4), 0);
	fake_end(sandbox, SANDBOX_EXITED, 0);
	exited = expect_exited(); /* after five seconds */
	assert_int_equal(exited.bytes, 4);
	assert_int_equal(exited.result, STEP_RESULT_EXITED);
	(void)close(held);
}

static void stop_steps(void *argument)
{
	steps_stop(house.daemon.steps);
}

static void stops(void **state)
{
	struct exited exited;

	send_order(&(struct order){ORDER(1)});
	expect_and_free(house.scheduler_fd, MESSAGE_STEP_STARTED);
	house_call(stop_steps, NULL);
	expect_and_free(house.scheduler_fd, MESSAGE_STEPS_STOPPING);
	exited = expect_exited();
	assert_int_equal(exited.result, STEP_RESULT_CANCELLED);
	assert_string_equal(exited.reason, "cancelled: runbookd was stopped");
	send_order(&(struct order){ORDER(2)});
	exited = expect_exited();
	assert_int_equal(exited.result, STEP_RESULT_CANCELLED);
	assert_int_equal(exited.started, 0); /* it never ran: the scheduler may queue it again */
}

static void closes_the_channel_of_a_broken_scheduler(void **state)
{
	struct pollfd file = {.fd = house.scheduler_fd, .events = POLLIN};
	struct message *end = NULL;

	send_cancel(1, STEP_RESULT_SANDBOX); /* not a reason to cancel */
	assert_int_equal(poll(&file, 1, 10000), 1);
	assert_int_equal(message_receive(house.scheduler_fd, &end), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(runs_and_is_acknowledged),
		TEST(refuses_what_no_scheduler_sends),
		TEST(refuses_secrets_that_are_none),
		TEST(hides_secrets),
		TEST(reports_what_cannot_be_built),
		TEST(times_out),
		TEST(is_cancelled),
		TEST(reports_to_a_new_scheduler),
		TEST(lends_its_socket_to_each_cacher),
		TEST(waits_for_the_last_words_but_not_forever),
		TEST(stops),
		TEST(closes_the_channel_of_a_broken_scheduler),
	};

	log_set_level((enum log_level)0);
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
