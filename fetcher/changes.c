/* SPDX-License-Identifier: Apache-2.0 */
#include "fetcher/changes.h"

#include "common/cleanup.h"
#include "common/fdio.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define TREE_OBJECT_MAX (64 * MIB) /* one directory, as git keeps it */

struct changes {
	git_repository *repository;
	git_odb *odb;
	char *text;
	size_t size, room, n;
	uint64_t n_visited;
	size_t length; /* of the current directory in @path, with its slash */
	char path[PATH_MAX];
};

static int walk(struct changes *changes, const git_oid *old_id, const git_oid *new_id,
		unsigned depth);

static bool is_tree(const git_tree_entry *entry)
{
	return git_tree_entry_type(entry) == GIT_OBJECT_TREE;
}

/* Append @name, with the current directory before it, to the list. Return: -E2BIG over a limit. */
static int name_add(struct changes *changes, const char *name)
{
	size_t length = strlen(name);
	size_t need = changes->length + length + 1;

	if (changes->n == CHANGED_PATHS_MAX || changes->size + need > CHANGED_PATHS_BYTES_MAX)
		return -E2BIG;
	if (length == 0 || need > PATH_MAX)
		return -ENAMETOOLONG;
	if (changes->size + need > changes->room) {
		size_t room = changes->room ? changes->room * 2 : 64 * KIB;
		char *grown = realloc(changes->text, room);

		if (!grown)
			return -ENOMEM;
		changes->text = grown;
		changes->room = room;
	}
	memcpy(changes->text + changes->size, changes->path, changes->length);
	memcpy(changes->text + changes->size + changes->length, name, length + 1);
	changes->size += need;
	changes->n++;
	return 0;
}

