/* SPDX-License-Identifier: Apache-2.0 */
#include "cacher/client_pax.h"

#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define COPY_BYTES (256u * 1024u)
#define USTAR_SIZE_MAX 077777777777ULL

/* A file with several hard links, whose contents are archived once. */
struct seen_inode {
	dev_t dev;
	ino_t ino;
	char *path;
	struct seen_inode *next;
};

#define SEEN_BUCKETS 4096u

struct writer {
	pax_sink_fn sink;
	void *userdata;
	struct error *error;
	const char *name;
	char path[PAX_PATH_MAX]; /* of the current entry, relative */
	size_t path_length;
	unsigned depth;
	uint64_t n_entries;
	uint8_t *copy;
	struct seen_inode *seen[SEEN_BUCKETS];
};

/* Pad @size bytes of contents to whole blocks. */
static int sink_padding(struct writer *writer, uint64_t size)
{
	static const uint8_t zeros[PAX_BLOCK];
	size_t rest = size % PAX_BLOCK;

	return rest ? writer->sink(writer->userdata, zeros, PAX_BLOCK - rest) : 0;
}

static void field_octal(uint8_t *field, size_t width, uint64_t value)
{
	char digits[32];

	(void)snprintf(digits, sizeof(digits), "%0*llo", (int)(width - 1),
		       (unsigned long long)value);
	memcpy(field, digits, width);
}

static void field_text(uint8_t *field, size_t width, const char *text)
{
	size_t length = strlen(text);

	memcpy(field, text, length < width ? length : width);
}

/* Write a header of 512 bytes; an extended header before it has names that do not fit. */
static int write_header(struct writer *writer, char type, const char *path, const char *link,
			uint64_t size, unsigned mode, int64_t mtime)
{
	static const uint8_t magic[8] = {'u', 's', 't', 'a', 'r', 0, '0', '0'};
	uint8_t block[PAX_BLOCK] = {0};
	unsigned sum = 0;

	field_text(block, 100, path);
	field_octal(block + 100, 8, mode & 07777);
	field_octal(block + 108, 8, 0);
	field_octal(block + 116, 8, 0);
	field_octal(block + 124, 12, size <= USTAR_SIZE_MAX ? size : 0);
	field_octal(block + 136, 12,
		    mtime < 0 || (uint64_t)mtime > USTAR_SIZE_MAX ? 0 : (uint64_t)mtime);
	memset(block + 148, ' ', 8);
	block[156] = (uint8_t)type;
	field_text(block + 157, 100, link);
	memcpy(block + 257, magic, sizeof(magic));
	field_text(block + 265, 32, "root");
	field_text(block + 297, 32, "root");
	for (size_t i = 0; i < sizeof(block); i++)
		sum += block[i];
	field_octal(block + 148, 7, sum);
	return writer->sink(writer->userdata, block, sizeof(block));
}

/* Append "length key=value\n", where length counts itself. */
static size_t put_record(char *out, const char *key, const char *value, size_t value_length)
{
	size_t body = strlen(key) + value_length + 3;
	size_t length = body + 1;
	int n;

	while (length != body + (size_t)snprintf(NULL, 0, "%zu", length))
		length = body + (size_t)snprintf(NULL, 0, "%zu", length);
	n = sprintf(out, "%zu %s=", length, key);
	memcpy(out + n, value, value_length);
	out[(size_t)n + value_length] = '\n';
	return length;
}

static int write_extended(struct writer *writer, const char *path, const char *link, uint64_t size,
			  const struct timespec *mtime)
{
	char records[2 * PAX_PATH_MAX + 512];
	char text[64];
	size_t length = 0;
	int n;

	if (strlen(path) > 100)
		length += put_record(records + length, "path", path, strlen(path));
	if (strlen(link) > 100)
		length += put_record(records + length, "linkpath", link, strlen(link));
	if (size > USTAR_SIZE_MAX) {
		n = snprintf(text, sizeof(text), "%llu", (unsigned long long)size);
		length += put_record(records + length, "size", text, (size_t)n);
	}
	if (mtime->tv_nsec != 0 || mtime->tv_sec < 0 || (uint64_t)mtime->tv_sec > USTAR_SIZE_MAX) {
		/* a time before 1970 is one negative decimal number, with its nanoseconds */
		if (mtime->tv_sec < 0 && mtime->tv_nsec != 0)
			n = snprintf(text, sizeof(text), "-%lld.%09ld",
				     -(long long)(mtime->tv_sec + 1), 1000000000L - mtime->tv_nsec);
		else
			n = snprintf(text, sizeof(text), "%lld.%09ld", (long long)mtime->tv_sec,
				     mtime->tv_nsec);
		length += put_record(records + length, "mtime", text, (size_t)n);
	}
	if (length == 0)
		return 0;
	n = write_header(writer, 'x', "PaxHeader", "", length, 0644, 0);
	if (n == 0)
		n = writer->sink(writer->userdata, records, length);
	return n < 0 ? n : sink_padding(writer, length);
}

