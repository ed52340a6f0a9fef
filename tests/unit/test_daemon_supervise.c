/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One supervised sandbox, with a sandbox library that builds nothing: its status pipe and
 * its pidfd are pipes of this test. All calls are recorded in order.
 */

#include "common/cleanup.h"
#include "common/log.h"
#include "daemon/supervise.h"

#include "tests/unit/cmocka_headers.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

/* ---- a sandbox library that builds nothing ---- */

static struct {
	char story[512];
	int status[2], end[2]; /* [1] is the sandbox's */
	int signal_result;
	int collect_result;
	bool unwatchable;
	struct sandbox_outcome outcome;
} fake;

static void story_add(const char *what)
{
	(void)strncat(fake.story, what, sizeof(fake.story) - strlen(fake.story) - 2);
	(void)strcat(fake.story, " ");
}

static void end_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static void fake_make(struct sandbox *ret_sandbox)
{
	assert_int_equal(pipe2(fake.status, O_CLOEXEC), 0);
	assert_int_equal(pipe2(fake.end, O_CLOEXEC), 0);
	*ret_sandbox = (struct sandbox){
		.pid = 1,
		.pidfd = fake.end[0],
		.status_fd = fake.unwatchable ? -1 : fake.status[0],
	};
}

static int fake_start(struct sandbox_host *host, const struct sandbox_request *request,
		      struct sandbox *ret_sandbox, struct error *error)
{
	if (!request->id)
		return error_set(error, EPERM, "the fake refuses");
	story_add("start");
	fake_make(ret_sandbox);
	return 0;
}

static int fake_adopt(struct sandbox_host *host, const struct sandbox_kept *kept,
		      struct sandbox *ret_sandbox, struct error *error)
{
	story_add("adopt");
	fake_make(ret_sandbox);
	return 0;
}

static int fake_persist(const struct sandbox *sandbox, struct sandbox_kept *ret_kept)
{
	*ret_kept = (struct sandbox_kept){.size = (size_t)sandbox->pid};
	return 0;
}

static int fake_signal(struct sandbox *sandbox, int number)
{
	assert_int_equal(number, SIGTERM);
	story_add("SIGTERM");
	return fake.signal_result;
}

static int fake_kill(struct sandbox *sandbox)
{
	story_add("kill");
	end_close(&fake.status[1]);
	end_close(&fake.end[1]);
	return 0;
}

static int fake_collect(struct sandbox *sandbox, struct sandbox_outcome *ret_outcome,
			struct error *error)
{
	story_add("collect");
	*ret_outcome = fake.outcome;
	return fake.collect_result < 0
		       ? error_set(error, -fake.collect_result, "the inner part failed")
		       : 0;
}

static int fake_finish(struct sandbox *sandbox, struct sandbox_outcome *ret_outcome,
		       struct error *error)
{
	story_add("finish");
	*ret_outcome = fake.outcome;
	for (int i = 0; i < 2; i++) {
		end_close(&fake.status[i]);
		end_close(&fake.end[i]);
	}
	return 0;
}

/* One sandbox is built by "another thread": the test makes launch_fd readable. */
static struct sandbox_launch {
	void *userdata;
	bool bad;
} fake_launch;
static int launch_fd = -1;

static int fake_launch_begin(struct sandbox_host *host, const struct sandbox_request *request,
			     void *userdata, struct sandbox_launch **ret_launch,
			     struct error *error)
{
	if (!request->id)
		return error_set(error, EPERM, "the fake refuses");
	story_add("begin");
	fake_launch.userdata = userdata;
	*ret_launch = &fake_launch;
	return 0;
}

static int fake_launch_fd(const struct sandbox_host *host)
{
	return launch_fd;
}

static void *fake_launch_next(struct sandbox_host *host)
{
	void *userdata = fake_launch.userdata;
	uint64_t count;

	(void)!read(launch_fd, &count, sizeof(count));
	fake_launch.userdata = NULL;
	return userdata;
}

