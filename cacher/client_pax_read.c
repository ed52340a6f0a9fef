/* SPDX-License-Identifier: Apache-2.0 */
#include "cacher/client_pax.h"

#include "cacher/client_sparse.h"
#include "common/beneath.h"
#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define BUFFER_BYTES (256u * 1024u)

/* A directory gets its mode and time last: a mode may forbid writing, and writing sets the time. */
struct made_directory {
	char *path;
	unsigned mode;
	struct timespec mtime;
};

struct entry {
	char type;
	char path[PAX_PATH_MAX];
	char link[PAX_PATH_MAX];
	uint64_t size;
	unsigned mode;
	struct timespec mtime;
};

struct reader {
	int archive_fd;
	int root_fd;
	struct error *error;
	uint8_t *buffer;
	size_t start, end;
	/* the directory of the last entry, kept open */
	int parent_fd;
	char parent[PAX_PATH_MAX];
	struct made_directory *directories;
	size_t n_directories, max_directories;
	uint64_t n_entries;
};

static int damaged(struct reader *reader, const char *why)
{
	return error_set(reader->error, EBADMSG, "the stored archive is damaged: %s", why);
}

/* Up to @want further bytes, not copied. Return: bytes at *ret_data, 0 at the archive's end. */
static ssize_t peek(struct reader *reader, size_t want, const uint8_t **ret_data)
{
	ssize_t n;

	if (reader->start == reader->end) {
		reader->start = reader->end = 0;
		do
			n = read(reader->archive_fd, reader->buffer, BUFFER_BYTES);
		while (n < 0 && errno == EINTR);
		if (n < 0) {
			(void)error_errno(reader->error, errno, "cannot read the stored archive");
			return -EIO;
		}
		reader->end = (size_t)n;
	}
	*ret_data = reader->buffer + reader->start;
	if (want > reader->end - reader->start)
		want = reader->end - reader->start;
	reader->start += want;
	return (ssize_t)want;
}

/* Read exactly @size bytes; @out may be NULL to skip them. */
static int take(struct reader *reader, void *out, size_t size)
{
	const uint8_t *data = NULL;
	size_t done = 0;
	ssize_t n;

	while (done < size) {
		n = peek(reader, size - done, &data);
		if (n < 0)
			return (int)n;
		if (n == 0)
			return damaged(reader, "it ends early");
		if (out)
			memcpy((uint8_t *)out + done, data, (size_t)n);
		done += (size_t)n;
	}
	return 0;
}

static int skip_padding(struct reader *reader, uint64_t size)
{
	return size % PAX_BLOCK ? take(reader, NULL, PAX_BLOCK - size % PAX_BLOCK) : 0;
}

static int parse_octal(const uint8_t *field, size_t width, uint64_t *ret_value)
{
	uint64_t value = 0;
	size_t i = 0;

	while (i < width && field[i] == ' ')
		i++;
	for (; i < width && field[i] >= '0' && field[i] <= '7'; i++) {
		if (value >> 60)
			return -EBADMSG;
		value = value * 8 + (uint64_t)(field[i] - '0');
	}
	for (; i < width; i++)
		if (field[i] != ' ' && field[i] != '\0')
			return -EBADMSG;
	*ret_value = value;
	return 0;
}

static int parse_decimal(const char *text, size_t length, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (length == 0 || length > 19)
		return -EBADMSG;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EBADMSG;
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	*ret_value = value;
	return 0;
}

/* "[-]seconds[.fraction]" */
static int parse_time(const char *text, size_t length, struct timespec *ret_time)
{
	bool negative = length > 0 && text[0] == '-';
	const char *dot;
	uint64_t seconds;
	long nsec = 0;
	long scale = 100000000;

	text += negative;
	length -= negative;
	dot = memchr(text, '.', length);
	if (parse_decimal(text, dot ? (size_t)(dot - text) : length, &seconds) < 0 ||
	    seconds > INT64_MAX / 2)
		return -EBADMSG;
	for (const char *p = dot ? dot + 1 : text + length; p < text + length; p++) {
		if (*p < '0' || *p > '9')
			return -EBADMSG;
		nsec += scale * (*p - '0');
		scale /= 10;
	}
	ret_time->tv_sec = negative ? -(time_t)seconds : (time_t)seconds;
	ret_time->tv_nsec = nsec;
	if (negative && nsec) {
		ret_time->tv_sec--;
		ret_time->tv_nsec = 1000000000L - nsec;
	}
	return 0;
}

