/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Creates files from the entries of a layer. An entry may replace the file of an earlier entry in
 * the same archive. Nothing is ever written through a symbolic link: every path is resolved from
 * the top with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS (openat2(2)).
 */
#include "images/unpack.h"

#include "common/beneath.h"
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/names.h"
#include "common/remove_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define WHITEOUT ".wh."
#define OPAQUE ".wh..wh..opq"
#define WHITEOUT_META ".wh..wh."
#define XATTR_VALUE_MAX (64 * KIB)

int unpack_report(struct unpack *unpack, char letter, const char *text)
{
	if (unpack->report_fd < 0)
		return 0;
	if (fd_write_all(unpack->report_fd, &letter, 1) < 0 ||
	    fd_write_all(unpack->report_fd, text, strlen(text) + 1) < 0)
		return -EPIPE;
	return 0;
}

/* @damaged: the packed bytes are damaged; @number: errno value of the call that failed, 0: none */
__attribute__((format(printf, 4, 0))) static int
refuse(struct unpack *unpack, bool damaged, int number, const char *format, va_list list)
{
	char text[1024], shown[1024], value[16];
	size_t length;

	if (unpack->failed)
		return -EINVAL;
	(void)vsnprintf(text, sizeof(text), format, list);
	length = strlen(text);
	if (number > 0)
		(void)snprintf(text + length, sizeof(text) - length, ": %s", strerror(number));
	text_escape(shown, sizeof(shown), text);
	unpack->failed = true;
	if (damaged)
		(void)unpack_report(unpack, 'M', "");
	(void)snprintf(value, sizeof(value), "%d", number);
	if (number > 0)
		(void)unpack_report(unpack, 'E', value);
	(void)unpack_report(unpack, 'X', shown);
	return -EINVAL;
}

int unpack_refuse(struct unpack *unpack, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	(void)refuse(unpack, false, 0, format, list);
	va_end(list);
	return -EINVAL;
}

int unpack_failed(struct unpack *unpack, int number, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	(void)refuse(unpack, false, number, format, list);
	va_end(list);
	return -EINVAL;
}

int unpack_damaged(struct unpack *unpack, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	(void)refuse(unpack, true, 0, format, list);
	va_end(list);
	return -EINVAL;
}

static int disk_failed(struct unpack *unpack, int failure)
{
	switch (failure) {
	case -ELOOP:
	case -ENOTDIR:
	case -EXDEV:
		return unpack_refuse(unpack,
				     "\"%.200s\" leads through a symbolic link or a file, which is "
				     "refused",
				     unpack->path);
	case -EFBIG:
		return unpack_refuse(unpack, "\"%.200s\" is larger than a file of a layer may be",
				     unpack->path);
	default:
		return unpack_failed(unpack, -failure, "cannot write \"%.200s\"", unpack->path);
	}
}

/* Normalize a path of an entry or of a hard link's target: "./a//b/" to "a/b", "." to "". */
static int normalize(struct unpack *unpack, const char *path, char *out)
{
	switch (path_normalize(path, UNPACK_DEPTH_MAX, out, UNPACK_PATH_MAX)) {
	case PATH_PROBLEM_NONE:
		return 0;
	case PATH_PROBLEM_EMPTY:
		if (!path)
			return unpack_refuse(unpack, "an entry has an undecodable name");
		*out = '\0';
		return 0;
	case PATH_PROBLEM_ABSOLUTE:
		return unpack_refuse(unpack, "\"%.200s\" is an absolute path", path);
	case PATH_PROBLEM_ABOVE:
		return unpack_refuse(unpack, "\"..\" in a path points out of the layer");
	case PATH_PROBLEM_LONG:
		return unpack_refuse(unpack, "\"%.200s\": a name is too long", path);
	case PATH_PROBLEM_DEEP:
		break;
	}
	return unpack_refuse(unpack, "a path has more than %d parts", UNPACK_DEPTH_MAX);
}

static int count_entry(void *userdata)
{
	struct unpack *unpack = userdata;

	if (++unpack->entries > unpack->limits.entries)
		return unpack_refuse(unpack, "the layer has more than %llu entries",
				     (unsigned long long)unpack->limits.entries);
	return 0;
}

/* Open the directory of the entry; create one that only the layers below list. */
static int parent_make(struct unpack *unpack, const char **ret_name)
{
	const struct beneath_make make = {.mode = 0755, .count = count_entry, .userdata = unpack};

	return parent_beneath(unpack->directory_fd, unpack->path, &make, ret_name);
}

