/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes git's tree objects as files. libgit2's own checkout is not used: it applies attributes,
 * filters, line endings and submodules, and resolves paths. This code knows four kinds of
 * entries, and works relative to the descriptor of one directory.
 */
#include "fetcher/tree.h"

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

struct checkout {
	git_repository *repository;
	git_odb *odb;
	git_index *index;
	const struct fetch_limits *limits;
	struct fetch_result *result;
	struct timespec mtime;
	bool dry; /* first pass: everything is checked, nothing is written */
	uint64_t n_entries;
	uint64_t bytes;
	char path[FETCH_PATH_MAX + 1]; /* of the current entry, from the top */
};

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

static int disk_failed(struct checkout *checkout, int failure)
{
	char path[256];

	if (failure == -EEXIST)
		return refuse(checkout, "is in its tree twice");
	text_escape(path, sizeof(path), checkout->path);
	return fetch_fail_errno(checkout->result, -failure, "cannot write \"%s\"", path);
}

static int object_missing(struct checkout *checkout)
{
	(void)fetch_fail(
		checkout->result, FETCH_UNREACHABLE,
		"the repository lacks parts of the commit, or they are damaged (%s); check "
		"it with \"git fsck\"",
		git_words());
	return -ENODATA;
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
		return object_missing(checkout);
	if (type != GIT_OBJECT_BLOB)
		return refuse(checkout, "is not a file, although its tree lists it as one");
	if (size > max)
		return refuse(checkout, "has %s, more than the limit of %s; keep it out of git",
			      size_text(size), size_text(max));
	checkout->bytes += size;
	if (checkout->bytes > checkout->limits->tree)
		return refuse(checkout, "takes the tree over its limit of %s",
			      size_text(checkout->limits->tree));
	return 0;
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
	struct stat st;
	int r;

	if (checkout->dry)
		return blob_check(checkout, id, checkout->limits->blob);
	if (git_blob_lookup(&blob, checkout->repository, id) < 0)
		return object_missing(checkout);
	r = file_write(checkout, dir_fd, name, blob, executable, &st);
	git_blob_free(blob);
	if (r < 0)
		return disk_failed(checkout, r);
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
	struct stat st;
	int r;

	if (checkout->dry)
		return blob_check(checkout, id, FETCH_SYMLINK_MAX);
	if (git_blob_lookup(&blob, checkout->repository, id) < 0)
		return object_missing(checkout);
	r = link_write(checkout, dir_fd, name, blob, &st);
	git_blob_free(blob);
	if (r == -EILSEQ)
		return refuse(checkout, "is a symlink to nowhere (empty or with a NUL)");
	if (r < 0)
		return disk_failed(checkout, r);
	return index_add(checkout, id, GIT_FILEMODE_LINK, &st);
}

static int tree_walk(struct checkout *checkout, const git_oid *id, int dir_fd, unsigned depth);

static int entry_directory(struct checkout *checkout, int dir_fd, const char *name,
			   const git_oid *id, bool submodule, unsigned depth)
{
	cleanup_close int fd = -1;

	if (checkout->dry)
		return submodule ? 0 : tree_walk(checkout, id, -1, depth + 1);
	if (mkdirat(dir_fd, name, 0755) < 0)
		return disk_failed(checkout, -errno);
	if (submodule) /* stays empty: we never fetch from a URL that a commit names */
		return index_add(checkout, id, GIT_FILEMODE_COMMIT, NULL);
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return disk_failed(checkout, -errno);
	return tree_walk(checkout, id, fd, depth + 1);
}

