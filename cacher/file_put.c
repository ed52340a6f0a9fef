/* SPDX-License-Identifier: Apache-2.0 */
#include "cacher/file_put.h"

#include "cacher/content.h"
#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#define FUSE_MAGIC 0x65735546L
#define HOLE_STEP (64 * MIB)
#define FILE_CHANGED "the file changed while it was read: put it when nothing writes to it"

/*
 * Accept only files on disk or in memory. Others may block a read without end (FUSE), or have
 * contents that their size does not announce (proc, sysfs).
 */
static int check_file(int fd, struct stat *ret_status, struct error *error)
{
	static const long refused[] = {PROC_SUPER_MAGIC,   SYSFS_MAGIC,	    FUSE_MAGIC,
				       DEBUGFS_MAGIC,	   TRACEFS_MAGIC,   CGROUP2_SUPER_MAGIC,
				       CGROUP_SUPER_MAGIC, SECURITYFS_MAGIC};
	int flags = fcntl(fd, F_GETFL);
	struct statfs file_system;

	if (flags < 0 || fstat(fd, ret_status) < 0 || fstatfs(fd, &file_system) < 0)
		return error_set(error, EINVAL, "the passed descriptor cannot be examined");
	if (!S_ISREG(ret_status->st_mode))
		return error_set(
			error, EINVAL,
			"the passed descriptor is not a regular file: write it to a file first");
	if ((flags & O_PATH) || (flags & O_ACCMODE) == O_WRONLY)
		return error_set(error, EINVAL, "the passed file is not open for reading");
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if ((long)file_system.f_type == refused[i])
			return error_set(error, EINVAL,
					 "the file lies in a pseudo file system: copy it to an "
					 "ordinary file first");
	return 0;
}

/* Store the bytes of @fd from @offset to @end, between two holes. */
static int copy_part(const atomic_bool *cancelled, int fd, uint64_t offset, uint64_t end,
		     struct store_put *put, struct error *error)
{
	while (offset < end) {
		size_t room;
		void *buffer = store_put_room(put, &room);
		ssize_t n =
			pread(fd, buffer, end - offset < room ? end - offset : room, (off_t)offset);
		int r;

		if (atomic_load(cancelled))
			return error_set(error, ECANCELED, "the step has ended");
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set(error, EINVAL, "the file cannot be read: %s",
					 strerror(errno));
		if (n == 0)
			return error_set(error, ESTALE, FILE_CHANGED);
		r = store_put_filled(put, (size_t)n, error);
		if (r != 0)
			return r;
		offset += (uint64_t)n;
	}
	return 0;
}

/* The end of the hole at @offset; @offset if there is none, or lseek(2) cannot tell. */
static uint64_t hole_end(int fd, uint64_t offset, uint64_t size)
{
	off_t data = lseek(fd, (off_t)offset, SEEK_DATA);

	if (data < 0)
		return errno == ENXIO ? size : offset;
	return (uint64_t)data < size ? (uint64_t)data : size;
}

static uint64_t data_end(int fd, uint64_t offset, uint64_t size)
{
	off_t hole = lseek(fd, (off_t)offset, SEEK_HOLE);

	return hole < 0 || (uint64_t)hole > size || (uint64_t)hole <= offset ? size
									     : (uint64_t)hole;
}

/* Store a hole, in pieces, to stop soon when the step has ended. */
static int copy_hole(const atomic_bool *cancelled, uint64_t size, struct store_put *put,
		     struct error *error)
{
	int r = 0;

	while (size > 0 && r == 0) {
		uint64_t n = size < HOLE_STEP ? size : HOLE_STEP;

		if (atomic_load(cancelled))
			return error_set(error, ECANCELED, "the step has ended");
		r = store_put_zeroes(put, n, error);
		size -= n;
	}
	return r;
}

/* Store exactly the size that the file had before; a file that changes meanwhile is an error. */
static int copy_file(const atomic_bool *cancelled, int fd, const struct stat *before,
		     struct store_put *put, struct error *error)
{
	uint64_t size = (uint64_t)before->st_size;
	uint64_t offset = 0;
	struct stat after;
	int r = 0;

	store_put_worth(put, content_worth(fd, size));
	while (offset < size && r == 0) {
		uint64_t data = hole_end(fd, offset, size);
		uint64_t end = data_end(fd, data, size);

		r = copy_hole(cancelled, data - offset, put, error);
		if (r == 0)
			r = copy_part(cancelled, fd, data, end, put, error);
		offset = end;
	}
	if (r != 0)
		return r;
	if (fstat(fd, &after) < 0 || after.st_size != before->st_size ||
	    after.st_mtim.tv_sec != before->st_mtim.tv_sec ||
	    after.st_mtim.tv_nsec != before->st_mtim.tv_nsec)
		return error_set(error, ESTALE, FILE_CHANGED);
	return 0;
}

int file_put(struct store_run *run, const char *key, int fd, const struct file_meta *meta,
	     const atomic_bool *cancelled, struct error *error)
{
	struct store_put *put;
	struct stat status = {0};
	int r = check_file(fd, &status, error);

	if (r < 0)
		return r;
	r = store_put_begin(
		run, key, CACHER_KIND_FILE, meta ? meta->mode & 07777 : status.st_mode & 07777,
		meta ? meta->mtime : status.st_mtim, (uint64_t)status.st_size, &put, error);
	if (r != 0)
		return r;
	r = copy_file(cancelled, fd, &status, put, error);
	if (r != 0) {
		(void)store_put_abort(put);
		return r;
	}
	return store_put_commit(put, error);
}
