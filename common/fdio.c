/* SPDX-License-Identifier: Apache-2.0 */
#include "common/fdio.h"

#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

int fd_write_all(int fd, const void *data, size_t size)
{
	const char *p = data;

	while (size > 0) {
		ssize_t n = write(fd, p, size);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

ssize_t fd_read_all(int fd, void *data, size_t size)
{
	char *p = data;
	size_t used = 0;

	while (used < size) {
		ssize_t n = read(fd, p + used, size - used);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (n == 0)
			break;
		used += (size_t)n;
	}
	return (ssize_t)used;
}

int fd_read_file(int fd, size_t limit, char **ret_data, size_t *ret_size)
{
	cleanup_free char *data = NULL;
	size_t room = 0;
	size_t used = 0;

	/* grow with the data: st_size of an untrusted file may be wrong */
	for (;;) {
		ssize_t n;

		if (room - used < 2) {
			size_t bigger = room ? room * 2 : 4096;
			char *grown;

			if (bigger > limit + 2)
				bigger = limit + 2;
			grown = realloc(data, bigger);
			if (!grown)
				return -ENOMEM;
			data = grown;
			room = bigger;
		}
		n = read(fd, data + used, room - used - 1);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (n == 0)
			break;
		used += (size_t)n;
		if (used > limit)
			return -EFBIG;
	}
	data[used] = '\0';
	*ret_data = TAKE_PTR(data);
	*ret_size = used;
	return 0;
}

int open_parent_directory(int dir_fd, const char *path)
{
	char parent[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int fd;

	if (!slash) {
		strcpy(parent, ".");
	} else if (slash == path) {
		strcpy(parent, "/");
	} else {
		if ((size_t)(slash - path) >= sizeof(parent))
			return -ENAMETOOLONG;
		memcpy(parent, path, (size_t)(slash - path));
		parent[slash - path] = '\0';
	}
	fd = openat(dir_fd, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int sync_parent(int dir_fd, const char *path)
{
	cleanup_close int fd = open_parent_directory(dir_fd, path);

	if (fd < 0)
		return fd;
	return fsync(fd) < 0 ? -errno : 0;
}

int file_replace(int dir_fd, const char *path, const void *data, size_t size, mode_t mode)
{
	char temporary[PATH_MAX];
	cleanup_close int fd = -1;
	uint64_t random;
	int r;

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -EIO;
	if (snprintf(temporary, sizeof(temporary), "%s.%016llx.tmp", path,
		     (unsigned long long)random) >= (int)sizeof(temporary))
		return -ENAMETOOLONG;
	fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return -errno;
	r = fchmod(fd, mode) < 0 ? -errno : fd_write_all(fd, data, size);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && renameat(dir_fd, temporary, dir_fd, path) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(dir_fd, temporary, 0);
		return r;
	}
	return sync_parent(dir_fd, path);
}

int memfd_sealed(const char *name, const void *data, size_t size)
{
	cleanup_close int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, data, size);
	if (r < 0)
		return r;
	if (lseek(fd, 0, SEEK_SET) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int fd_set_nonblock(int fd, int on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	return fcntl(fd, F_SETFL, flags) < 0 ? -errno : 0;
}

int fd_set_cloexec(int fd, int on)
{
	return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) < 0 ? -errno : 0;
}

int make_directories(int dir_fd, const char *path, mode_t mode)
{
	char part[PATH_MAX];
	size_t length = strlen(path);

	if (length >= sizeof(part))
		return -ENAMETOOLONG;
	memcpy(part, path, length + 1);
	/* usually only the last directory is missing, or none */
	if (mkdirat(dir_fd, part, mode) == 0 || errno == EEXIST)
		return 0;
	if (errno != ENOENT)
		return -errno;
	for (size_t i = 1; i <= length; i++) {
		if (part[i] != '/' && part[i] != '\0')
			continue;
		part[i] = '\0';
		if (mkdirat(dir_fd, part, mode) < 0 && errno != EEXIST)
			return -errno;
		if (i < length)
			part[i] = '/';
	}
	return 0;
}