/* Compare two directories of the same name; an id that is NULL stands for a missing one. */
static int enter(struct changes *changes, const char *name, const git_oid *old_id,
		 const git_oid *new_id, unsigned depth)
{
	size_t length = strlen(name), before = changes->length;
	int r;

	if (depth == FETCH_DEPTH_MAX || length == 0 || before + length + 2 > PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(changes->path + before, name, length);
	changes->path[before + length] = '/';
	changes->length = before + length + 1;
	r = walk(changes, old_id, new_id, depth + 1);
	changes->length = before;
	return r;
}

/* Compare the two entries of one name; at most one of them is NULL. */
static int compare(struct changes *changes, const git_tree_entry *old, const git_tree_entry *new,
		   unsigned depth)
{
	const char *name = git_tree_entry_name(new ? new : old);
	const git_oid *old_tree = old && is_tree(old) ? git_tree_entry_id(old) : NULL;
	const git_oid *new_tree = new &&is_tree(new) ? git_tree_entry_id(new) : NULL;
	int r = 0;

	if (++changes->n_visited > FETCH_TREE_ENTRIES_MAX)
		return -E2BIG;
	if (old && new &&git_oid_equal(git_tree_entry_id(old), git_tree_entry_id(new)) &&
	    git_tree_entry_filemode_raw(old) == git_tree_entry_filemode_raw(new))
		return 0;
	if ((old && !old_tree) || (new && !new_tree))
		r = name_add(changes, name);
	if (r == 0 && (old_tree || new_tree))
		r = enter(changes, name, old_tree, new_tree, depth);
	return r;
}

static int tree_load(struct changes *changes, const git_oid *id, git_tree **ret_tree)
{
	git_object_t type;
	size_t size;

	if (!id)
		return 0;
	if (git_odb_read_header(&size, &type, changes->odb, id) < 0)
		return -ENOENT;
	if (type != GIT_OBJECT_TREE || size > TREE_OBJECT_MAX)
		return -E2BIG;
	return git_tree_lookup(ret_tree, changes->repository, id) < 0 ? -ENOENT : 0;
}

/* Compare the entries of two trees; NULL stands for an empty one. */
static int walk(struct changes *changes, const git_oid *old_id, const git_oid *new_id,
		unsigned depth)
{
	git_tree *old = NULL, *new = NULL;
	int r = tree_load(changes, old_id, &old);

	if (r == 0)
		r = tree_load(changes, new_id, &new);
	for (size_t i = 0; r == 0 && new &&i < git_tree_entrycount(new); i++) {
		const git_tree_entry *entry = git_tree_entry_byindex(new, i);

		r = compare(changes,
			    old ? git_tree_entry_byname(old, git_tree_entry_name(entry)) : NULL,
			    entry, depth);
	}
	for (size_t i = 0; r == 0 && old && i < git_tree_entrycount(old); i++) {
		const git_tree_entry *entry = git_tree_entry_byindex(old, i);

		if (!new || !git_tree_entry_byname(new, git_tree_entry_name(entry)))
			r = compare(changes, entry, NULL, depth);
	}
	git_tree_free(old);
	git_tree_free(new);
	return r;
}

/* ---- what is compared ---- */

/* The commit that @name, a reference or an id, stands for. */
static int commit_of(git_repository *repository, const char *name, git_oid *ret_id)
{
	git_object *object = NULL, *commit = NULL;
	git_oid id;
	int r = strncmp(name, "refs/", 5) == 0
			? git_reference_name_to_id(&id, repository, name)
			: (strlen(name) == GIT_OID_HEXSZ ? git_oid_fromstr(&id, name) : -1);

	if (r == 0)
		r = git_object_lookup(&object, repository, &id, GIT_OBJECT_ANY);
	if (r == 0)
		r = git_object_peel(&commit, object, GIT_OBJECT_COMMIT);
	if (r == 0)
		git_oid_cpy(ret_id, git_object_id(commit));
	git_object_free(object);
	git_object_free(commit);
	return r < 0 ? -ENOENT : 0;
}

static bool all_zero(const char *commit)
{
	return commit[strspn(commit, "0")] == '\0';
}

/* Find the commit to compare with, see changes.h. Return: -ENOENT when there is none. */
static int base_find(git_repository *repository, const git_oid *head,
		     const struct changes_question *question, git_oid *ret_id)
{
	const char *other = question->base_ref;
	git_oid id;

	if (!*other && !*question->before)
		return -ENOENT;
	if (!*other && !all_zero(question->before))
		return commit_of(repository, question->before, ret_id);
	if (!*other) {
		other = question->default_branch;
		/* the first push of the repository: there is nothing to compare with */
		if (!*other || strcmp(other, question->ref) == 0)
			return -ENOENT;
	}
	if (commit_of(repository, other, &id) < 0 &&
	    (!*question->before || commit_of(repository, question->before, &id) < 0))
		return -ENOENT;
	return git_merge_base(ret_id, repository, &id, head) < 0 ? -ENOENT : 0;
}

static int tree_of(git_repository *repository, const git_oid *id, git_oid *ret_tree)
{
	git_commit *commit = NULL;

	if (git_commit_lookup(&commit, repository, id) < 0)
		return -ENOENT;
	git_oid_cpy(ret_tree, git_commit_tree_id(commit));
	git_commit_free(commit);
	return 0;
}

int changes_find(git_repository *repository, const git_oid *head,
		 const struct changes_question *question, int *ret_fd)
{
	struct changes changes = {.repository = repository};
	git_oid base, old, new;
	int r = base_find(repository, head, question, &base);

	if (r == 0)
		r = tree_of(repository, &base, &old);
	if (r == 0)
		r = tree_of(repository, head, &new);
	if (r == 0 && git_repository_odb(&changes.odb, repository) < 0)
		r = -ENOENT;
	if (r == 0 && !git_oid_equal(&old, &new))
		r = walk(&changes, &old, &new, 0);
	if (r == 0) {
		r = memfd_sealed("changed-paths", changes.text ? changes.text : "", changes.size);
		if (r >= 0) {
			*ret_fd = r;
			r = 0;
		}
	}
	git_odb_free(changes.odb);
	free(changes.text);
	return r;
}