/* Write an entry by its kind; in the dry pass only check it. */
static int entry_write(struct checkout *checkout, int dir_fd, const git_tree_entry *entry,
		       unsigned depth)
{
	const char *name = git_tree_entry_name(entry);
	const git_oid *id = git_tree_entry_id(entry);
	unsigned mode = git_tree_entry_filemode_raw(entry);

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

/* Check @name and append it to the path, whose length without it is @length. */
static int entry_enter(struct checkout *checkout, const char *name, size_t length)
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

/* Visit the entries of a tree; its directories are visited with depth + 1. */
static int tree_walk(struct checkout *checkout, const git_oid *id, int dir_fd, unsigned depth)
{
	size_t length = strlen(checkout->path);
	git_tree *tree = NULL;
	int r = 0;

	if (depth > FETCH_DEPTH_MAX)
		return refuse(checkout, "is more than %d directories deep", FETCH_DEPTH_MAX);
	if (git_tree_lookup(&tree, checkout->repository, id) < 0)
		return object_missing(checkout);
	for (size_t i = 0; r == 0 && i < git_tree_entrycount(tree); i++) {
		const git_tree_entry *entry = git_tree_entry_byindex(tree, i);

		r = entry_enter(checkout, git_tree_entry_name(entry), length);
		if (r == 0)
			r = entry_write(checkout, dir_fd, entry, depth);
		if (r == 0)
			checkout->path[length] = '\0';
	}
	git_tree_free(tree);
	return r;
}

/* Read the commit's title and author into the result, and return the id of its tree. */
static int commit_describe(struct checkout *checkout, const git_oid *id, git_oid *ret_tree)
{
	const git_signature *author;
	git_commit *commit = NULL;
	const char *message;

	if (git_commit_lookup(&commit, checkout->repository, id) < 0)
		return object_missing(checkout);
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

static int index_write(struct checkout *checkout)
{
	int failure;

	git_error_clear();
	errno = 0;
	if (git_index_write(checkout->index) == 0)
		return 0;
	failure = errno; /* when its buffered writer fails, libgit2 sets errno but no text */
	return fetch_fail_git(checkout->result, git_error_last() || !failure ? -EIO : -failure,
			      NULL, "cannot write the git index");
}

static int checkout_run(struct checkout *checkout, struct tree *tree, const git_oid *commit)
{
	git_oid root;
	int r = commit_describe(checkout, commit, &root);

	/*
	 * Nested trees of a few kilobytes may name ten billion files. The dry pass finds that by
	 * reading trees only; removing a million written files again would take far longer.
	 */
	checkout->dry = true;
	if (r == 0)
		r = tree_walk(checkout, &root, -1, 0);
	checkout->dry = false;
	checkout->n_entries = 0;
	if (r == 0)
		r = tree_git_write(tree->fd, tree->name, checkout->result);
	if (r == 0)
		r = tree_walk(checkout, &root, tree->fd, 0);
	if (r == 0)
		r = index_write(checkout);
	return r;
}

int tree_checkout(struct tree *tree, git_repository *repository, const git_oid *commit,
		  const char *path, const struct fetch_limits *limits, struct fetch_result *result)
{
	struct checkout *checkout = calloc(1, sizeof(*checkout));
	char index_path[PATH_MAX];
	int r;

	if (!checkout)
		return fetch_fail(result, FETCH_UNREACHABLE, "out of memory");
	checkout->repository = repository;
	checkout->limits = limits;
	checkout->result = result;
	/*
	 * The files get a time before the index's. git reads a file anew whose time is that of
	 * the index, since it may have changed afterwards; and a change by a step within this
	 * second must get another time than the one that the index has.
	 */
	(void)clock_gettime(CLOCK_REALTIME, &checkout->mtime);
	checkout->mtime.tv_sec -= 2;
	(void)snprintf(index_path, sizeof(index_path), "%s/.git/index", path);
	if (git_repository_odb(&checkout->odb, repository) < 0 ||
	    git_index_open(&checkout->index, index_path) < 0)
		r = fetch_fail_git(result, -EIO, NULL, "cannot open the mirror's objects");
	else
		r = checkout_run(checkout, tree, commit);
	git_index_free(checkout->index);
	git_odb_free(checkout->odb);
	free(checkout);
	return r;
}
