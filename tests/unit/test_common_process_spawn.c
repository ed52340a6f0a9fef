/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/process_spawn.h"

#include "tests/unit/cmocka_headers.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* Runs @script. Return: its output to descriptor 5. @ret_pid: reaped already */
static const char *run(const char *script, bool own_group, pid_t *ret_pid)
{
	static char text[4096];
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)script, NULL};
	char *envp[] = {(char *)"WORD=given", NULL};
	int pair[2], status = 0;
	ssize_t n;

	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	assert_int_equal(process_spawn("/bin/sh",
				       &(struct process_request){
					       .argv = argv,
					       .envp = envp,
					       .fds = (struct process_fd[]){{-1, 0}, {pair[1], 5}},
					       .n_fds = 2,
					       .own_group = own_group,
				       },
				       ret_pid),
			 0);
	(void)close(pair[1]);
	n = fd_read_all(pair[0], text, sizeof(text) - 1);
	assert_true(n >= 0);
	text[n] = '\0';
	(void)close(pair[0]);
	assert_int_equal(waitpid(*ret_pid, &status, 0), *ret_pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return text;
}

static void gives_what_was_asked_for(void **state)
{
	pid_t pid;

	assert_string_equal(run("echo $WORD $HOME >&5; readlink /proc/$$/fd/0 >&5", false, &pid),
			    "given\n/dev/null\n");
}

static void resets_signals(void **state)
{
	sigset_t blocked, before;
	const char *text;
	pid_t pid;

	(void)sigemptyset(&blocked);
	(void)sigaddset(&blocked, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &blocked, &before);
	(void)signal(SIGPIPE, SIG_IGN);
	text = run("grep -E 'Sig(Blk|Ign)' /proc/self/status >&5", false, &pid);
	assert_non_null(strstr(text, "SigBlk:\t0000000000000000\n"));
	assert_non_null(strstr(text, "SigIgn:\t"));
	/* 32 and 33 belong to the C library */
	assert_int_equal(strtoull(strstr(text, "SigIgn:\t") + 8, NULL, 16) & 0x7fffffff, 0);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
}

static void makes_a_group_if_wanted(void **state)
{
	static const char script[] = "cut -d ' ' -f 5 /proc/$$/stat >&5";
	char expected[24];
	const char *text;
	pid_t pid;

	text = run(script, true, &pid);
	(void)snprintf(expected, sizeof(expected), "%d\n", (int)pid);
	assert_string_equal(text, expected);
	text = run(script, false, &pid);
	(void)snprintf(expected, sizeof(expected), "%d\n", (int)getpgrp());
	assert_string_equal(text, expected);
}

static void says_what_is_wrong(void **state)
{
	char *argv[] = {(char *)"x", NULL};
	struct process_request request = {.argv = argv, .envp = argv};
	const struct process_fd closed = {.from = 1000, .to = 4};
	pid_t pid = 77;

	assert_int_equal(process_spawn("/nowhere/at/all", &request, &pid), -ENOENT);
	assert_int_equal(process_spawn("/", &request, &pid), -EACCES);
	request.fds = &closed;
	request.n_fds = 1;
	assert_int_equal(process_spawn("/bin/sh", &request, &pid), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_what_was_asked_for),
		cmocka_unit_test(resets_signals),
		cmocka_unit_test(makes_a_group_if_wanted),
		cmocka_unit_test(says_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
