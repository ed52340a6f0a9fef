/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes git's tree objects as files. libgit2's own checkout is not used: it applies attributes,
 * filters, line endings and submodules, and resolves paths. This code knows four kinds of
 * entries, and works relative to the descriptor of one directory.
 */
#include "fetcher/checkout.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int refuse(struct checkout *checkout, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Fail with "<path>: <format>"; the path is escaped, and a long one is cut at its start. */
static int refuse(struct checkout *checkout, const char *format, ...)
{
	char path[256];
	char words[512];
	size_t length = strlen(checkout->path);
	va_list args;

	text_escape(path, sizeof(path), checkout->path + (length > 200 ? length - 200 : 0));
	va_start(args, format);
	(void)vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	return fetch_fail(checkout->result, FETCH_REFUSED, "the commit is refused: %s\"%s\" %s",
			  length > 200 ? "…" : "", path, words);
}

int checkout_disk_failed(struct checkout *checkout, int failure)
{
	char path[256];

	if (failure == -EEXIST)
		return refuse(checkout, "is in its tree twice");
	text_escape(path, sizeof(path), checkout->path);
	return fetch_fail_errno(checkout->result, -failure, "cannot write \"%s\"", path);
}

int checkout_object_missing(struct checkout *checkout)
{
	(void)fetch_fail(
		checkout->result, FETCH_UNREACHABLE,
		"the repository lacks parts of the commit, or they are damaged (%s); check "
		"it with \"git fsck\"",
		git_words());
	return -ENODATA;
}

int checkout_too_large(struct checkout *checkout)
{
	return refuse(checkout, "takes the tree over its limit of %s",
		      size_text(checkout->limits->tree));
}

/* Add the current entry to git's index. @st: the file as written; NULL for a submodule. */
static int index_add(struct checkout *checkout, const git_oid *id, uint32_t mode,
		     const struct stat *st)
{
	git_index_entry entry = {
		.mode = mode,
		.id = *id,
		.path = checkout->path,
	};

	if (st) {
		entry.ctime.seconds = (int32_t)st->st_ctim.tv_sec;
		entry.ctime.nanoseconds = (uint32_t)st->st_ctim.tv_nsec;
		entry.mtime.seconds = (int32_t)st->st_mtim.tv_sec;
		entry.mtime.nanoseconds = (uint32_t)st->st_mtim.tv_nsec;
		entry.dev = (uint32_t)st->st_dev;
		entry.ino = (uint32_t)st->st_ino;
		entry.file_size = (uint32_t)st->st_size;
	}
	if (git_index_add(checkout->index, &entry) < 0)
		return refuse(checkout, "is refused by git's index");
	return 0;
}

/* Check size and kind by the object's header, before its contents are unpacked into memory. */
static int blob_check(struct checkout *checkout, const git_oid *id, uint64_t max)
{
	git_object_t type;
	size_t size;

	if (git_odb_read_header(&size, &type, checkout->odb, id) < 0)
		return checkout_object_missing(checkout);
	if (type != GIT_OBJECT_BLOB)
		return refuse(checkout, "is not a file, although its tree lists it as one");
	if (size > max)
		return refuse(checkout, "has %s, more than the limit of %s; keep it out of git",
			      size_text(size), size_text(max));
	checkout->bytes += size;
	return checkout->bytes > checkout->limits->tree ? checkout_too_large(checkout) : 0;
}

static int file_write(struct checkout *checkout, int dir_fd, const char *name, const git_blob *blob,
		      bool executable, struct stat *ret_stat)
{
	const struct timespec times[2] = {checkout->mtime, checkout->mtime};
	cleanup_close int fd =
		openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		       executable ? 0755 : 0644);
	int r;

	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob));
	if (r < 0)
		return r;
	if (futimens(fd, times) < 0 || fstat(fd, ret_stat) < 0)
		return -errno;
	return 0;
}

static int entry_file(struct checkout *checkout, int dir_fd, const char *name, const git_oid *id,
		      bool executable)
{
	git_blob *blob = NULL;
	struct stat st = {.st_mode = 0};
	int r;

	if (checkout->dry)
		return blob_check(checkout, id, checkout->limits->blob);
	if (git_blob_lookup(&blob, checkout->repository, id) < 0)
		return checkout_object_missing(checkout);
	r = file_write(checkout, dir_fd, name, blob, executable, &st);
	git_blob_free(blob);
	if (r < 0)
		return checkout_disk_failed(checkout, r);
	return index_add(checkout, id,
			 executable ? GIT_FILEMODE_BLOB_EXECUTABLE : GIT_FILEMODE_BLOB, &st);
}

static int link_write(struct checkout *checkout, int dir_fd, const char *name, const git_blob *blob,
		      struct stat *ret_stat)
{
	const struct timespec times[2] = {checkout->mtime, checkout->mtime};
	char target[FETCH_SYMLINK_MAX + 1];
	size_t size = (size_t)git_blob_rawsize(blob);