static int report_opaque(struct unpack *unpack, const char *directory)
{
	if (++unpack->n_opaque > IMAGE_OPAQUE_MAX)
		return unpack_refuse(unpack, "the layer has more than %d opaque directories",
				     IMAGE_OPAQUE_MAX);
	return unpack_report(unpack, 'O', directory);
}

/* Remove a file of the entry's name. Return: 0, 1 for a directory that may stay, or -errno. */
static int make_room(struct unpack *unpack, int dir_fd, const char *name, bool directory)
{
	struct stat st;
	int r;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : disk_failed(unpack, -errno);
	if (S_ISDIR(st.st_mode) && directory)
		return 1;
	r = remove_tree(dir_fd, name);
	if (r < 0)
		return disk_failed(unpack, r);
	/* a directory that replaces a whiteout must hide the layers below, too */
	return S_ISCHR(st.st_mode) && directory ? report_opaque(unpack, unpack->path) : 0;
}

/* ---- kinds of entries ---- */

static int data_write(struct unpack *unpack, int fd, uint64_t size)
{
	for (;;) {
		const void *data;
		size_t n;
		la_int64_t offset;
		int r = archive_read_data_block(unpack->archive, &data, &n, &offset);

		if (r == ARCHIVE_EOF)
			break;
		if (r != ARCHIVE_OK)
			return unpack_damaged(unpack, "the layer is damaged: %s",
					      archive_error_string(unpack->archive));
		if (offset < 0 || (uint64_t)offset > size || n > size - (uint64_t)offset)
			return unpack_refuse(unpack, "\"%.200s\" has data beyond its size",
					     unpack->path);
		while (n > 0) {
			ssize_t written = pwrite(fd, data, n, offset);

			if (written < 0 && errno == EINTR)
				continue;
			if (written < 0)
				return disk_failed(unpack, -errno);
			data = (const char *)data + written;
			n -= (size_t)written;
			offset += written;
		}
	}
	/* a sparse file may end with a hole, for which no data block comes */
	return ftruncate(fd, (off_t)size) < 0 ? disk_failed(unpack, -errno) : 0;
}

/* Report etc/passwd and etc/group, by which the user of the image's commands is looked up. */
static int report_accounts(struct unpack *unpack, int fd, uint64_t size)
{
	cleanup_free char *text = NULL;
	char letter;
	ssize_t n;

	if (strcmp(unpack->path, "etc/passwd") == 0)
		letter = 'P';
	else if (strcmp(unpack->path, "etc/group") == 0)
		letter = 'G';
	else
		return 0;
	if (size > UNPACK_ACCOUNTS_MAX)
		return unpack_refuse(unpack, "%s is larger than 1 MiB", unpack->path);
	text = calloc(1, size + 1);
	if (!text)
		return disk_failed(unpack, -ENOMEM);
	n = pread(fd, text, size, 0);
	if (n < 0 || memchr(text, '\0', size))
		return unpack_refuse(unpack, "%s is not text", unpack->path);
	return unpack_report(unpack, letter, text);
}

static int make_file(struct unpack *unpack, struct archive_entry *entry, int dir_fd,
		     const char *name)
{
	la_int64_t size = archive_entry_size(entry);
	cleanup_close int fd = -1;
	int r;

	/* holes count like data, because they become data when a step copies the file */
	if (size < 0 || (uint64_t)size > unpack->limits.bytes - unpack->bytes)
		return unpack_refuse(unpack, "the layer unpacks to more than %llu bytes",
				     (unsigned long long)unpack->limits.bytes);
	unpack->bytes += (uint64_t)size;
	fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return disk_failed(unpack, -errno);
	r = data_write(unpack, fd, (uint64_t)size);
	return r < 0 ? r : report_accounts(unpack, fd, (uint64_t)size);
}