/* ---- extended headers ---- */

enum { SET_PATH = 1, SET_LINK = 2, SET_SIZE = 4, SET_MTIME = 8 };

static int copy_name(char *out, const char *value, size_t length)
{
	if (length >= PAX_PATH_MAX || memchr(value, '\0', length))
		return -EBADMSG;
	memcpy(out, value, length);
	out[length] = '\0';
	return 0;
}

/* Apply a record of an extended header; unknown keys are ignored. */
static int apply_record(struct entry *entry, unsigned *set, const char *key, size_t key_length,
			const char *value, size_t length)
{
	static const struct {
		const char *key;
		unsigned flag;
	} known[] = {{"path", SET_PATH},
		     {"linkpath", SET_LINK},
		     {"size", SET_SIZE},
		     {"mtime", SET_MTIME}};
	unsigned flag = 0;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strlen(known[i].key) == key_length && !memcmp(known[i].key, key, key_length))
			flag = known[i].flag;
	*set |= flag;
	switch (flag) {
	case SET_PATH:
		return copy_name(entry->path, value, length);
	case SET_LINK:
		return copy_name(entry->link, value, length);
	case SET_SIZE:
		return parse_decimal(value, length, &entry->size);
	case SET_MTIME:
		return parse_time(value, length, &entry->mtime);
	default:
		return 0;
	}
}

/* "length key=value\n", where length counts the whole record */
static int parse_extended(struct entry *entry, unsigned *set, const char *data, size_t size)
{
	const char *space, *equals;
	uint64_t length;
	size_t head;

	while (size > 0) {
		space = memchr(data, ' ', size < 8 ? size : 8);
		if (!space || parse_decimal(data, (size_t)(space - data), &length) < 0)
			return -EBADMSG;
		head = (size_t)(space - data) + 1;
		if (length > size || length < head + 2 || data[length - 1] != '\n')
			return -EBADMSG;
		equals = memchr(data + head, '=', length - head);
		if (!equals ||
		    apply_record(entry, set, data + head, (size_t)(equals - data) - head,
				 equals + 1, length - 1 - (size_t)(equals + 1 - data)) < 0)
			return -EBADMSG;
		data += length;
		size -= length;
	}
	return 0;
}

static int read_extended(struct reader *reader, struct entry *entry, unsigned *set, uint64_t size)
{
	cleanup_free char *data = NULL;
	int r;

	if (size > PAX_HEADER_MAX)
		return damaged(reader, "an extended header is too long");
	data = calloc(1, size + 1);
	if (!data)
		return error_set(reader->error, ENOMEM, "out of memory");
	r = take(reader, data, size);
	if (r == 0)
		r = skip_padding(reader, size);
	if (r == 0 && parse_extended(entry, set, data, size) < 0)
		r = damaged(reader, "an extended header is malformed");
	return r;
}

/* ---- headers ---- */

static bool block_is_zero(const uint8_t *block)
{
	for (size_t i = 0; i < PAX_BLOCK; i++)
		if (block[i])
			return false;
	return true;
}

static bool checksum_valid(const uint8_t *block)
{
	uint64_t want;
	uint64_t sum = 0;

	for (size_t i = 0; i < PAX_BLOCK; i++)
		sum += i >= 148 && i < 156 ? ' ' : block[i];
	return parse_octal(block + 148, 8, &want) == 0 && want == sum;
}

static int apply_header(struct entry *entry, unsigned set, const uint8_t *block)
{
	uint64_t mode, size, mtime;
	size_t prefix = strnlen((const char *)block + 345, 155);
	size_t name = strnlen((const char *)block, 100);
	size_t link = strnlen((const char *)block + 157, 100);

	if (parse_octal(block + 100, 8, &mode) < 0 || parse_octal(block + 124, 12, &size) < 0 ||
	    parse_octal(block + 136, 12, &mtime) < 0)
		return -EBADMSG;
	entry->type = (char)block[156];
	entry->mode = (unsigned)mode & 07777;
	if (!(set & SET_SIZE))
		entry->size = size;
	if (!(set & SET_MTIME))
		entry->mtime = (struct timespec){.tv_sec = (time_t)mtime};
	if (!(set & SET_LINK)) {
		memcpy(entry->link, block + 157, link);
		entry->link[link] = '\0';
	}
	if (!(set & SET_PATH)) {
		if (prefix) {
			memcpy(entry->path, block + 345, prefix);
			entry->path[prefix++] = '/';
		}
		memcpy(entry->path + prefix, block, name);
		entry->path[prefix + name] = '\0';
	}
	return 0;
}