static int fake_launch_end(struct sandbox_launch *launch, struct sandbox *ret_sandbox,
			   struct error *error)
{
	story_add("built");
	if (launch->bad)
		return error_set(error, EIO, "the step's side failed");
	fake_make(ret_sandbox);
	return 0;
}

static const struct sandbox_ops fake_ops = {
	.start = fake_start,
	.launch_begin = fake_launch_begin,
	.launch_fd = fake_launch_fd,
	.launch_next = fake_launch_next,
	.launch_end = fake_launch_end,
	.signal = fake_signal,
	.kill = fake_kill,
	.finish = fake_finish,
	.collect = fake_collect,
	.persist = fake_persist,
	.adopt = fake_adopt,
};

/* ---- an owner ---- */

static struct {
	struct supervisor supervisor;
	struct loop_timer timer;
	struct supervised *supervised; /* freed by its done() */
	struct supervised_end end;
	int cause;
	uint64_t ended_usec;
} owner;

static void owner_done(struct supervised *supervised, const struct supervised_end *end)
{
	story_add("done");
	assert_int_equal(supervised->phase, SUPERVISED_NONE);
	owner.end = *end;
	owner.cause = supervised->cause;
	owner.ended_usec = supervised->ended_usec;
	free(supervised);
	owner.supervised = NULL;
	loop_exit(owner.supervisor.loop, 0);
}

static void owner_started(struct supervised *supervised, int result, const struct error *error)
{
	story_add(result < 0 ? "failed" : "started");
	if (result < 0)
		owner.end.error = *error;
	assert_int_equal(supervised->phase, result < 0 ? SUPERVISED_NONE : SUPERVISED_RUNNING);
}

static void note_terminating(struct supervised *supervised)
{
	assert_true(supervised->kill_at_usec > 0);
	story_add("(terminating)");
}

static void note_over(struct supervised *supervised)
{
	assert_true(supervised->ended_usec > 0);
	story_add("(over)");
}

static void note_collected(struct supervised *supervised, const struct supervised_end *end)
{
	assert_int_equal(end->outcome.how, fake.outcome.how);
	story_add("(collected)");
}

static const struct supervised_notes owner_notes = {
	.terminating = note_terminating,
	.over = note_over,
	.collected = note_collected,
};

static int setup(void **state)
{
	memset(&owner, 0, sizeof(owner));
	memset(&fake, 0, sizeof(fake));
	for (int i = 0; i < 2; i++)
		fake.status[i] = fake.end[i] = -1;
	owner.timer = LOOP_TIMER_NULL;
	owner.supervisor.ops = &fake_ops;
	owner.supervisor.launch_file = LOOP_FILE_NULL;
	fake_launch = (struct sandbox_launch){.bad = false};
	assert_int_equal(loop_new(&owner.supervisor.loop), 0);
	owner.supervised = malloc(sizeof(*owner.supervised));
	assert_non_null(owner.supervised);
	*owner.supervised = SUPERVISED_NULL;
	owner.supervised->supervisor = &owner.supervisor;
	owner.supervised->name = "it";
	owner.supervised->started = owner_started;
	owner.supervised->done = owner_done;
	return 0;
}

static int teardown(void **state)
{
	free(owner.supervised);
	supervise_launches_end(&owner.supervisor);
	if (launch_fd >= 0)
		(void)close(launch_fd);
	launch_fd = -1;
	(void)loop_free(owner.supervisor.loop);
	return 0;
}

static void start(void)
{
	struct error error = ERROR_INIT;
	const struct sandbox_request request = {.id = "it"};

	assert_int_equal(supervise_start(owner.supervised, &request, &error), 0);
	assert_true(supervised_runs(owner.supervised));
}

static void turn_over(struct loop_timer *timer)
{
	loop_exit(owner.supervisor.loop, 1);
}

/* Serve until done(). */
static void serve(void)
{
	assert_int_equal(loop_run(owner.supervisor.loop), 0);
}

/* Serve events that are pending; done() is not expected. */
static void serve_some(void)
{
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
			loop_timer_set(owner.supervisor.loop, &owner.timer, now_usec(), turn_over),
			0);
		assert_int_equal(loop_run(owner.supervisor.loop), 1);
	}
}

