/* SPDX-License-Identifier: Apache-2.0 */
#include "common/process_spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>

static int fds_fill(posix_spawn_file_actions_t *actions, const struct process_request *request)
{
	int r = 0;

	for (size_t i = 0; i < request->n_fds && r == 0; i++) {
		const struct process_fd *fd = &request->fds[i];

		if (fd->from < 0)
			r = posix_spawn_file_actions_addopen(actions, fd->to, "/dev/null", O_RDONLY,
							     0);
		else
			r = posix_spawn_file_actions_adddup2(actions, fd->from, fd->to);
	}
	return r;
}

static int attributes_fill(posix_spawnattr_t *attributes, const struct process_request *request)
{
	short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
	sigset_t none, all;
	int r;

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	if (request->own_group)
		flags |= POSIX_SPAWN_SETPGROUP;
	r = posix_spawnattr_setflags(attributes, flags);
	if (r == 0)
		r = posix_spawnattr_setsigmask(attributes, &none);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(attributes, &all);
	return r;
}

int process_spawn(const char *path, const struct process_request *request, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r = posix_spawn_file_actions_init(&actions);

	if (r != 0)
		return -r;
	r = posix_spawnattr_init(&attributes);
	if (r == 0) {
		r = fds_fill(&actions, request);
		if (r == 0)
			r = attributes_fill(&attributes, request);
		if (r == 0)
			r = posix_spawn(ret_pid, path, &actions, &attributes, request->argv,
					request->envp);
		(void)posix_spawnattr_destroy(&attributes);
	}
	(void)posix_spawn_file_actions_destroy(&actions);
	return -r;
}
