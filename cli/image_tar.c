/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/image_tar.h"

#include "common/cleanup.h"
#include "common/limits.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct tar {
	struct archive *disk, *out;
	struct archive_entry_linkresolver *links;
	const char *directory;
	struct error *error;
};

static int tar_error(struct tar *tar, struct archive *archive, const char *path)
{
	int number = archive_errno(archive);

	return error_set(tar->error, number > 0 ? number : EIO, "cannot pack %s: %s", path,
			 archive_error_string(archive) ? archive_error_string(archive)
						       : "unknown error");
}

static int put_data(struct tar *tar, const char *path)
{
	static char block[256 * 1024];

	for (;;) { /* holes are read as zeros */
		la_ssize_t got = archive_read_data(tar->disk, block, sizeof(block));

		if (got == 0)
			return 0;
		if (got < 0)
			return tar_error(tar, tar->disk, path);
		if (archive_write_data(tar->out, block, (size_t)got) != got)
			return tar_error(tar, tar->out, path);
	}
}

static int put_entry(struct tar *tar, struct archive_entry *entry)
{
	const char *path = archive_entry_pathname(entry);
	const char *name = path + strlen(tar->directory);
	mode_t type = archive_entry_filetype(entry);
	struct archive_entry *spare = NULL;
	cleanup_free char *copy = NULL;

	if (type != AE_IFREG && type != AE_IFDIR && type != AE_IFLNK && type != AE_IFIFO)
		return 0;
	while (*name == '/')
		name++;
	copy = strdup(*name ? name : ".");
	if (!copy)
		return error_set(tar->error, ENOMEM, "out of memory");
	archive_entry_copy_pathname(entry, copy);
	archive_entry_set_uname(entry, NULL);
	archive_entry_set_gname(entry, NULL);
	archive_entry_sparse_clear(entry);
	archive_entry_linkify(tar->links, &entry, &spare);
	if (!entry)
		return 0;
	if (archive_write_header(tar->out, entry) != ARCHIVE_OK)
		return tar_error(tar, tar->out, copy);
	return type == AE_IFREG && archive_entry_size(entry) > 0 ? put_data(tar, copy) : 0;
}

static int walk(struct tar *tar)
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
		if (next != ARCHIVE_OK && next != ARCHIVE_WARN)
			result = tar_error(tar, tar->disk, tar->directory);
		else
			result = put_entry(tar, entry);
		(void)archive_read_disk_descend(tar->disk);
		archive_entry_clear(entry);
	}
	archive_entry_free(entry);
	if (result == 0 && archive_write_close(tar->out) != ARCHIVE_OK)
		result = tar_error(tar, tar->out, tar->directory);
	return result;
}

static int open_temporary(struct error *error)
{
	const char *places[] = {getenv("TMPDIR"), "/var/tmp", "/tmp"};
	int fd = -1;

	for (size_t i = 0; i < ARRAY_SIZE(places) && fd < 0; i++) {
		if (places[i] && places[i][0] == '/')
			fd = open(places[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	}
	return fd < 0 ? error_errno(error, errno, "cannot make a temporary file in /var/tmp") : fd;
}

int image_tar(const char *directory, uint64_t *ret_size, struct error *error)
{
	struct tar tar = {.disk = archive_read_disk_new(),
			  .out = archive_write_new(),
			  .links = archive_entry_linkresolver_new(),
			  .directory = directory,
			  .error = error};
	cleanup_close int fd = open_temporary(error);
	struct stat st;
	int result = fd < 0 ? fd : 0;

	if (result == 0 && (!tar.disk || !tar.out || !tar.links))
		result = error_set(error, ENOMEM, "out of memory");
	if (result == 0) {
		(void)archive_read_disk_set_symlink_physical(tar.disk);
		(void)archive_read_disk_set_behavior(tar.disk, ARCHIVE_READDISK_NO_TRAVERSE_MOUNTS |
								       ARCHIVE_READDISK_NO_ACL |
								       ARCHIVE_READDISK_NO_FFLAGS);
		(void)archive_write_set_format_pax_restricted(tar.out);
		(void)archive_write_set_bytes_in_last_block(tar.out, 1);
		archive_entry_linkresolver_set_strategy(tar.links, ARCHIVE_FORMAT_TAR);
		result = archive_write_open_fd(tar.out, fd) == ARCHIVE_OK
				 ? walk(&tar)
				 : tar_error(&tar, tar.out, directory);
	}
	(void)archive_read_free(tar.disk);
	(void)archive_write_free(tar.out);
	archive_entry_linkresolver_free(tar.links);
	if (result < 0)
		return result;
	if (fstat(fd, &st) < 0)
		return error_errno(error, errno, "fstat");
	*ret_size = (uint64_t)st.st_size;
	return TAKE_FD(fd);
}