static int write_entry(struct writer *writer, char type, const char *link, uint64_t size,
		       const struct stat *status)
{
	char path[PAX_PATH_MAX + 2];
	int r;

	if (++writer->n_entries > PAX_ENTRIES_MAX)
		return error_set(writer->error, EFBIG, "%s holds more than %u files: pack it first",
				 writer->name, PAX_ENTRIES_MAX);
	(void)snprintf(path, sizeof(path), "%s%s", writer->path_length ? writer->path : ".",
		       type == '5' ? "/" : "");
	r = write_extended(writer, path, link, size, &status->st_mtim);
	if (r == 0)
		r = write_header(writer, type, path, link, size, status->st_mode,
				 status->st_mtim.tv_sec);
	return r;
}

/* Write exactly @size bytes: a file that has shrunk since is an error, growth is left out. */
static int write_contents(struct writer *writer, int fd, uint64_t size)
{
	uint64_t left = size;
	ssize_t n;
	int r;

	while (left > 0) {
		n = read(fd, writer->copy, left < COPY_BYTES ? left : COPY_BYTES);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(writer->error, errno, "cannot read %s/%s", writer->name,
					   writer->path);
		if (n == 0)
			return error_set(writer->error, ESTALE,
					 "%s/%s became shorter while it was read: put it when "
					 "nothing writes to it",
					 writer->name, writer->path);
		left -= (uint64_t)n;
		r = writer->sink(writer->userdata, writer->copy, (size_t)n);
		if (r < 0)
			return r;
	}
	return sink_padding(writer, size);
}

/* Find the first name of an inode, or remember this one. Return: 1 found, 0 new, -ENOMEM. */
static int seen_before(struct writer *writer, const struct stat *status, const char **ret_path)
{
	struct seen_inode **bucket =
		&writer->seen[(status->st_ino * 0x9e3779b97f4a7c15ULL >> 40) % SEEN_BUCKETS];
	struct seen_inode *seen;

	for (seen = *bucket; seen; seen = seen->next)
		if (seen->ino == status->st_ino && seen->dev == status->st_dev) {
			*ret_path = seen->path;
			return 1;
		}
	seen = calloc(1, sizeof(*seen));
	if (!seen)
		return -ENOMEM;
	seen->dev = status->st_dev;
	seen->ino = status->st_ino;
	seen->path = strdup(writer->path);
	if (!seen->path) {
		free(seen);
		return -ENOMEM;
	}
	seen->next = *bucket;
	*bucket = seen;
	return 0;
}

