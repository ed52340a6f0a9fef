/* SPDX-License-Identifier: Apache-2.0 */
#include "fetcher/unpack.h"

#include "common/beneath.h"
#include "common/cleanup.h"
#include "common/names.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BLOCK (64 * KIB)

struct unpack {
	int tree_fd;
	struct archive *archive;
	const struct fetch_limits *limits;
	struct fetch_result *result;
	uint64_t n_entries;
	uint64_t bytes;
	char path[FETCH_PATH_MAX + 1]; /* of the current entry, normalized */
};

static int refuse(struct unpack *unpack, const char *path, const char *what)
{
	char shown[256];

	text_escape(shown, sizeof(shown), path);
	return fetch_fail(unpack->result, FETCH_REFUSED, "the upload is refused: \"%s\" %s", shown,
			  what);
}

static int disk_failed(struct unpack *unpack, int failure)
{
	char shown[256];

	switch (failure) {
	case -EEXIST:
		return refuse(unpack, unpack->path, "is in it twice");
	case -ELOOP:
	case -ENOTDIR:
	case -EXDEV:
		return refuse(unpack, unpack->path, "leads through a symlink or a file");
	default:
		text_escape(shown, sizeof(shown), unpack->path);
		return fetch_fail_errno(unpack->result, -failure, "cannot write \"%s\"", shown);
	}
}

/* Normalize and check @path into @out. Return: 0, or -errno with the reason set. */
static int path_take(struct unpack *unpack, const char *path, char *out, size_t size)
{
	static const char *const said[] = {
		[PATH_PROBLEM_EMPTY] = "has an empty or undecodable name",
		[PATH_PROBLEM_ABSOLUTE] = "is an absolute path",
		[PATH_PROBLEM_ABOVE] = "points at a directory above",
		[PATH_PROBLEM_LONG] = "has a name or path that is too long",
		[PATH_PROBLEM_DEEP] = "is too many directories deep",
	};
	enum path_problem problem = path_normalize(path, FETCH_DEPTH_MAX, out, size);

	return problem ? refuse(unpack, path ? path : "", said[problem]) : 0;
}

/* A parent directory that the archive does not list counts as an entry, too. */
static int entry_count(void *userdata)
{
	struct unpack *unpack = userdata;

	return ++unpack->n_entries > unpack->limits->tree_entries ? -EDQUOT : 0;
}

/* Write the current entry's data to @fd, with its holes, and count it against the limits. */
static int data_write(struct unpack *unpack, int fd)
{
	for (;;) {
		const void *data;
		size_t size;
		la_int64_t offset;
		int r = archive_read_data_block(unpack->archive, &data, &size, &offset);

		if (r == ARCHIVE_EOF)
			return 0;
		if (r < ARCHIVE_WARN)
			return fetch_fail(unpack->result, FETCH_REFUSED,
					  "the upload is not a readable tar: %s",
					  archive_error_string(unpack->archive));
		unpack->bytes += size;
		if (unpack->bytes > unpack->limits->tree)
			return fetch_fail(unpack->result, FETCH_REFUSED,
					  "the upload unpacks to more than %s",
					  size_text(unpack->limits->tree));
		if (offset < 0 || (uint64_t)offset + size > unpack->limits->blob)
			return refuse(unpack, unpack->path, "is larger than a file may be");
		while (size > 0) {
			ssize_t n = pwrite(fd, data, size, offset);

			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				return disk_failed(unpack, -errno);
			data = (const char *)data + n;
			size -= (size_t)n;
			offset += n;
		}
	}
}

static int unpack_file(struct unpack *unpack, struct archive_entry *entry, int dir_fd,
		       const char *name)
{
	const struct timespec times[2] = {
		{.tv_nsec = UTIME_OMIT},
		{.tv_sec = archive_entry_mtime(entry),
		 .tv_nsec = archive_entry_mtime_is_set(entry) ? archive_entry_mtime_nsec(entry)
							      : UTIME_OMIT},
	};
	uint64_t size = archive_entry_size_is_set(entry) ? (uint64_t)archive_entry_size(entry) : 0;
	bool executable = (archive_entry_perm(entry) & 0111) != 0;
	cleanup_close int fd = -1;
	int r;

	if (size > unpack->limits->blob)
		return refuse(unpack, unpack->path, "is larger than a file may be");
	fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    executable ? 0755 : 0644);
	if (fd < 0)
		return disk_failed(unpack, -errno);
	r = data_write(unpack, fd);
	/* a sparse file may end with a hole, for which no data block comes */
	if (r == 0 && ftruncate(fd, (off_t)size) < 0)
		r = disk_failed(unpack, -errno);
	/* keep times, so that make(1) in the sandbox sees those of the working copy */
	if (r == 0 && futimens(fd, times) < 0)
		r = disk_failed(unpack, -errno);
	return r;
}

