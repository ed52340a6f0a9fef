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
	char path[FETCH_PATH_MAX + 1]; /* of the entry at hand, normalized */
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
		return fetch_fail(unpack->result, FETCH_UNREACHABLE, "cannot write \"%s\": %s",
				  shown, strerror(-failure));
	}
}

/*
 * "./a//b/" becomes "a/b"; "." becomes "".
 * Return: 0, or -errno with the reason set.
 */
static int path_normalize(struct unpack *unpack, const char *path, char *out, size_t size)
{
	size_t used = 0;
	unsigned depth = 0;

	if (!path || !*path)
		return refuse(unpack, "", "has an empty or undecodable name");
	if (path[0] == '/')
		return refuse(unpack, path, "is an absolute path");
	while (*path) {
		size_t n = strcspn(path, "/");

		if (n == 2 && memcmp(path, "..", 2) == 0)
			return refuse(unpack, path, "points at a directory above");
		if (n > FETCH_NAME_MAX || used + n + 2 > size)
			return refuse(unpack, path, "has a name or path that is too long");
		if (n > 0 && !(n == 1 && path[0] == '.')) {
			if (++depth > FETCH_DEPTH_MAX)
				return refuse(unpack, path, "is too many directories deep");
			if (used > 0)
				out[used++] = '/';
			memcpy(out + used, path, n);
			used += n;
		}
		path += n + (path[n] == '/');
	}
	out[used] = '\0';
	return 0;
}

/*
 * The directory that the entry goes into, made if the archive left it out. Each
 * call walks from the top with RESOLVE_BENEATH and without symlinks, so that no
 * earlier entry can send a later one elsewhere.
 * Return: descriptor or -errno; *@ret_name is the last part of the path.
 */
static int parent_open(struct unpack *unpack, const char *path, bool make, const char **ret_name)
{
	char parent[FETCH_PATH_MAX + 1];
	const char *slash = strrchr(path, '/');
	int fd;

	*ret_name = slash ? slash + 1 : path;
	if (!slash)
		return fcntl(unpack->tree_fd, F_DUPFD_CLOEXEC, 3);
	memcpy(parent, path, (size_t)(slash - path));
	parent[slash - path] = '\0';
	fd = open_beneath(unpack->tree_fd, parent, O_RDONLY | O_DIRECTORY, 0);
	if (fd == -ENOENT && make) {
		const char *name;
		cleanup_close int above = parent_open(unpack, parent, true, &name);

		if (above < 0)
			return above;
		if (++unpack->n_entries > unpack->limits->tree_entries)
			return -EDQUOT;
		if (mkdirat(above, name, 0755) < 0)
			return -errno;
		fd = openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		return fd < 0 ? -errno : fd;
	}
	return fd;
}

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
					  "the upload is no readable tar: %s",
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
	/* a sparse file ends in a hole that has no data block */
	if (r == 0 && ftruncate(fd, (off_t)size) < 0)
		r = disk_failed(unpack, -errno);
	/* kept, so that make(1) inside sees what it would see outside */
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
	int r = path_normalize(unpack, target, path, sizeof(path));

	if (r < 0)
		return r;
	target_fd = parent_open(unpack, path, false, &target_name);
	if (target_fd < 0 || fstatat(target_fd, target_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(st.st_mode))
		return refuse(unpack, unpack->path, "is a hard link to what is no file before it");
	/* without AT_SYMLINK_FOLLOW the link itself would be linked, and that was excluded */
	if (linkat(target_fd, target_name, dir_fd, name, 0) < 0)
		return disk_failed(unpack, -errno);
	return 0;
}

static int unpack_entry(struct unpack *unpack, struct archive_entry *entry)
{
	const char *hardlink = archive_entry_hardlink(entry);
	cleanup_close int dir_fd = -1;
	const char *name;
	int r;

	r = path_normalize(unpack, archive_entry_pathname(entry), unpack->path,
			   sizeof(unpack->path));
	if (r < 0 || !unpack->path[0])
		return r; /* "./" is the top itself */
	if (++unpack->n_entries > unpack->limits->tree_entries)
		return refuse(unpack, unpack->path, "takes the upload over its limit of entries");
	dir_fd = parent_open(unpack, unpack->path, true, &name);
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

	/* two formats and two filters: no more parsers than are needed */
	if (archive_read_support_format_tar(archive) != ARCHIVE_OK ||
	    archive_read_support_filter_gzip(archive) < ARCHIVE_WARN ||
	    archive_read_support_filter_zstd(archive) < ARCHIVE_WARN ||
	    archive_read_open_fd(archive, tar_fd, READ_BLOCK) != ARCHIVE_OK)
		return fetch_fail(unpack->result, FETCH_REFUSED,
				  "the upload is no readable tar: %s",
				  archive_error_string(archive));
	for (;;) {
		struct archive_entry *entry;
		int code = archive_read_next_header(archive, &entry);

		if (code == ARCHIVE_EOF)
			return 0;
		if (code < ARCHIVE_WARN)
			return fetch_fail(unpack->result, FETCH_REFUSED,
					  "the upload is no readable tar: %s",
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