static int write_file(struct writer *writer, int parent_fd, const char *base)
{
	cleanup_close int fd =
		openat(parent_fd, base, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	const char *first = NULL;
	struct stat status;
	int r;

	if (fd < 0 || fstat(fd, &status) < 0)
		return error_errno(writer->error, errno, "cannot read %s/%s", writer->name,
				   writer->path);
	if (!S_ISREG(status.st_mode))
		return error_set(writer->error, ESTALE, "%s/%s changed while it was read",
				 writer->name, writer->path);
	if (status.st_nlink > 1) {
		r = seen_before(writer, &status, &first);
		if (r < 0)
			return error_set(writer->error, -r, "out of memory");
		if (r > 0)
			return write_entry(writer, '1', first, 0, &status);
	}
	r = write_entry(writer, '0', "", (uint64_t)status.st_size, &status);
	return r < 0 ? r : write_contents(writer, fd, (uint64_t)status.st_size);
}

static int write_symlink(struct writer *writer, int parent_fd, const char *base,
			 const struct stat *status)
{
	char target[PAX_PATH_MAX];
	ssize_t n = readlinkat(parent_fd, base, target, sizeof(target) - 1);

	if (n < 0)
		return error_errno(writer->error, errno, "cannot read the link %s/%s", writer->name,
				   writer->path);
	target[n] = '\0';
	return write_entry(writer, '2', target, 0, status);
}

static int write_tree(struct writer *writer, int dir_fd);

static int write_subdirectory(struct writer *writer, int parent_fd, const char *base)
{
	cleanup_close int fd =
		openat(parent_fd, base, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_DIRECTORY);
	int r;

	if (fd < 0)
		return error_errno(writer->error, errno, "cannot read the directory %s/%s",
				   writer->name, writer->path);
	if (++writer->depth > PAX_DEPTH_MAX)
		return error_set(writer->error, ELOOP,
				 "%s is nested deeper than %u directories: pack it first",
				 writer->name, PAX_DEPTH_MAX);
	r = write_tree(writer, fd);
	writer->depth--;
	return r;
}

static int write_child(struct writer *writer, int dir_fd, const char *base)
{
	size_t old_length = writer->path_length;
	struct stat status;
	int n, r;

	n = snprintf(writer->path + old_length, sizeof(writer->path) - old_length, "%s%s",
		     old_length ? "/" : "", base);
	if (n < 0 || (size_t)n + old_length >= sizeof(writer->path)) {
		writer->path[old_length] = '\0';
		return error_set(writer->error, ENAMETOOLONG,
				 "a path beneath %s/%s is longer than %u bytes: pack it first",
				 writer->name, writer->path, PAX_PATH_MAX - 1);
	}
	writer->path_length += (size_t)n;
	if (fstatat(dir_fd, base, &status, AT_SYMLINK_NOFOLLOW) < 0)
		r = error_errno(writer->error, errno, "cannot read %s/%s", writer->name,
				writer->path);
	else if (S_ISREG(status.st_mode))
		r = write_file(writer, dir_fd, base);
	else if (S_ISLNK(status.st_mode))
		r = write_symlink(writer, dir_fd, base, &status);
	else if (S_ISDIR(status.st_mode))
		r = write_subdirectory(writer, dir_fd, base);
	else
		r = error_set(writer->error, EINVAL,
			      "%s/%s is a device, FIFO or socket: remove it, or put a directory "
			      "without it",
			      writer->name, writer->path);
	writer->path_length = old_length;
	writer->path[old_length] = '\0';
	return r;
}

static int write_tree(struct writer *writer, int dir_fd)
{
	cleanup_closedir DIR *dir = NULL;
	struct dirent *entry;
	struct stat status;
	int copy, r;

	if (fstat(dir_fd, &status) < 0)
		return error_errno(writer->error, errno, "cannot read %s/%s", writer->name,
				   writer->path);
	r = write_entry(writer, '5', "", 0, &status);
	if (r < 0)
		return r;
	copy = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = copy >= 0 ? fdopendir(copy) : NULL;
	if (!dir) {
		r = error_errno(writer->error, errno, "cannot list %s/%s", writer->name,
				writer->path);
		if (copy >= 0)
			(void)close(copy);
		return r;
	}
	while (errno = 0, (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		r = write_child(writer, dir_fd, entry->d_name);
		if (r < 0)
			return r;
	}
	if (errno)
		return error_errno(writer->error, errno, "cannot list %s/%s", writer->name,
				   writer->path);
	return 0;
}

int pax_write_directory(int dir_fd, const char *name, pax_sink_fn sink, void *userdata,
			struct error *error)
{
	static const uint8_t end[2 * PAX_BLOCK];
	struct writer *writer = calloc(1, sizeof(*writer));
	int r = -ENOMEM;

	if (writer)
		writer->copy = malloc(COPY_BYTES);
	if (!writer || !writer->copy) {
		free(writer);
		return error_set(error, ENOMEM, "out of memory");
	}
	writer->sink = sink;
	writer->userdata = userdata;
	writer->error = error;
	writer->name = name;
	r = write_tree(writer, dir_fd);
	if (r == 0)
		r = sink(userdata, end, sizeof(end));
	for (size_t i = 0; i < SEEN_BUCKETS; i++)
		while (writer->seen[i]) {
			struct seen_inode *seen = writer->seen[i];

			writer->seen[i] = seen->next;
			free(seen->path);
			free(seen);
		}
	free(writer->copy);
	free(writer);
	return r;
}