/* Return: 1 with @entry filled, 0 at the end of the archive, -errno. */
static int next_entry(struct reader *reader, struct entry *entry)
{
	uint8_t block[PAX_BLOCK] = {0};
	unsigned set = 0;
	uint64_t size;
	int r;

	for (;;) {
		r = take(reader, block, sizeof(block));
		if (r < 0)
			return r;
		if (block_is_zero(block))
			return set ? damaged(reader, "an extended header describes nothing") : 0;
		if (!checksum_valid(block) || memcmp(block + 257, "ustar", 5) != 0)
			return damaged(reader, "a header has a wrong checksum");
		if (++reader->n_entries > 2 * (uint64_t)PAX_ENTRIES_MAX)
			return damaged(reader, "too many entries");
		if (block[156] != 'x' && block[156] != 'g')
			break;
		if (parse_octal(block + 124, 12, &size) < 0)
			return damaged(reader, "a header is malformed");
		if (block[156] == 'g')
			set = 0; /* ignore global headers, which we do not write */
		r = read_extended(reader, entry, &set, size);
		if (r < 0)
			return r;
		if (block[156] == 'g')
			set = 0;
	}
	if (apply_header(entry, set, block) < 0)
		return damaged(reader, "a header is malformed");
	return 1;
}

/* ---- creating files ---- */

/* The directory of @path, kept open for the next entry; *ret_base is the last part of @path. */
static int open_parent(struct reader *reader, const char *path, const char **ret_base)
{
	const char *slash = strrchr(path, '/');
	size_t length = slash ? (size_t)(slash - path) : 0;

	*ret_base = slash ? slash + 1 : path;
	if (reader->parent_fd >= 0 && strlen(reader->parent) == length &&
	    memcmp(reader->parent, path, length) == 0)
		return reader->parent_fd;
	if (reader->parent_fd >= 0)
		(void)close(reader->parent_fd);
	memcpy(reader->parent, path, length);
	reader->parent[length] = '\0';
	reader->parent_fd = directory_beneath(reader->root_fd, reader->parent);
	if (reader->parent_fd < 0)
		return error_errno(reader->error, -reader->parent_fd, "cannot unpack %s", path);
	return reader->parent_fd;
}

static int make_file(struct reader *reader, struct entry *entry, int parent_fd, const char *base)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, entry->mtime};
	cleanup_close int fd =
		openat(parent_fd, base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	uint64_t left = entry->size;
	const uint8_t *data;
	ssize_t n;
	int r;

	if (fd < 0)
		return error_errno(reader->error, errno, "cannot make %s", entry->path);
	while (left > 0) {
		n = peek(reader, left < BUFFER_BYTES ? left : BUFFER_BYTES, &data);
		if (n <= 0)
			return n < 0 ? (int)n : damaged(reader, "it ends early");
		r = client_write_sparse(fd, data, (size_t)n, (off_t)(entry->size - left));
		if (r < 0)
			return error_errno(reader->error, -r, "cannot write %s", entry->path);
		left -= (uint64_t)n;
	}
	if (ftruncate(fd, (off_t)entry->size) < 0)
		return error_errno(reader->error, errno, "cannot write %s", entry->path);
	if (fchmod(fd, entry->mode) < 0 || futimens(fd, times) < 0)
		return error_errno(reader->error, errno, "cannot set mode and time of %s",
				   entry->path);
	return skip_padding(reader, entry->size);
}

