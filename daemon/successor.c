/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/successor.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "daemon/daemon.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

static char arg_path[PATH_MAX]; /* path of our own program at the start */

void successor_remember(void)
{
	ssize_t length = readlink("/proc/self/exe", arg_path, sizeof(arg_path) - 1);

	arg_path[length < 0 ? 0 : length] = '\0';
}

/* Run the program. @ret_status: of waitpid(2). Return: 0; -errno with @error. */
static int program_test(char **argv, int *ret_status, struct error *error)
{
	pid_t pid;
	int r = posix_spawn(&pid, arg_path, NULL, NULL, argv, environ);

	if (r != 0)
		return error_errno(error, r, "cannot execute %s", arg_path);
	while (waitpid(pid, ret_status, 0) < 0) {
		if (errno != EINTR)
			return error_errno(error, errno, "cannot wait for %s", arg_path);
	}
	return 0;
}

int successor_try(const struct daemon *daemon, struct error *error)
{
	char *argv[] = {arg_path, (char *)"--config-test", (char *)"--adopt-test", NULL, NULL,
			NULL};
	int status = 0;
	int r;

	if (daemon->paths.root[0] != '\0') {
		argv[3] = (char *)"--root";
		argv[4] = (char *)daemon->paths.root;
	}
	/* the program reads the state that it would have to go on with */
	r = fd_store_hand_on(daemon->fds, true);
	if (r < 0)
		(void)error_errno(error, -r, "cannot give %s the kept descriptors", arg_path);
	else
		r = program_test(argv, &status, error);
	(void)fd_store_hand_on(daemon->fds, false);
	if (r < 0)
		return r;
	if (WIFEXITED(status) && WEXITSTATUS(status) == SUCCESSOR_EXIT_USAGE)
		return error_set(
			error, ENOTSUP,
			"%s is an older version, which does not know how to go on with what "
			"this one has begun: stop runbookd, then start the older one",
			arg_path);
	if (WIFEXITED(status) && WEXITSTATUS(status) == SUCCESSOR_EXIT_STEPS)
		return error_set(
			error, ENOTSUP,
			"%s cannot go on with the steps that run: try again when they have "
			"ended, or with another version",
			arg_path);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return error_set(error, EINVAL, "%s --config-test fails (status %#x)", arg_path,
				 (unsigned)status);
	return 0;
}

int successor_become(struct daemon *daemon, char **argv, struct error *error)
{
	int r = fd_store_hand_on(daemon->fds, true);

	if (r == 0) {
		(void)execve(arg_path, argv, environ);
		r = -errno;
	}
	(void)fd_store_hand_on(daemon->fds, false);
	return error_errno(error, -r, "cannot become %s", arg_path);
}