static int unpack_directory(struct unpack *unpack, int dir_fd, const char *name)
{
	struct stat st;

	if (mkdirat(dir_fd, name, 0755) == 0)
		return 0;
	if (errno != EEXIST || fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISDIR(st.st_mode))
		return disk_failed(unpack, -EEXIST);
	return 0;
}

static int unpack_symlink(struct unpack *unpack, struct archive_entry *entry, int dir_fd,
			  const char *name)
{
	const char *target = archive_entry_symlink(entry);

	if (!target || !*target || strlen(target) > FETCH_SYMLINK_MAX)
		return refuse(unpack, unpack->path, "is a symlink to nowhere");
	return symlinkat(target, dir_fd, name) < 0 ? disk_failed(unpack, -errno) : 0;
}

static int unpack_hardlink(struct unpack *unpack, const char *target, int dir_fd, const char *name)
{
	char path[FETCH_PATH_MAX + 1];
	const char *target_name;
	cleanup_close int target_fd = -1;
	struct stat st;
	int r = path_take(unpack, target, path, sizeof(path));

	if (r < 0)
		return r;
	target_fd = parent_beneath(unpack->tree_fd, path, NULL, &target_name);
	if (target_fd < 0 || fstatat(target_fd, target_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(st.st_mode))
		return refuse(unpack, unpack->path,
			      "is a hard link to a name that is not a file before it");
	/* no AT_SYMLINK_FOLLOW: a symlink would itself be linked, and those were refused above */
	if (linkat(target_fd, target_name, dir_fd, name, 0) < 0)
		return disk_failed(unpack, -errno);
	return 0;
}

/* Check the path of an entry, make its parent directories, and create it by its type. */
static int unpack_entry(struct unpack *unpack, struct archive_entry *entry)
{
	const struct beneath_make make = {.mode = 0755, .count = entry_count, .userdata = unpack};
	const char *hardlink = archive_entry_hardlink(entry);
	cleanup_close int dir_fd = -1;
	const char *name;
	int r;

	r = path_take(unpack, archive_entry_pathname(entry), unpack->path, sizeof(unpack->path));
	if (r < 0 || !unpack->path[0])
		return r; /* "./" is the top itself */
	dir_fd = entry_count(unpack) < 0
			 ? -EDQUOT
			 : parent_beneath(unpack->tree_fd, unpack->path, &make, &name);
	if (dir_fd == -EDQUOT)
		return refuse(unpack, unpack->path, "takes the upload over its limit of entries");
	if (dir_fd < 0)
		return disk_failed(unpack, dir_fd);
	if (hardlink)
		return unpack_hardlink(unpack, hardlink, dir_fd, name);
	switch (archive_entry_filetype(entry)) {
	case AE_IFREG:
		return unpack_file(unpack, entry, dir_fd, name);
	case AE_IFDIR:
		return unpack_directory(unpack, dir_fd, name);
	case AE_IFLNK:
		return unpack_symlink(unpack, entry, dir_fd, name);
	default:
		return refuse(unpack, unpack->path, "is a device, FIFO or socket");
	}
}

static int unpack_run(struct unpack *unpack, int tar_fd)
{
	struct archive *archive = unpack->archive;
	int r;

	/* only the parsers that are needed */
	if (archive_read_support_format_tar(archive) != ARCHIVE_OK ||
	    archive_read_support_filter_gzip(archive) < ARCHIVE_WARN ||
	    archive_read_support_filter_zstd(archive) < ARCHIVE_WARN ||
	    archive_read_open_fd(archive, tar_fd, READ_BLOCK) != ARCHIVE_OK)
		return fetch_fail(unpack->result, FETCH_REFUSED,
				  "the upload is not a readable tar: %s",
				  archive_error_string(archive));
	for (;;) {
		struct archive_entry *entry;
		int code = archive_read_next_header(archive, &entry);

		if (code == ARCHIVE_EOF)
			return 0;
		if (code < ARCHIVE_WARN)
			return fetch_fail(unpack->result, FETCH_REFUSED,
					  "the upload is not a readable tar: %s",
					  archive_error_string(archive));
		r = unpack_entry(unpack, entry);
		if (r < 0)
			return r;
	}
}

int unpack_tar(int tree_fd, int tar_fd, const struct fetch_limits *limits,
	       struct fetch_result *result)
{
	struct unpack unpack = {
		.tree_fd = tree_fd,
		.archive = archive_read_new(),
		.limits = limits,
		.result = result,
	};
	int r;

	if (!unpack.archive)
		return fetch_fail(result, FETCH_UNREACHABLE, "out of memory");
	r = unpack_run(&unpack, tar_fd);
	(void)archive_read_free(unpack.archive);
	return r;
}