static int make_hardlink(struct unpack *unpack, const char *target, int dir_fd, const char *name)
{
	char path[UNPACK_PATH_MAX + 1];
	const char *target_name;
	cleanup_close int target_fd = -1;
	struct stat st;
	int r = normalize(unpack, target, path);

	if (r < 0)
		return r;
	if (strcmp(path, unpack->path) == 0)
		return unpack_refuse(unpack, "\"%.200s\" is a hard link to itself", unpack->path);
	target_fd = parent_beneath(unpack->directory_fd, path, NULL, &target_name);
	if (target_fd < 0 || fstatat(target_fd, target_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    S_ISDIR(st.st_mode) || S_ISCHR(st.st_mode))
		return unpack_refuse(
			unpack,
			"\"%.200s\" is a hard link to a name that is not in the layer before it",
			unpack->path);
	/* no AT_SYMLINK_FOLLOW: a symbolic link itself gets another name */
	if (linkat(target_fd, target_name, dir_fd, name, 0) < 0)
		return disk_failed(unpack, -errno);
	return 0;
}

static int make_symlink(struct unpack *unpack, struct archive_entry *entry, int dir_fd,
			const char *name)
{
	const char *target = archive_entry_symlink(entry);

	if (!target || !*target || strlen(target) > UNPACK_PATH_MAX)
		return unpack_refuse(unpack, "\"%.200s\" is a symbolic link to nowhere",
				     unpack->path);
	return symlinkat(target, dir_fd, name) < 0 ? disk_failed(unpack, -errno) : 0;
}

static int make_directory(struct unpack *unpack, int dir_fd, const char *name, bool there)
{
	if (there)
		return 0;
	return mkdirat(dir_fd, name, 0700) < 0 ? disk_failed(unpack, -errno) : 0;
}

static int make_fifo(struct unpack *unpack, int dir_fd, const char *name)
{
	return mkfifoat(dir_fd, name, 0600) < 0 ? disk_failed(unpack, -errno) : 0;
}

/* ---- owner, mode, attributes, times ---- */

/*
 * Only user.* has an effect in a step: with no_new_privs, security.* (file capabilities) has none.
 * trusted.* and user.overlay.* would control the overlay, so they are left out.
 */
static int set_xattrs(struct unpack *unpack, struct archive_entry *entry, int fd)
{
	const char *name;
	const void *value;
	size_t size;

	(void)archive_entry_xattr_reset(entry);
	while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
		if (!name || strncmp(name, "user.", 5) != 0 ||
		    strncmp(name, "user.overlay.", 13) == 0)
			continue;
		if (size > XATTR_VALUE_MAX)
			return unpack_refuse(unpack, "\"%.200s\" has too large an attribute",
					     unpack->path);
		/* best effort: the file system may lack attributes, or room for this one */
		(void)fsetxattr(fd, name, value, size, 0);
	}
	return 0;
}

/* Set owner, user.* attributes, mode and time; chown first, since it clears set-id bits. */
static int set_attributes(struct unpack *unpack, struct archive_entry *entry, int dir_fd,
			  const char *name, mode_t type)
{
	const struct timespec times[2] = {
		{.tv_nsec = UTIME_OMIT},
		{.tv_sec = archive_entry_mtime(entry),
		 .tv_nsec = archive_entry_mtime_is_set(entry) ? archive_entry_mtime_nsec(entry)
							      : UTIME_OMIT},
	};
	la_int64_t uid = archive_entry_uid(entry), gid = archive_entry_gid(entry);
	cleanup_close int fd = -1;
	int r;

	if (uid < 0 || uid >= (la_int64_t)ID_STEP_RANGE || gid < 0 ||
	    gid >= (la_int64_t)ID_STEP_RANGE)
		return unpack_refuse(unpack,
				     "\"%.200s\" belongs to %lld:%lld: ids are below %u here",
				     unpack->path, (long long)uid, (long long)gid, ID_STEP_RANGE);
	if (fchownat(dir_fd, name, (uid_t)uid, (gid_t)gid, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0)
		return disk_failed(unpack, -errno);
	if (type == AE_IFREG || type == AE_IFDIR) {
		fd = *name ? openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
			   : fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
		if (fd < 0)
			return disk_failed(unpack, -errno);
		r = set_xattrs(unpack, entry, fd);
		if (r < 0)
			return r;
		if (fchmod(fd, archive_entry_perm(entry) & 07777) < 0)
			return disk_failed(unpack, -errno);
	} else if (type == AE_IFIFO &&
		   fchmodat(dir_fd, name, archive_entry_perm(entry) & 0777, 0) < 0) {
		return disk_failed(unpack, -errno);
	}
	/* later entries change the time of their directory again, which does no harm */
	(void)utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);
	return 0;
}

/* ---- whiteouts ---- */