	if (size == 0 || size > FETCH_SYMLINK_MAX || memchr(git_blob_rawcontent(blob), '\0', size))
		return -EILSEQ;
	memcpy(target, git_blob_rawcontent(blob), size);
	target[size] = '\0';
	if (symlinkat(target, dir_fd, name) < 0 ||
	    utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fstatat(dir_fd, name, ret_stat, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 0;
}

/* The target is written as it is, wherever it points: only a sandbox follows it. */
static int entry_link(struct checkout *checkout, int dir_fd, const char *name, const git_oid *id)
{
	git_blob *blob = NULL;
	struct stat st = {.st_mode = 0};
	int r;

	if (checkout->dry)
		return blob_check(checkout, id, FETCH_SYMLINK_MAX);
	if (git_blob_lookup(&blob, checkout->repository, id) < 0)
		return checkout_object_missing(checkout);
	r = link_write(checkout, dir_fd, name, blob, &st);
	git_blob_free(blob);
	if (r == -EILSEQ)
		return refuse(checkout, "is a symlink to nowhere (empty or with a NUL)");
	if (r < 0)
		return checkout_disk_failed(checkout, r);
	return index_add(checkout, id, GIT_FILEMODE_LINK, &st);
}

static int entry_directory(struct checkout *checkout, int dir_fd, const char *name,
			   const git_oid *id, bool submodule, unsigned depth)
{
	cleanup_close int fd = -1;

	if (checkout->dry)
		return submodule ? 0 : checkout_tree(checkout, id, -1, depth + 1);
	if (mkdirat(dir_fd, name, 0755) < 0)
		return checkout_disk_failed(checkout, -errno);
	if (submodule) /* stays empty: we never fetch from a URL that a commit names */
		return index_add(checkout, id, GIT_FILEMODE_COMMIT, NULL);
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return checkout_disk_failed(checkout, -errno);
	return checkout_tree(checkout, id, fd, depth + 1);
}

int checkout_entry(struct checkout *checkout, int dir_fd, const git_tree_entry *entry,
		   unsigned depth)
{
	const char *name = git_tree_entry_name(entry);
	const git_oid *id = git_tree_entry_id(entry);
	unsigned mode = git_tree_entry_filemode_raw(entry);

	checkout->n_written++;
	switch (mode & S_IFMT) {
	case S_IFREG:
		return entry_file(checkout, dir_fd, name, id, (mode & 0111) != 0);
	case S_IFLNK:
		return entry_link(checkout, dir_fd, name, id);
	case S_IFDIR:
		return entry_directory(checkout, dir_fd, name, id, false, depth);
	case S_IFDIR | S_IFLNK: /* 0160000, what git calls a gitlink */
		return entry_directory(checkout, dir_fd, name, id, true, depth);
	default:
		return refuse(checkout, "has the unknown mode %o", mode);
	}
}

int checkout_enter(struct checkout *checkout, const char *name, size_t length)
{
	size_t n = strlen(name);
	enum tree_name why = tree_name_check(name, n);
	size_t slash = length > 0;

	if (length + slash + n > FETCH_PATH_MAX)
		return refuse(checkout, "holds a path of more than %d bytes", FETCH_PATH_MAX);
	if (slash)
		checkout->path[length] = '/';
	memcpy(checkout->path + length + slash, name, n + 1);
	if (why != TREE_NAME_OK)
		return refuse(checkout, "is a name that %s", tree_name_reason(why));
	if (++checkout->n_entries > checkout->limits->tree_entries)
		return refuse(checkout, "takes the tree over its limit of %llu entries",
			      (unsigned long long)checkout->limits->tree_entries);
	return 0;
}

int checkout_tree(struct checkout *checkout, const git_oid *id, int dir_fd, unsigned depth)
{
	size_t length = strlen(checkout->path);
	git_tree *tree = NULL;
	int r = 0;

	if (depth > FETCH_DEPTH_MAX)
		return refuse(checkout, "is more than %d directories deep", FETCH_DEPTH_MAX);
	if (git_tree_lookup(&tree, checkout->repository, id) < 0)
		return checkout_object_missing(checkout);
	for (size_t i = 0; r == 0 && i < git_tree_entrycount(tree); i++) {
		const git_tree_entry *entry = git_tree_entry_byindex(tree, i);

		r = checkout_enter(checkout, git_tree_entry_name(entry), length);
		if (r == 0)
			r = checkout_entry(checkout, dir_fd, entry, depth);
		if (r == 0)
			checkout->path[length] = '\0';
	}
	git_tree_free(tree);
	return r;
}

int checkout_root(struct checkout *checkout, const git_oid *id, git_oid *ret_tree)
{
	const git_signature *author;
	git_commit *commit = NULL;
	const char *message;

	if (git_commit_lookup(&commit, checkout->repository, id) < 0)
		return checkout_object_missing(checkout);
	message = git_commit_message(commit);
	author = git_commit_author(commit);
	if (message)
		text_first_line(checkout->result->title, sizeof(checkout->result->title), message,
				strlen(message));
	if (author && author->name)
		text_first_line(checkout->result->author, sizeof(checkout->result->author),
				author->name, strlen(author->name));
	git_oid_cpy(ret_tree, git_commit_tree_id(commit));
	git_commit_free(commit);
	return 0;
}
