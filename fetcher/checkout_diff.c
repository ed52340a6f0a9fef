/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks two trees of git side by side, and enters only directories that differ. overlayfs lays a
 * directory over a directory by merging them, and anything else by replacing it.
 */
#include "fetcher/checkout.h"

#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static unsigned kind_of(const git_tree_entry *entry)
{
	unsigned mode = git_tree_entry_filemode_raw(entry);

	return (mode & S_IFMT) == S_IFREG ? S_IFREG | ((mode & 0111) != 0) : mode & S_IFMT;
}

static bool is_directory(const git_tree_entry *entry)
{
	return entry && kind_of(entry) == S_IFDIR;
}

/* The service looks for the runbook, and what may be meant as one, in the topmost layer only. */
static bool may_be_runbook(const git_tree_entry *entry, unsigned depth)
{
	const char *name = git_tree_entry_name(entry);

	return depth == 0 && (kind_of(entry) & S_IFMT) == S_IFREG &&
	       strncasecmp(name + (name[0] == '.'), "runbook", 7) == 0;
}

static bool is_equal(const git_tree_entry *new, const git_tree_entry *old)
{
	return old && kind_of(new) == kind_of(old) &&
	       git_oid_equal(git_tree_entry_id(new), git_tree_entry_id(old));
}

/* Take the current entry out of the index, with what it contains. */
static void index_drop(struct checkout *checkout, const git_tree_entry *old)
{
	if (is_directory(old))
		(void)git_index_remove_directory(checkout->index, checkout->path, 0);
	else
		(void)git_index_remove(checkout->index, checkout->path, 0);
}

/* Return: 0; 1 when this file system or kernel refuses whiteouts to us; -errno. */
static int whiteout(struct checkout *checkout, int dir_fd, const char *name)
{
	checkout->n_written++;
	if (checkout->dry || mknodat(dir_fd, name, S_IFCHR, makedev(0, 0)) == 0)
		return 0;
	return errno == EPERM || errno == EOPNOTSUPP ? 1 : checkout_disk_failed(checkout, -errno);
}

/* Hide everything of the directory @old, over which the directory of a submodule is laid. */
static int hide_all(struct checkout *checkout, int dir_fd, const char *name,
		    const git_tree_entry *old)
{
	cleanup_close int fd = -1;
	git_tree *tree = NULL;
	int r = 0;

	if (!checkout->dry) {
		fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return checkout_disk_failed(checkout, -errno);
	}
	if (git_tree_lookup(&tree, checkout->repository, git_tree_entry_id(old)) < 0)
		return checkout_object_missing(checkout);
	for (size_t i = 0; r == 0 && i < git_tree_entrycount(tree); i++)
		r = whiteout(checkout, fd, git_tree_entry_name(git_tree_entry_byindex(tree, i)));
	git_tree_free(tree);
	return r;
}

static int diff_trees(struct checkout *checkout, const git_oid *new_id, const git_oid *old_id,
		      int dir_fd, unsigned depth);

/* Two directories that differ. */
static int diff_directory(struct checkout *checkout, const git_tree_entry *new,
			  const git_tree_entry *old, int dir_fd, unsigned depth)
{
	const char *name = git_tree_entry_name(new);
	cleanup_close int fd = -1;

	checkout->n_written++;
	if (!checkout->dry) {
		if (mkdirat(dir_fd, name, 0755) < 0)
			return checkout_disk_failed(checkout, -errno);
		fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return checkout_disk_failed(checkout, -errno);
	}
	return diff_trees(checkout, git_tree_entry_id(new), git_tree_entry_id(old), fd, depth + 1);
}

/* An entry that the new tree has. @old: of the same name; NULL: none. */
static int diff_entry(struct checkout *checkout, const git_tree_entry *new,
		      const git_tree_entry *old, int dir_fd, unsigned depth)
{
	int r;

	if (is_equal(new, old) && !may_be_runbook(new, depth))
		return 0;
	if (is_directory(new) && is_directory(old))
		return diff_directory(checkout, new, old, dir_fd, depth);
	if (old && !checkout->dry)
		index_drop(checkout, old);
	r = checkout_entry(checkout, dir_fd, new, depth);
	if (r == 0 && is_directory(old) && kind_of(new) == (S_IFDIR | S_IFLNK))
		r = hide_all(checkout, dir_fd, git_tree_entry_name(new), old);
	return r;
}

static int diff_new(struct checkout *checkout, const git_tree *new, const git_tree *old, int dir_fd,
		    unsigned depth)
{
	size_t length = strlen(checkout->path);
	int r = 0;

	for (size_t i = 0; r == 0 && i < git_tree_entrycount(new); i++) {
		const git_tree_entry *entry = git_tree_entry_byindex(new, i);
		const char *name = git_tree_entry_name(entry);

		/* a name that is there twice, or out of order */
		if (checkout->dry && git_tree_entry_byname(new, name) != entry)
			return 1;
		r = checkout_enter(checkout, name, length);
		if (r == 0)
			r = diff_entry(checkout, entry, git_tree_entry_byname(old, name), dir_fd,
				       depth);
		if (r == 0)
			checkout->path[length] = '\0';
	}
	return r;
}

/* Hide what the new tree has no more. The names were checked when the old tree was written. */
static int diff_gone(struct checkout *checkout, const git_tree *new, const git_tree *old,
		     int dir_fd)
{
	size_t length = strlen(checkout->path);
	int r = 0;

	for (size_t i = 0; r == 0 && i < git_tree_entrycount(old); i++) {
		const git_tree_entry *entry = git_tree_entry_byindex(old, i);
		const char *name = git_tree_entry_name(entry);

		if (git_tree_entry_byname(new, name))
			continue;
		r = checkout_enter(checkout, name, length);
		if (r == 0 && !checkout->dry)
			index_drop(checkout, entry);
		if (r == 0)
			r = whiteout(checkout, dir_fd, name);
		if (r == 0)
			checkout->path[length] = '\0';
	}
	return r;
}

static int diff_trees(struct checkout *checkout, const git_oid *new_id, const git_oid *old_id,
		      int dir_fd, unsigned depth)
{
	git_tree *new = NULL, *old = NULL;
	int r = 0;

	if (depth > FETCH_DEPTH_MAX)
		return 1; /* the checkout of the whole tree says what is wrong with it */
	if (git_tree_lookup(&new, checkout->repository, new_id) < 0 ||
	    git_tree_lookup(&old, checkout->repository, old_id) < 0)
		r = checkout_object_missing(checkout);
	if (r == 0)
		r = diff_new(checkout, new, old, dir_fd, depth);
	if (r == 0)
		r = diff_gone(checkout, new, old, dir_fd);
	git_tree_free(new);
	git_tree_free(old);
	return r;
}

int checkout_diff(struct checkout *checkout, const git_oid *new_root, const git_oid *old_root,
		  int dir_fd)
{
	return diff_trees(checkout, new_root, old_root, dir_fd, 0);
}
