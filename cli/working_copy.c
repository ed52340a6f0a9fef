/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/working_copy.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/names.h"

#include <ctype.h>
#include <fcntl.h>
#include <grp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

void working_copy_name(char out[PROJECT_NAME_MAX + 1], const char *directory)
{
	const char *slash = strrchr(directory, '/'), *last = slash ? slash + 1 : directory;
	size_t length = 0;

	for (; *last && length < PROJECT_NAME_MAX; last++) {
		char letter = (char)tolower((unsigned char)*last);
		bool first = length == 0;

		if (isalnum((unsigned char)letter) ||
		    (!first && (letter == '-' || letter == '_')) ||
		    (!first && letter == '.' && out[length - 1] != '.'))
			out[length++] = letter;
		else if (!first && out[length - 1] != '-')
			out[length++] = '-';
	}
	out[length] = '\0';
	if (!project_name_valid(out))
		(void)snprintf(out, PROJECT_NAME_MAX + 1, "workspace");
}

/* In the child: become @owner and execute git. */
static void git_child(const char *directory, const char *const *arguments, int output,
		      const struct stat *owner)
{
	const char *argv[16] = {"git", "-C", directory};
	size_t n = 3;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	while (*arguments && n + 1 < ARRAY_SIZE(argv))
		argv[n++] = *arguments++;
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
	    dup2(null, STDERR_FILENO) < 0)
		_exit(127);
	if (geteuid() == 0 && owner->st_uid != 0 &&
	    (setgroups(0, NULL) < 0 || setgid(owner->st_gid) < 0 || setuid(owner->st_uid) < 0))
		_exit(127);
	(void)setenv("GIT_OPTIONAL_LOCKS", "0", 1);
	(void)execvp("git", (char *const *)argv);
	_exit(127);
}

/* Run git and copy the first line of its output, "" when it fails. */
static void git_ask(const char *directory, const char *const *arguments, char *out, size_t size)
{
	struct stat owner;
	int pipe_fds[2], status;
	ssize_t got;
	pid_t pid;

	out[0] = '\0';
	if (stat(directory, &owner) < 0 || pipe2(pipe_fds, O_CLOEXEC) < 0)
		return;
	pid = fork();
	if (pid == 0)
		git_child(directory, arguments, pipe_fds[1], &owner);
	(void)close(pipe_fds[1]);
	got = pid > 0 ? fd_read_all(pipe_fds[0], out, size - 1) : -1;
	(void)close(pipe_fds[0]);
	out[got > 0 ? got : 0] = '\0';
	out[strcspn(out, "\n")] = '\0';
	if (pid > 0 && (waitpid(pid, &status, 0) != pid || status != 0))
		out[0] = '\0';
}

void working_copy_git(const char *directory, struct working_copy_git *ret_git)
{
	static const char *const head[] = {"rev-parse", "--verify", "-q", "HEAD", NULL};
	static const char *const branch[] = {"symbolic-ref", "-q", "HEAD", NULL};

	git_ask(directory, head, ret_git->commit, sizeof(ret_git->commit));
	if (!commit_valid(ret_git->commit))
		ret_git->commit[0] = '\0';
	git_ask(directory, branch, ret_git->ref, sizeof(ret_git->ref));
	if (!ref_name_valid(ret_git->ref))
		ret_git->ref[0] = '\0';
}