static int mark_opaque(struct unpack *unpack, const char *name)
{
	char directory[UNPACK_PATH_MAX + 1];
	size_t length = (size_t)(name - unpack->path);

	memcpy(directory, unpack->path, length);
	directory[length > 0 ? length - 1 : 0] = '\0';
	return report_opaque(unpack, directory);
}

static int make_whiteout(struct unpack *unpack, int dir_fd, const char *name)
{
	char directory[UNPACK_PATH_MAX + 1];
	struct stat st;

	if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return unpack_refuse(unpack, "\"%.200s\" is a whiteout without a name",
				     unpack->path);
	/* a whiteout is for lower layers: a file of this layer stays, a directory becomes opaque */
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (!S_ISDIR(st.st_mode))
			return 0;
		(void)snprintf(directory, sizeof(directory), "%.*s%s",
			       (int)(strlen(unpack->path) - strlen(name) - strlen(WHITEOUT)),
			       unpack->path, name);
		return report_opaque(unpack, directory);
	}
	if (mknodat(dir_fd, name, S_IFCHR, makedev(0, 0)) < 0)
		return disk_failed(unpack, -errno);
	return 0;
}

/* Return: 1 when the entry was a whiteout and is done, 0 when it is not one, or -errno. */
static int whiteout(struct unpack *unpack)
{
	cleanup_close int dir_fd = -1;
	const char *name = strrchr(unpack->path, '/');
	const char *ignored;
	int r;

	name = name ? name + 1 : unpack->path;
	if (strncmp(name, WHITEOUT, strlen(WHITEOUT)) != 0)
		return 0;
	dir_fd = parent_make(unpack, &ignored);
	if (dir_fd < 0)
		return disk_failed(unpack, dir_fd);
	if (strcmp(name, OPAQUE) == 0)
		r = mark_opaque(unpack, name);
	else if (strncmp(name, WHITEOUT_META, strlen(WHITEOUT_META)) == 0)
		r = 0; /* metadata of AUFS */
	else
		r = make_whiteout(unpack, dir_fd, name + strlen(WHITEOUT));
	return r < 0 ? r : 1;
}

/* ---- the archive ---- */

static int make_entry(struct unpack *unpack, struct archive_entry *entry)
{
	const char *hardlink = archive_entry_hardlink(entry);
	mode_t type = hardlink ? 0 : archive_entry_filetype(entry);
	cleanup_close int dir_fd = -1;
	const char *name;
	int r;

	if (type == AE_IFCHR || type == AE_IFBLK || type == AE_IFSOCK)
		return 0; /* a step has its own /dev, and a socket without a listener has no use */
	if (unpack->path[0] == '\0') {
		if (type != AE_IFDIR)
			return unpack_refuse(unpack, "the root is not a directory");
		return set_attributes(unpack, entry, unpack->directory_fd, "", type);
	}
	dir_fd = parent_make(unpack, &name);
	if (dir_fd < 0)
		return disk_failed(unpack, dir_fd);
	r = make_room(unpack, dir_fd, name, type == AE_IFDIR);
	if (r < 0)
		return r;
	if (hardlink)
		return make_hardlink(unpack, hardlink, dir_fd, name); /* attributes are shared */
	switch (type) {
	case AE_IFREG:
		r = make_file(unpack, entry, dir_fd, name);
		break;
	case AE_IFDIR:
		r = make_directory(unpack, dir_fd, name, r == 1);
		break;
	case AE_IFLNK:
		r = make_symlink(unpack, entry, dir_fd, name);
		break;
	case AE_IFIFO:
		r = make_fifo(unpack, dir_fd, name);
		break;
	default:
		return unpack_refuse(unpack, "\"%.200s\" has an unknown type", unpack->path);
	}
	return r < 0 ? r : set_attributes(unpack, entry, dir_fd, name, type);
}

int unpack_tree(struct unpack *unpack)
{
	struct archive_entry *entry;
	int r;

	while ((r = archive_read_next_header(unpack->archive, &entry)) == ARCHIVE_OK ||
	       r == ARCHIVE_WARN) {
		r = normalize(unpack, archive_entry_pathname(entry), unpack->path);
		if (r == 0)
			r = count_entry(unpack);
		if (r == 0)
			r = whiteout(unpack);
		if (r == 0)
			r = make_entry(unpack, entry);
		if (r < 0)
			return r;
	}
	if (r != ARCHIVE_EOF)
		return unpack_refuse(unpack, "the layer is not a readable tar: %s",
				     archive_error_string(unpack->archive));
	return 0;
}