/* ---- tests ---- */

static void ends_by_itself(void **state)
{
	fake.outcome = (struct sandbox_outcome){.how = SANDBOX_EXITED, .code = 3};
	start();
	end_close(&fake.status[1]);
	serve();
	assert_string_equal(fake.story, "start kill finish done ");
	assert_int_equal(owner.end.result, 0);
	assert_int_equal(owner.end.error.number, 0);
	assert_int_equal(owner.end.outcome.code, 3);
	assert_int_equal(owner.cause, 0);
	assert_true(owner.ended_usec > 0);
}

static int kill_nothing(struct sandbox *sandbox)
{
	story_add("kill");
	return 0;
}

/* The kernel may need time to end all processes; requests meanwhile change nothing. */
static void waits_for_the_kernel(void **state)
{
	struct sandbox_ops ops = fake_ops;

	ops.kill = kill_nothing;
	owner.supervisor.ops = &ops;
	start();
	end_close(&fake.status[1]);
	serve_some();
	assert_int_equal(owner.supervised->phase, SUPERVISED_ENDING);
	supervise_terminate(owner.supervised, 7);
	supervise_kill(owner.supervised);
	supervise_timeout(owner.supervised, now_usec(), 8);
	serve_some();
	assert_string_equal(fake.story, "start kill ");
	end_close(&fake.end[1]);
	serve();
	assert_string_equal(fake.story, "start kill finish done ");
	assert_int_equal(owner.cause, 0);
}

static void is_terminated(void **state)
{
	start();
	owner.supervised->grace_usec = 3600 * USEC_PER_SEC;
	supervise_terminate(owner.supervised, 7);
	supervise_terminate(owner.supervised, 9); /* ignored the second time */
	assert_int_equal(write(fake.status[1], "", 1), 1);
	serve_some(); /* the command has ended, processes that it started have not */
	assert_true(supervised_runs(owner.supervised));
	end_close(&fake.status[1]);
	serve();
	assert_string_equal(fake.story, "start SIGTERM kill finish done ");
	assert_int_equal(owner.cause, 7);
}

static void is_killed_when_the_grace_is_over(void **state)
{
	start();
	owner.supervised->grace_usec = 10 * USEC_PER_MSEC;
	supervise_timeout(owner.supervised, now_usec() + 10 * USEC_PER_MSEC, 5);
	serve();
	/* one kill at the end of the grace, one for the rest after the command */
	assert_string_equal(fake.story, "start SIGTERM kill kill finish done ");
	assert_int_equal(owner.cause, 5);
}

static void is_killed_without_grace(void **state)
{
	start();
	owner.supervised->grace_usec = SUPERVISE_NO_GRACE;
	supervise_timeout(owner.supervised, now_usec(), 5);
	serve();
	assert_string_equal(fake.story, "start kill kill finish done ");
	assert_int_equal(owner.cause, 5);
}

static void is_killed_when_it_gets_no_signal(void **state)
{
	fake.signal_result = -ESRCH;
	start();
	owner.supervised->grace_usec = 3600 * USEC_PER_SEC;
	supervise_terminate(owner.supervised, 7);
	serve();
	assert_string_equal(fake.story, "start SIGTERM kill kill finish done ");
}

static void is_killed_while_its_grace_runs(void **state)
{
	start();
	owner.supervised->grace_usec = 3600 * USEC_PER_SEC;
	supervise_terminate(owner.supervised, 7);
	supervise_timeout(owner.supervised, now_usec(), 8); /* does not end the grace */
	serve_some();
	assert_string_equal(fake.story, "start SIGTERM ");
	supervise_kill(owner.supervised);
	serve();
	assert_string_equal(fake.story, "start SIGTERM kill kill finish done ");
	assert_int_equal(owner.cause, 7);
}

/* Each note is written before the change that it describes. */
static void notes_first(void **state)
{
	owner.supervised->notes = &owner_notes;
	fake.outcome.how = SANDBOX_SIGNALED;
	start();
	owner.supervised->grace_usec = 0;
	supervise_terminate(owner.supervised, 7);
	serve();
	assert_string_equal(fake.story, "start (terminating) SIGTERM kill (over) kill collect "
					"(collected) finish done ");
}

