/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/working_copy.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/names.h"

#include <archive.h>
#include <archive_entry.h>
#include <ctype.h>
#include <errno.h>
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

/* In the child: become @owner and be git. */
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

/* First line that git prints, "" when it fails. */
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

/* ---- tar ---- */

struct tar {
	struct archive *disk;
	struct archive *out;
	const char *directory;
	const char *runbook_text;
	struct error *error;
};

static int tar_error(struct tar *tar, struct archive *archive, const char *path)
{
	int number = archive_errno(archive);

	return error_set(tar->error, number > 0 ? number : EIO, "cannot pack %s: %s", path,
			 archive_error_string(archive) ? archive_error_string(archive)
						       : "unknown error");
}

static int tar_put_data(struct tar *tar, const char *path)
{
	static char block[256 * 1024];

	for (;;) { /* holes of sparse files are read as zeros */
		la_ssize_t got = archive_read_data(tar->disk, block, sizeof(block));

		if (got == 0)
			return 0;
		if (got < 0)
			return tar_error(tar, tar->disk, path);
		if (archive_write_data(tar->out, block, (size_t)got) != got)
			return tar_error(tar, tar->out, path);
	}
}

static int tar_put_text(struct tar *tar, struct archive_entry *entry)
{
	size_t size = strlen(tar->runbook_text);

	archive_entry_set_size(entry, (int64_t)size);
	archive_entry_sparse_clear(entry);
	if (archive_write_header(tar->out, entry) != ARCHIVE_OK ||
	    archive_write_data(tar->out, tar->runbook_text, size) != (la_ssize_t)size)
		return tar_error(tar, tar->out, "runbook.yml");
	return 0;
}

static int tar_put_entry(struct tar *tar, struct archive_entry *entry)
{
	const char *path = archive_entry_pathname(entry);
	const char *name = path + strlen(tar->directory);
	mode_t type = archive_entry_filetype(entry);
	cleanup_free char *copy = NULL;

	while (*name == '/')
		name++;
	if (*name == '\0') /* the directory itself */
		return 0;
	if (type != AE_IFREG && type != AE_IFDIR && type != AE_IFLNK)
		return 0; /* sockets, pipes and devices are no part of a repository */
	copy = strdup(name);
	if (!copy)
		return error_set(tar->error, ENOMEM, "out of memory");
	archive_entry_copy_pathname(entry, copy);
	archive_entry_set_uid(entry, 0);
	archive_entry_set_gid(entry, 0);
	archive_entry_set_uname(entry, NULL);
	archive_entry_set_gname(entry, NULL);
	archive_entry_sparse_clear(entry);
	if (tar->runbook_text && type == AE_IFREG && strcmp(copy, "runbook.yml") == 0)
		return tar_put_text(tar, entry);
	if (archive_write_header(tar->out, entry) != ARCHIVE_OK)
		return tar_error(tar, tar->out, copy);
	return type == AE_IFREG && archive_entry_size(entry) > 0 ? tar_put_data(tar, copy) : 0;
}

static int tar_walk(struct tar *tar)
{
	struct archive_entry *entry = archive_entry_new();
	int result = 0;

	if (!entry)
		return error_set(tar->error, ENOMEM, "out of memory");
	if (archive_read_disk_open(tar->disk, tar->directory) != ARCHIVE_OK)
		result = tar_error(tar, tar->disk, tar->directory);
	while (result == 0) {
		int next = archive_read_next_header2(tar->disk, entry);

		if (next == ARCHIVE_EOF)
			break;
		if (next != ARCHIVE_OK)
			result = tar_error(tar, tar->disk, tar->directory);
		else
			result = tar_put_entry(tar, entry);
		(void)archive_read_disk_descend(tar->disk);
		archive_entry_clear(entry);
	}
	archive_entry_free(entry);
	if (result == 0 && archive_write_close(tar->out) != ARCHIVE_OK)
		result = tar_error(tar, tar->out, tar->directory);
	return result;
}

int working_copy_tar(const char *directory, const char *runbook_text, uint64_t *ret_size,
		     struct error *error)
{
	struct tar tar = {.disk = archive_read_disk_new(),
			  .out = archive_write_new(),
			  .directory = directory,
			  .runbook_text = runbook_text,
			  .error = error};
	const char *temporary = getenv("TMPDIR");
	cleanup_close int fd = -1;
	int result;
	struct stat st;

	if (!temporary || *temporary != '/')
		temporary = "/tmp";
	fd = open(temporary, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0) {
		result = error_errno(error, errno, "cannot make a temporary file in %s", temporary);
	} else if (!tar.disk || !tar.out) {
		result = error_set(error, ENOMEM, "out of memory");
	} else {
		(void)archive_read_disk_set_symlink_physical(tar.disk);
		(void)archive_write_set_format_pax_restricted(tar.out);
		(void)archive_write_set_bytes_in_last_block(tar.out, 1);
		result = archive_write_open_fd(tar.out, fd) == ARCHIVE_OK
				 ? tar_walk(&tar)
				 : tar_error(&tar, tar.out, directory);
	}
	(void)archive_read_free(tar.disk);
	(void)archive_write_free(tar.out);
	if (result < 0)
		return result;
	if (fstat(fd, &st) < 0)
		return error_errno(error, errno, "fstat");
	if ((uint64_t)st.st_size > API_UPLOAD_MAX)
		return error_set(error, EFBIG, "%s is larger than %llu GiB as a tar archive",
				 directory, API_UPLOAD_MAX / GIB);
	*ret_size = (uint64_t)st.st_size;
	return TAKE_FD(fd);
}
