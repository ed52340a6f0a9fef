/* SPDX-License-Identifier: Apache-2.0 */
#include "cacher/client_extract.h"

#include "cacher/client_pax.h"
#include "cacher/client_sparse.h"
#include "common/cleanup.h"
#include "common/remove_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#define COPY_STEP (64l * 1024l * 1024l)

/* A destination: its directory, its name in there, and a temporary name. */
struct place {
	int dir_fd;
	char base[NAME_MAX + 1];
	char temporary[NAME_MAX + 1];
};

static void place_close(struct place *place)
{
	if (place->dir_fd >= 0)
		(void)close(place->dir_fd);
}

#define cleanup_place __attribute__((cleanup(place_close)))

/* Split @destination into directory and name, and open the directory. */
static int place_open(struct place *place, const char *destination, struct error *error)
{
	char parent[PATH_MAX];
	size_t length = strlen(destination);
	const char *slash, *base;

	while (length > 1 && destination[length - 1] == '/')
		length--;
	if (length == 0 || length >= sizeof(parent))
		return error_set(error, EINVAL, "the destination \"%s\" is not a usable path",
				 destination);
	memcpy(parent, destination, length);
	parent[length] = '\0';
	slash = strrchr(parent, '/');
	base = slash ? slash + 1 : parent;
	if (strlen(base) > NAME_MAX)
		return error_set(error, ENAMETOOLONG, "the destination %s has a name too long",
				 destination);
	memcpy(place->base, base, strlen(base) + 1);
	if (slash)
		parent[slash == parent ? 1 : slash - parent] = '\0';
	place->dir_fd = open(slash ? parent : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (place->dir_fd < 0)
		return error_errno(error, errno, "cannot write to %s", slash ? parent : ".");
	(void)snprintf(place->temporary, sizeof(place->temporary), ".cacher-%d", (int)getpid());
	return 0;
}

/* ---- files ---- */

/*
 * Copy the bytes from @offset to @end with copy_file_range(2), or with sendfile(2) where the file
 * systems cannot do that, usually because they differ.
 */
static int copy_part(int in_fd, int out_fd, off_t offset, off_t end, bool *across)
{
	while (offset < end) {
		size_t want = end - offset < COPY_STEP ? (size_t)(end - offset) : COPY_STEP;
		off_t out_offset = offset;
		ssize_t n;

		if (*across && lseek(out_fd, offset, SEEK_SET) < 0)
			return -errno;
		n = *across ? sendfile(out_fd, in_fd, &offset, want)
			    : copy_file_range(in_fd, &offset, out_fd, &out_offset, want, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && !*across &&
		    (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EPERM ||
		     errno == EOPNOTSUPP)) {
			*across = true;
			continue;
		}
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO; /* the file is shorter than announced */
	}
	return 0;
}

/* Copy an unpacked artifact; holes of the stored file stay holes. */
static int copy_file(int in_fd, int out_fd, off_t size)
{
	bool across = false;
	off_t offset = 0;
	int r = 0;

	while (offset < size && r == 0) {
		off_t data = lseek(in_fd, offset, SEEK_DATA);
		off_t end;

		if (data < 0 && errno == ENXIO)
			break; /* a hole to the end */
		if (data < 0)
			data = offset;
		end = lseek(in_fd, data, SEEK_HOLE);
		if (end <= data || end > size)
			end = size;
		r = copy_part(in_fd, out_fd, data, end, &across);
		offset = end;
	}
	return r < 0 || ftruncate(out_fd, size) == 0 ? r : -errno;
}

/* Copy a packed artifact from its pipe; any block of zeroes becomes a hole. */
static int copy_pipe(int in_fd, int out_fd, off_t size)
{
	static uint8_t buffer[256 * 1024];
	off_t offset = 0;
	int r = 0;

	while (offset < size && r == 0) {
		ssize_t n = read(in_fd, buffer, sizeof(buffer));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || n > size - offset)
			return n < 0 ? -errno : -EPIPE; /* the service has died */
		r = client_write_sparse(out_fd, buffer, (size_t)n, offset);
		offset += n;
	}
	return r < 0 || ftruncate(out_fd, size) == 0 ? r : -errno;
}

static int copy_contents(int in_fd, int out_fd, uint64_t size)
{
	struct stat status;

	if (fstat(in_fd, &status) < 0)
		return -errno;
	return S_ISFIFO(status.st_mode) ? copy_pipe(in_fd, out_fd, (off_t)size)
					: copy_file(in_fd, out_fd, (off_t)size);
}

int client_place_file(int fd, const struct cacher_answer *head, const char *destination,
		      struct error *error)
{
	const struct timespec times[2] = {
		{.tv_nsec = UTIME_OMIT},
		{.tv_sec = head->mtime_sec, .tv_nsec = (long)head->mtime_nsec}};
	cleanup_place struct place place = {.dir_fd = -1};
	cleanup_close int out_fd = -1;
	struct stat status;
	int r = place_open(&place, destination, error);