static void says_why_it_was_not_built(void **state)
{
	owner.supervised->notes = &owner_notes;
	fake.collect_result = -EPERM;
	start();
	end_close(&fake.status[1]);
	serve();
	assert_int_equal(owner.end.result, -EPERM);
	assert_string_equal(owner.end.error.text, "the inner part failed");
}

static void does_not_start(void **state)
{
	const struct sandbox_request refused = {.id = NULL}, request = {.id = "it"};
	struct error error = ERROR_INIT;

	assert_int_equal(supervise_start(owner.supervised, &refused, &error), -EPERM);
	assert_string_equal(error.text, "the fake refuses");
	assert_int_equal(owner.supervised->phase, SUPERVISED_NONE);
	fake.unwatchable = true;
	error = ERROR_INIT;
	assert_true(supervise_start(owner.supervised, &request, &error) < 0);
	assert_non_null(strstr(error.text, "cannot watch the sandbox"));
	assert_string_equal(fake.story, "start finish ");
	assert_int_equal(owner.supervised->phase, SUPERVISED_NONE);
	supervise_abandon(owner.supervised, NULL); /* ignored: there is no sandbox any more */
	assert_string_equal(fake.story, "start finish ");
}

/* After supervise_abandon() neither the timer nor done() may be called. */
static void is_abandoned(void **state)
{
	struct sandbox_outcome outcome = {.code = 0};

	fake.outcome.code = 4;
	start();
	supervise_timeout(owner.supervised, now_usec(), 5);
	supervise_abandon(owner.supervised, &outcome);
	serve_some();
	assert_string_equal(fake.story, "start finish ");
	assert_int_equal(outcome.code, 4);
	assert_int_equal(owner.supervised->phase, SUPERVISED_NONE);
}

/* A second sandbox of one owner, as after a retry: the state of the first must not matter. */
static void starts_again(void **state)
{
	start();
	owner.supervised->grace_usec = 0;
	supervise_terminate(owner.supervised, 7);
	supervise_abandon(owner.supervised, NULL);
	fake.story[0] = '\0';
	start();
	assert_false(owner.supervised->terminated);
	assert_int_equal(owner.supervised->cause, 0);
	end_close(&fake.status[1]);
	serve();
	assert_string_equal(fake.story, "start kill finish done ");
}

static void adopt(void)
{
	const struct sandbox_kept kept = {.data = NULL};
	struct error error = ERROR_INIT;

	owner.supervised->notes = &owner_notes;
	assert_int_equal(supervise_adopt(owner.supervised, &kept, &error), 0);
	assert_int_equal(owner.supervised->phase, SUPERVISED_HELD);
}

static void is_taken_over(void **state)
{
	struct sandbox_kept kept;

	adopt();
	assert_int_equal(supervise_persist(owner.supervised, &kept), 0);
	assert_int_equal(kept.size, 1);
	supervise_kill(owner.supervised); /* ignored while held: its end would not be noticed */
	assert_int_equal(supervise_resume(owner.supervised, false, 5, now_usec()), 0);
	owner.supervised->grace_usec = 0;
	serve();
	assert_string_equal(fake.story, "adopt (terminating) SIGTERM kill (over) kill collect "
					"(collected) finish done ");
	assert_int_equal(owner.cause, 5);
}

/* The predecessor has sent SIGTERM: only the end of the grace remains to be done. */
static void is_taken_over_while_it_is_terminated(void **state)
{
	adopt();
	assert_int_equal(supervise_resume(owner.supervised, true, 7, now_usec()), 0);
	supervise_terminate(owner.supervised, 9);
	serve();
	assert_string_equal(fake.story, "adopt kill (over) kill collect (collected) finish done ");
	assert_int_equal(owner.cause, 7);
}

