/* SPDX-License-Identifier: Apache-2.0 */

/* The states of runbookd: which changes are allowed, and that others fail an assertion. */

#include "common/cleanup.h"
#include "common/log.h"
#include "daemon/daemon.h"

#include "tests/unit/cmocka_headers.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
	enum daemon_state from, to;
} changes[] = {
	{DAEMON_STARTING, DAEMON_READY},    {DAEMON_STARTING, DAEMON_STOPPING},
	{DAEMON_STARTING, DAEMON_LEAVING},  {DAEMON_STARTING, DAEMON_BECOMING},
	{DAEMON_READY, DAEMON_STOPPING},    {DAEMON_READY, DAEMON_LEAVING},
	{DAEMON_READY, DAEMON_BECOMING},    {DAEMON_STOPPING, DAEMON_REPORTING},
	{DAEMON_REPORTING, DAEMON_CLOSING}, {DAEMON_BECOMING, DAEMON_READY},
	{DAEMON_BECOMING, DAEMON_STARTING},
};

static bool expected(enum daemon_state from, enum daemon_state to)
{
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		if (changes[i].from == from && changes[i].to == to)
			return true;
	}
	return false;
}

/* In a process of its own, which a failed assertion ends. */
static bool dies_of(enum daemon_state from, enum daemon_state to)
{
	pid_t pid = fork();
	int status = 0;

	assert_true(pid >= 0);
	if (pid == 0) {
		const struct rlimit none = {.rlim_cur = 0};
		struct daemon *daemon = calloc(1, sizeof(*daemon));

		(void)setrlimit(RLIMIT_CORE, &none);
		(void)signal(SIGABRT, SIG_DFL);
		(void)fclose(stderr); /* what assert(3) prints */
		if (!daemon)
			_exit(2);
		daemon->state = from;
		daemon_state_set(daemon, to);
		_exit(daemon->state == to ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) || WTERMSIG(status) == SIGABRT);
	if (WIFEXITED(status))
		assert_int_equal(WEXITSTATUS(status), 0);
	return !WIFEXITED(status);
}

static void changes_only_as_allowed(void **state)
{
	for (unsigned from = 0; from < DAEMON_STATE_NUM; from++) {
		for (unsigned to = 0; to < DAEMON_STATE_NUM; to++) {
			bool right = expected(from, to);

			assert_int_equal(daemon_state_allowed(from, to), right);
			assert_int_equal(dies_of(from, to), !right);
		}
	}
	assert_false(daemon_state_allowed(DAEMON_STARTING, DAEMON_STATE_NUM));
	assert_false(daemon_state_allowed(DAEMON_STATE_NUM, DAEMON_READY));
}

static void has_names(void **state)
{
	for (unsigned a = 0; a < DAEMON_STATE_NUM; a++) {
		for (unsigned b = 0; b < a; b++)
			assert_string_not_equal(daemon_state_name(a), daemon_state_name(b));
	}
	assert_string_equal(daemon_state_name(DAEMON_STATE_NUM), "invalid");
}

static void ends_or_not(void **state)
{
	assert_false(daemon_state_ends(DAEMON_STARTING) || daemon_state_ends(DAEMON_READY));
	for (unsigned at = DAEMON_STOPPING; at < DAEMON_STATE_NUM; at++) {
		assert_true(daemon_state_ends(at));
		assert_int_equal(daemon_state_leaves(at),
				 at == DAEMON_LEAVING || at == DAEMON_BECOMING);
	}
	assert_false(daemon_state_leaves(DAEMON_STARTING) || daemon_state_leaves(DAEMON_READY));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_only_as_allowed),
		cmocka_unit_test(has_names),
		cmocka_unit_test(ends_or_not),
	};

	log_set_level((enum log_level)0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