	if (r < 0)
		return r;
	if (fstatat(place.dir_fd, place.base, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(status.st_mode))
		return error_set(error, EISDIR,
				 "%s is a directory: name the file to be written, such as %s/NAME",
				 destination, destination);
	(void)unlinkat(place.dir_fd, place.temporary, 0);
	out_fd = openat(place.dir_fd, place.temporary,
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out_fd < 0)
		return error_errno(error, errno, "cannot make a file beside %s", destination);
	r = copy_contents(fd, out_fd, head->size);
	if (r == 0 && (fchmod(out_fd, head->mode & 07777) < 0 || futimens(out_fd, times) < 0))
		r = -errno;
	if (r == 0 && renameat(place.dir_fd, place.temporary, place.dir_fd, place.base) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(place.dir_fd, place.temporary, 0);
		return error_errno(error, -r, "cannot write %s", destination);
	}
	return 0;
}

/* ---- directories ---- */

static int merge(int from_fd, int to_fd, const char *shown, struct error *error);

/* Merge two directories of one name; move everything else into place. */
static int merge_entry(int from_fd, int to_fd, const char *name, const char *shown,
		       struct error *error)
{
	cleanup_close int from_sub = -1;
	cleanup_close int to_sub = -1;
	struct stat status;

	if (renameat(from_fd, name, to_fd, name) == 0)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return error_errno(error, errno, "cannot write %s in %s", name, shown);
	from_sub = openat(from_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	to_sub = openat(to_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (from_sub < 0 || to_sub < 0 || fstat(from_sub, &status) < 0)
		return error_errno(error, errno, "cannot merge %s in %s", name, shown);
	if (merge(from_sub, to_sub, shown, error) < 0)
		return -error->number;
	if (fchmod(to_sub, status.st_mode & 07777) < 0)
		return error_errno(error, errno, "cannot set the mode of %s in %s", name, shown);
	return 0;
}

static int merge(int from_fd, int to_fd, const char *shown, struct error *error)
{
	cleanup_closedir DIR *dir = NULL;
	struct dirent *entry;
	int fd = openat(from_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (!dir) {
		if (fd >= 0)
			(void)close(fd);
		return error_errno(error, errno, "cannot merge into %s", shown);
	}
	while (errno = 0, (entry = readdir(dir))) {
		int r;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		r = merge_entry(from_fd, to_fd, entry->d_name, shown, error);
		if (r < 0)
			return r;
	}
	return errno ? error_errno(error, errno, "cannot merge into %s", shown) : 0;
}

/* Unpack into a temporary directory within the existing destination, then merge the two. */
static int place_merged(int fd, const char *destination, struct error *error)
{
	cleanup_close int to_fd = open(destination, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int from_fd = -1;
	char temporary[64];
	int r;

	if (to_fd < 0)
		return error_errno(error, errno, "cannot open %s", destination);
	(void)snprintf(temporary, sizeof(temporary), ".cacher-%d", (int)getpid());
	(void)remove_tree(to_fd, temporary);
	if (mkdirat(to_fd, temporary, 0700) < 0)
		return error_errno(error, errno, "cannot write to %s", destination);
	from_fd = openat(to_fd, temporary, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = from_fd < 0 ? error_errno(error, errno, "cannot write to %s", destination)
			: pax_read_directory(fd, from_fd, error);
	if (r == 0)
		r = merge(from_fd, to_fd, destination, error);
	(void)remove_tree(to_fd, temporary);
	return r;
}

int client_place_directory(int fd, const char *destination, struct error *error)
{
	cleanup_place struct place place = {.dir_fd = -1};
	cleanup_close int out_fd = -1;
	struct stat status;
	int r;

	if (stat(destination, &status) == 0) {
		if (S_ISDIR(status.st_mode))
			return place_merged(fd, destination, error);
		return error_set(
			error, ENOTDIR,
			"%s exists and is not a directory: remove it, or give another name",
			destination);
	}
	r = place_open(&place, destination, error);
	if (r < 0)
		return r;
	(void)remove_tree(place.dir_fd, place.temporary);
	if (mkdirat(place.dir_fd, place.temporary, 0700) < 0)
		return error_errno(error, errno, "cannot make a directory beside %s", destination);
	out_fd = openat(place.dir_fd, place.temporary,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = out_fd < 0 ? error_errno(error, errno, "cannot open a directory beside %s", destination)
		       : pax_read_directory(fd, out_fd, error);
	if (r == 0 && renameat(place.dir_fd, place.temporary, place.dir_fd, place.base) < 0)
		r = error_errno(error, errno, "cannot write %s", destination);
	if (r < 0)
		(void)remove_tree(place.dir_fd, place.temporary);
	return r;
}
