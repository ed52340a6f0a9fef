/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/directory_tar.h"

#include "common/cleanup.h"
#include "common/limits.h"

#include <archive.h>
#include <archive_entry.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct tar_rule {
	bool owners; /* keep owners and hard links */
	bool fifos;
	bool itself; /* the directory itself has an entry */
	int behavior;
	const char *places[2]; /* directories for the temporary file, after $TMPDIR */
} tar_rules[] = {
	[DIRECTORY_TAR_WORKING_COPY] = {.places = {"/tmp", "/var/tmp"}},
	/* a root file system is large, and /tmp is memory on many hosts */
	[DIRECTORY_TAR_ROOT] = {.owners = true,
				.fifos = true,
				.itself = true,
				.behavior = ARCHIVE_READDISK_NO_TRAVERSE_MOUNTS |
					    ARCHIVE_READDISK_NO_ACL | ARCHIVE_READDISK_NO_FFLAGS,
				.places = {"/var/tmp", "/tmp"}},
};
static_assert(ARRAY_SIZE(tar_rules) == DIRECTORY_TAR_NUM, "a kind without its rule");

struct tar {
	const struct tar_rule *rule;
	struct archive *disk, *out;
	struct archive_entry_linkresolver *links;
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

static int put_data(struct tar *tar, const char *path)
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

static int put_runbook(struct tar *tar, struct archive_entry *entry)
{
	size_t size = strlen(tar->runbook_text);

	archive_entry_set_size(entry, (int64_t)size);
	if (archive_write_header(tar->out, entry) != ARCHIVE_OK ||
	    archive_write_data(tar->out, tar->runbook_text, size) != (la_ssize_t)size)
		return tar_error(tar, tar->out, "runbook.yml");
	return 0;
}

/* Return: the entry to write, or NULL when libarchive's link resolver defers it. */
static struct archive_entry *apply_rule(struct tar *tar, struct archive_entry *entry)
{
	struct archive_entry *spare = NULL;

	archive_entry_set_uname(entry, NULL);
	archive_entry_set_gname(entry, NULL);
	archive_entry_sparse_clear(entry);
	if (tar->rule->owners) {
		archive_entry_linkify(tar->links, &entry, &spare);
		return entry;
	}
	archive_entry_set_uid(entry, 0);
	archive_entry_set_gid(entry, 0);
	return entry;
}

static int put_entry(struct tar *tar, struct archive_entry *entry)
{
	const char *path = archive_entry_pathname(entry);
	const char *name = path + strlen(tar->directory);
	mode_t type = archive_entry_filetype(entry);
	cleanup_free char *copy = NULL;

	while (*name == '/')
		name++;
	if ((*name == '\0' && !tar->rule->itself) || (type == AE_IFIFO && !tar->rule->fifos))
		return 0;
	if (type != AE_IFREG && type != AE_IFDIR && type != AE_IFLNK && type != AE_IFIFO)
		return 0;
	copy = strdup(*name ? name : ".");
	if (!copy)
		return error_set(tar->error, ENOMEM, "out of memory");
	archive_entry_copy_pathname(entry, copy);
	entry = apply_rule(tar, entry);
	if (!entry)
		return 0;
	if (tar->runbook_text && type == AE_IFREG && strcmp(copy, "runbook.yml") == 0)
		return put_runbook(tar, entry);
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
		/* a warning is an attribute that cannot be read; a root file system tolerates it */
		if (next != ARCHIVE_OK && !(next == ARCHIVE_WARN && tar->rule->owners))
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

static int open_temporary(const struct tar_rule *rule, struct error *error)
{
	const char *places[] = {getenv("TMPDIR"), rule->places[0], rule->places[1]};
	int fd = -1;

	for (size_t i = 0; i < ARRAY_SIZE(places) && fd < 0; i++) {
		if (places[i] && places[i][0] == '/')
			fd = open(places[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	}
	return fd < 0 ? error_errno(error, errno, "cannot make a temporary file in %s",
				    rule->places[0])
		      : fd;
}

static int pack(struct tar *tar, int fd)
{
	if (!tar->disk || !tar->out || !tar->links)
		return error_set(tar->error, ENOMEM, "out of memory");
	(void)archive_read_disk_set_symlink_physical(tar->disk);
	if (tar->rule->behavior)
		(void)archive_read_disk_set_behavior(tar->disk, tar->rule->behavior);
	(void)archive_write_set_format_pax_restricted(tar->out);
	(void)archive_write_set_bytes_in_last_block(tar->out, 1);
	archive_entry_linkresolver_set_strategy(tar->links, ARCHIVE_FORMAT_TAR);
	if (archive_write_open_fd(tar->out, fd) != ARCHIVE_OK)
		return tar_error(tar, tar->out, tar->directory);
	return walk(tar);
}

int directory_tar(const char *directory, enum directory_tar_kind kind, const char *runbook_text,
		  uint64_t max, uint64_t *ret_size, struct error *error)
{
	const struct tar_rule *rule = &tar_rules[kind];
	cleanup_close int fd = open_temporary(rule, error);
	struct tar tar;
	struct stat st;
	int r;

	if (fd < 0)
		return fd;
	tar = (struct tar){.rule = rule,
			   .disk = archive_read_disk_new(),
			   .out = archive_write_new(),
			   .links = archive_entry_linkresolver_new(),
			   .directory = directory,
			   .runbook_text = runbook_text,
			   .error = error};
	r = pack(&tar, fd);
	(void)archive_read_free(tar.disk);
	(void)archive_write_free(tar.out);
	archive_entry_linkresolver_free(tar.links);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return error_errno(error, errno, "fstat");
	if (max && (uint64_t)st.st_size > max)
		return error_set(error, EFBIG, "%s is larger than %llu GiB as a tar archive",
				 directory, (unsigned long long)(max / GIB));
	*ret_size = (uint64_t)st.st_size;
	return TAKE_FD(fd);
}