static void is_taken_over_but_cannot_be_watched(void **state)
{
	struct sandbox_outcome outcome = {.code = 0};

	fake.unwatchable = true;
	fake.outcome.code = 6;
	adopt();
	assert_true(supervise_resume(owner.supervised, false, 5, 0) < 0);
	assert_int_equal(owner.supervised->phase, SUPERVISED_HELD);
	supervise_abandon(owner.supervised, &outcome);
	assert_string_equal(fake.story, "adopt finish ");
	assert_int_equal(outcome.code, 6);
}

/* ---- sandboxes that another thread builds ---- */

static int begin(const char *id, struct error *error)
{
	const struct sandbox_request request = {.id = id};

	launch_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	supervise_launches(&owner.supervisor);
	return supervise_begin(owner.supervised, &request, error);
}

static void built(void)
{
	uint64_t one = 1;

	assert_int_equal(write(launch_fd, &one, sizeof(one)), sizeof(one));
	serve_some();
}

static void is_built_meanwhile(void **state)
{
	struct error error = ERROR_INIT;

	assert_int_equal(begin("it", &error), 0);
	serve_some();
	assert_int_equal(owner.supervised->phase, SUPERVISED_STARTING);
	assert_false(supervised_runs(owner.supervised));
	supervise_terminate(owner.supervised, 7); /* ignored: it does not run */
	supervise_kill(owner.supervised);
	built();
	assert_true(supervised_runs(owner.supervised));
	end_close(&fake.status[1]);
	serve();
	assert_string_equal(fake.story, "begin built started kill finish done ");
}

static void is_not_built(void **state)
{
	struct error error = ERROR_INIT;

	assert_int_equal(begin(NULL, &error), -EPERM);
	assert_int_equal(owner.supervised->phase, SUPERVISED_NONE);
	assert_string_equal(fake.story, "");
}

static void is_built_badly(void **state)
{
	struct error error = ERROR_INIT;

	fake_launch.bad = true;
	assert_int_equal(begin("it", &error), 0);
	built();
	assert_string_equal(fake.story, "begin built failed ");
	assert_string_equal(owner.end.error.text, "the step's side failed");
}

static void is_built_but_cannot_be_watched(void **state)
{
	struct error error = ERROR_INIT;

	fake.unwatchable = true;
	assert_int_equal(begin("it", &error), 0);
	built();
	assert_string_equal(fake.story, "begin built finish failed ");
	assert_non_null(strstr(owner.end.error.text, "cannot watch the sandbox"));
}

static void is_abandoned_while_it_is_built(void **state)
{
	struct error error = ERROR_INIT;

	assert_int_equal(begin("it", &error), 0);
	supervise_abandon(owner.supervised, NULL);
	assert_string_equal(fake.story, "begin built finish ");
	assert_int_equal(owner.supervised->phase, SUPERVISED_NONE);
}

static void is_built_at_once_without_threads(void **state)
{
	const struct sandbox_request request = {.id = "it"};
	struct error error = ERROR_INIT;

	supervise_launches(&owner.supervisor); /* launch_fd is -1 */
	assert_int_equal(supervise_begin(owner.supervised, &request, &error), 0);
	assert_string_equal(fake.story, "start started ");
	end_close(&fake.status[1]);
	serve();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(ends_by_itself),
		TEST(waits_for_the_kernel),
		TEST(is_terminated),
		TEST(is_killed_when_the_grace_is_over),
		TEST(is_killed_without_grace),
		TEST(is_killed_when_it_gets_no_signal),
		TEST(is_killed_while_its_grace_runs),
		TEST(notes_first),
		TEST(says_why_it_was_not_built),
		TEST(does_not_start),
		TEST(is_abandoned),
		TEST(starts_again),
		TEST(is_taken_over),
		TEST(is_taken_over_while_it_is_terminated),
		TEST(is_taken_over_but_cannot_be_watched),
		TEST(is_built_meanwhile),
		TEST(is_not_built),
		TEST(is_built_badly),
		TEST(is_built_but_cannot_be_watched),
		TEST(is_abandoned_while_it_is_built),
		TEST(is_built_at_once_without_threads),
	};

	log_set_level((enum log_level)0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