static int make_symlink(struct reader *reader, struct entry *entry, int parent_fd, const char *base)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, entry->mtime};

	if (symlinkat(entry->link, parent_fd, base) < 0 ||
	    utimensat(parent_fd, base, times, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(reader->error, errno, "cannot make the link %s", entry->path);
	return 0;
}

static int make_hard_link(struct reader *reader, struct entry *entry, int parent_fd,
			  const char *base)
{
	cleanup_close int target_fd = -1;
	const char *target;
	int r;

	if (path_normalize(entry->link, PAX_DEPTH_MAX, entry->link, sizeof(entry->link)) ||
	    !*entry->link)
		return damaged(reader, "a hard link leads out of the archive");
	target_fd = parent_beneath(reader->root_fd, entry->link, NULL, &target);
	r = target_fd < 0 ? target_fd : 0;
	if (r == 0 && linkat(target_fd, target, parent_fd, base, 0) < 0)
		r = -errno;
	if (r < 0)
		return error_errno(reader->error, -r, "cannot make the hard link %s", entry->path);
	return 0;
}

/* Note mode and time of a directory for finish_directories(). */
static int remember_directory(struct reader *reader, const struct entry *entry)
{
	struct made_directory *made;

	if (reader->n_directories == reader->max_directories) {
		size_t max = reader->max_directories ? 2 * reader->max_directories : 64;

		made = reallocarray(reader->directories, max, sizeof(*made));
		if (!made)
			return error_set(reader->error, ENOMEM, "out of memory");
		reader->directories = made;
		reader->max_directories = max;
	}
	made = &reader->directories[reader->n_directories];
	made->path = strdup(entry->path);
	if (!made->path)
		return error_set(reader->error, ENOMEM, "out of memory");
	made->mode = entry->mode;
	made->mtime = entry->mtime;
	reader->n_directories++;
	return 0;
}

/* Create the file, directory or link of an entry, from its header on. */
static int make_entry(struct reader *reader, struct entry *entry)
{
	const char *base;
	int parent_fd;

	if (path_normalize(entry->path, PAX_DEPTH_MAX, entry->path, sizeof(entry->path)))
		return damaged(reader, "a name leads out of the archive");
	if (!*entry->path) /* the top directory itself */
		return entry->type == '5' ? remember_directory(reader, entry)
					  : damaged(reader, "a file has no name");
	parent_fd = open_parent(reader, entry->path, &base);
	if (parent_fd < 0)
		return parent_fd;
	switch (entry->type) {
	case '0':
	case '\0':
	case '7':
		return make_file(reader, entry, parent_fd, base);
	case '1':
		return make_hard_link(reader, entry, parent_fd, base);
	case '2':
		return make_symlink(reader, entry, parent_fd, base);
	case '5':
		if (mkdirat(parent_fd, base, 0700) < 0)
			return error_errno(reader->error, errno, "cannot make the directory %s",
					   entry->path);
		return remember_directory(reader, entry);
	default:
		return error_set(
			reader->error, EBADMSG,
			"the stored archive holds %s, which is not a file, directory or link",
			entry->path);
	}
}

static int finish_directory(int root_fd, const struct made_directory *made)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, made->mtime};
	cleanup_close int path_fd = directory_beneath(root_fd, made->path);
	cleanup_close int fd = -1;

	if (path_fd < 0)
		return path_fd;
	fd = openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || futimens(fd, times) < 0 || fchmod(fd, made->mode) < 0)
		return -errno;
	return 0;
}

/* Set modes and times, innermost first, because a parent's mode may forbid entering it. */
static int finish_directories(struct reader *reader)
{
	int r = 0;

	while (reader->n_directories > 0) {
		struct made_directory *made = &reader->directories[--reader->n_directories];
		int failure = r == 0 ? finish_directory(reader->root_fd, made) : 0;

		if (failure < 0)
			r = error_errno(reader->error, -failure, "cannot set mode and time of %s",
					made->path);
		free(made->path);
	}
	free(reader->directories);
	return r;
}

int pax_read_directory(int archive_fd, int dir_fd, struct error *error)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	cleanup_free struct entry *entry = calloc(1, sizeof(*entry));
	int finished, r;

	if (reader)
		reader->buffer = malloc(BUFFER_BYTES);
	if (!reader || !reader->buffer || !entry) {
		free(reader);
		return error_set(error, ENOMEM, "out of memory");
	}
	reader->archive_fd = archive_fd;
	reader->root_fd = dir_fd;
	reader->parent_fd = -1;
	reader->error = error;
	while ((r = next_entry(reader, entry)) > 0) {
		r = make_entry(reader, entry);
		if (r < 0)
			break;
	}
	if (r < 0)
		reader->error = NULL; /* keep the first one */
	finished = finish_directories(reader);
	if (reader->parent_fd >= 0)
		(void)close(reader->parent_fd);
	free(reader->buffer);
	free(reader);
	return r < 0 ? r : finished;
}
