/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a work tree's .git. Together with the references of a view (view.h) it is just enough
 * for git status, log and describe in a sandbox.
 */
#include "fetcher/tree.h"

#include "common/cleanup.h"
#include "common/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIRROR_IN_SANDBOX "/run/runbookd/mirror/objects"

/*
 * Through overlay and idmapped mount a sandbox sees other inode numbers and owners than the index
 * has. With these settings git compares the fields that stay the same, and git status need not
 * read every file.
 */
static const char config_text[] = "[core]\n"
				  "\trepositoryformatversion = 0\n"
				  "\tfilemode = true\n"
				  "\tbare = false\n"
				  "\tlogallrefupdates = false\n"
				  "\ttrustctime = false\n"
				  "\tcheckStat = minimal\n";

static int file_write(int dir_fd, const char *name, const char *text, size_t size)
{
	cleanup_close int fd =
		openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

	if (fd < 0)
		return -errno;
	return fd_write_all(fd, text, size);
}

static int head_write(int git_fd, const char *commit)
{
	char head[COMMIT_HEX_MAX + 2];

	(void)snprintf(head, sizeof(head), "%s\n", commit);
	return file_write(git_fd, "HEAD", head, strlen(head));
}

int tree_git_write(int tree_fd, const char *commit, struct fetch_result *result)
{
	static const char *const directories[] = {
		".git",	     ".git/objects",	".git/objects/info", ".git/objects/pack",
		".git/refs", ".git/refs/heads", ".git/refs/tags",    ".git/info"};
	static const char alternates[] = MIRROR_IN_SANDBOX "\n";
	cleanup_close int git_fd = -1;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(directories); i++)
		r = mkdirat(tree_fd, directories[i], 0755) < 0 ? -errno : 0;
	if (r == 0) {
		git_fd = openat(tree_fd, ".git", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = git_fd < 0 ? -errno : 0;
	}
	if (r == 0)
		r = head_write(git_fd, commit);
	if (r == 0)
		r = file_write(git_fd, "config", config_text, strlen(config_text));
	if (r == 0)
		r = file_write(git_fd, "objects/info/alternates", alternates, strlen(alternates));
	if (r < 0)
		return fetch_fail_errno(result, -r, "cannot write the tree's .git");
	return 0;
}

int tree_git_write_diff(int tree_fd, const char *commit, struct fetch_result *result)
{
	cleanup_close int git_fd = -1;
	int r = mkdirat(tree_fd, ".git", 0755) < 0 ? -errno : 0;

	if (r == 0) {
		git_fd = openat(tree_fd, ".git", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = git_fd < 0 ? -errno : head_write(git_fd, commit);
	}
	if (r < 0)
		return fetch_fail_errno(result, -r, "cannot write the tree's .git");
	return 0;
}
