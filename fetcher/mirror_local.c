/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DOC: Objects of a file:// remote
 *
 * libgit2's local transport packs everything it sends and searches deltas anew, which takes
 * minutes for what git copies in seconds. So we copy the objects before that transport runs, and
 * it finds nothing left to send.
 *
 * A walk goes down from each reference of the remote and stops at objects that the mirror has.
 * An object is written after those that it names, so every object in the mirror is complete with
 * all that it reaches. At a first fetch, and when the walk turns out to be long, the remote's
 * packs are copied whole through libgit2's indexer, which verifies every object, and the walk
 * copies the rest.
 */
#include "fetcher/mirror.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <git2/sys/odb_backend.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FEW_OBJECTS 500 /* up to so many objects are copied one by one */
#define COPY_BLOCK (1 * MIB)

struct visit {
	git_oid id;
	bool expanded; /* the objects that it names have been pushed above it */
};

struct copy {
	struct mirror *mirror;
	struct fetch_result *result;
	git_repository *source;
	git_odb *from, *to;
	struct visit *visits; /* a stack */
	size_t n_visits, room;
	uint64_t n_expanded;
	uint64_t bytes;
	bool seeded;
	bool over_limit;
};

static int copy_failed(struct copy *copy)
{
	if (copy->over_limit)
		return fetch_fail(copy->result, FETCH_REFUSED,
				  "%s sends more than %s, the limit of one fetch; make its history "
				  "smaller or fetch from a slimmer mirror",
				  copy->mirror->config->url, size_text(copy->mirror->limits->pack));
	return fetch_fail_git(copy->result, -EIO, "check it with \"git fsck\"", "cannot fetch %s",
			      copy->mirror->config->url);
}

/* Report a failure of ours as one of libgit2's, so that our caller's fetch_fail_git() shows it. */
static int say(const char *words)
{
	(void)git_error_set_str(GIT_ERROR_OS, words);
	return -1;
}

static int no_memory(void)
{
	return say("out of memory");
}

/* ---- whole packs ---- */

static int on_progress(const git_indexer_progress *stats, void *payload)
{
	struct copy *copy = payload;

	if (copy->bytes + stats->received_bytes <= copy->mirror->limits->pack)
		return 0;
	copy->over_limit = true;
	return GIT_EUSER;
}

static int pack_stream(struct copy *copy, int fd, git_odb_writepack *pack)
{
	git_indexer_progress stats = {0};
	cleanup_free char *block = malloc(COPY_BLOCK);
	int r = 0;

	if (!block)
		return no_memory();
	for (;;) {
		ssize_t n = fd_read_all(fd, block, COPY_BLOCK);

		if (n < 0)
			return say(strerror((int)-n));
		if (n == 0)
			break;
		stats.received_bytes += (size_t)n;
		r = pack->append(pack, block, (size_t)n, &stats);
		if (r < 0)
			return r;
	}
	r = pack->commit(pack, &stats);
	copy->bytes += stats.received_bytes;
	return r;
}

static void pack_take(struct copy *copy, int fd, const char *name)
{
	git_odb_writepack *pack = NULL;
	int r = git_odb_write_pack(&pack, copy->to, on_progress, copy);

	if (r == 0)
		r = pack_stream(copy, fd, pack);
	if (pack)
		pack->free(pack);
	if (r < 0 && !copy->over_limit)
		log_warning("%s: pack %s cannot be copied whole (%s), its objects are copied "
			    "one by one",
			    copy->mirror->config->project, name, git_words());
}

/* Copy the remote's packs whole. Best effort: objects that are still missing are walked to. */
static void packs_take(struct copy *copy)
{
	char folder[PATH_MAX];
	cleanup_closedir DIR *dir = NULL;
	const struct dirent *entry;

	copy->seeded = true;
	(void)snprintf(folder, sizeof(folder), "%s/objects/pack",
		       git_repository_commondir(copy->source));
	dir = opendir(folder);
	(void)git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
	while (dir && !copy->over_limit && (entry = readdir(dir))) {
		size_t length = strlen(entry->d_name);
		cleanup_close int fd = -1;
		struct stat st;

		if (length < 5 || strcmp(entry->d_name + length - 5, ".pack") != 0)
			continue;
		fd = openat(dirfd(dir), entry->d_name,
			    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
			pack_take(copy, fd, entry->d_name);
	}
	(void)git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 0);
	(void)git_odb_refresh(copy->to);
}

/* ---- object by object ---- */

static int visit_push(struct copy *copy, const git_oid *id)
{
	if (git_odb_exists_ext(copy->to, id, GIT_ODB_LOOKUP_NO_REFRESH))
		return 0;
	if (copy->n_visits == copy->room) {
		size_t room = copy->room ? copy->room * 2 : 1024;
		void *grown = realloc(copy->visits, room * sizeof(*copy->visits));

		if (!grown)
			return no_memory();
		copy->visits = grown;
		copy->room = room;
	}
	copy->visits[copy->n_visits++] = (struct visit){.id = *id};
	return 0;
}

static int push_commit(struct copy *copy, const git_oid *id)
{
	git_commit *commit = NULL;
	int r = git_commit_lookup(&commit, copy->source, id);

	if (r < 0)
		return r;
	for (unsigned i = 0; r == 0 && i < git_commit_parentcount(commit); i++)
		r = visit_push(copy, git_commit_parent_id(commit, i));
	if (r == 0)
		r = visit_push(copy, git_commit_tree_id(commit));
	git_commit_free(commit);
	return r;
}

static int push_tree(struct copy *copy, const git_oid *id)
{
	git_tree *tree = NULL;
	int r = git_tree_lookup(&tree, copy->source, id);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < git_tree_entrycount(tree); i++) {
		const git_tree_entry *entry = git_tree_entry_byindex(tree, i);

		/* the commit of a submodule is in another repository */
		if (git_tree_entry_filemode_raw(entry) != GIT_FILEMODE_COMMIT)
			r = visit_push(copy, git_tree_entry_id(entry));
	}
	git_tree_free(tree);
	return r;
}

static int push_tag(struct copy *copy, const git_oid *id)
{
	git_tag *tag = NULL;
	int r = git_tag_lookup(&tag, copy->source, id);

	if (r == 0)
		r = visit_push(copy, git_tag_target_id(tag));
	git_tag_free(tag);
	return r;
}

/* Push the objects that @id names, and count its size against the limit. */
static int visit_expand(struct copy *copy, const git_oid *id)
{
	git_object_t type;
	size_t size;
	int r = git_odb_read_header(&size, &type, copy->from, id);

	if (r < 0)
		return r;
	copy->bytes += size;
	copy->n_expanded++;
	if (copy->bytes > copy->mirror->limits->pack) {
		copy->over_limit = true;
		return -1;
	}
	switch (type) {
	case GIT_OBJECT_COMMIT:
		return push_commit(copy, id);
	case GIT_OBJECT_TREE:
		return push_tree(copy, id);
	case GIT_OBJECT_TAG:
		return push_tag(copy, id);
	default:
		return 0;
	}
}

static int object_copy(struct copy *copy, const git_oid *id)
{
	git_odb_object *object = NULL;
	git_oid written;
	int r = git_odb_read(&object, copy->from, id); /* verifies the id */

	if (r == 0)
		r = git_odb_write(&written, copy->to, git_odb_object_data(object),
				  git_odb_object_size(object), git_odb_object_type(object));
	git_odb_object_free(object);
	if (r == 0 && !git_oid_equal(&written, id))
		return say("an object does not match its id");
	return r;
}

/* Walk until the stack is empty: an object is copied when all that it names has been. */
static int copy_walk(struct copy *copy)
{
	int r = 0;

	while (r == 0 && copy->n_visits > 0) {
		struct visit *visit = &copy->visits[copy->n_visits - 1];
		git_oid id = visit->id;

		if (git_odb_exists_ext(copy->to, &id, GIT_ODB_LOOKUP_NO_REFRESH)) {
			copy->n_visits--;
		} else if (visit->expanded) {
			r = object_copy(copy, &id);
			copy->n_visits--;
		} else if (!copy->seeded && copy->n_expanded >= FEW_OBJECTS) {
			packs_take(copy);
		} else {
			visit->expanded = true; /* before the stack may move */
			r = visit_expand(copy, &id);
		}
		if (copy->over_limit)
			r = -1;
	}
	return r;
}

static bool mirror_empty(struct mirror *mirror)
{
	git_strarray names = {0};
	bool empty = git_reference_list(&names, mirror->repository) == 0 && names.count == 0;

	git_strarray_dispose(&names);
	return empty;
}

static bool reference_wanted(const char *name, const char *ref)
{
	return strncmp(name, "refs/heads/", 11) == 0 || strncmp(name, "refs/tags/", 10) == 0 ||
	       strcmp(name, ref) == 0;
}

/* Start the walk at each wanted reference, and at @commit. */
static int tips_push(struct copy *copy, const char *ref, const char *commit)
{
	git_strarray names = {0};
	git_oid id;
	int r = git_reference_list(&names, copy->source);

	for (size_t i = 0; r == 0 && i < names.count; i++) {
		/* the transport reports a reference to a missing object later */
		if (reference_wanted(names.strings[i], ref) &&
		    git_reference_name_to_id(&id, copy->source, names.strings[i]) == 0)
			r = visit_push(copy, &id);
	}
	git_strarray_dispose(&names);
	if (r == 0 && *commit && git_oid_fromstr(&id, commit) == 0 &&
	    git_odb_exists(copy->from, &id))
		r = visit_push(copy, &id);
	return r;
}

/* Sync all objects, before any reference to them is written. */
static int copy_sync(const struct mirror *mirror)
{
	cleanup_close int fd = open(mirror->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || syncfs(fd) < 0 ? -errno : 0;
}

int mirror_copy_local(struct mirror *mirror, const char *ref, const char *commit,
		      struct fetch_result *result)
{
	struct copy copy = {.mirror = mirror, .result = result};
	int r = git_repository_open(&copy.source, mirror->remote->path);

	if (r == 0)
		r = git_repository_odb(&copy.from, copy.source);
	if (r == 0)
		r = git_repository_odb(&copy.to, mirror->repository);
	if (r == 0 && mirror_empty(mirror))
		packs_take(&copy);
	if (r == 0 && !copy.over_limit)
		r = tips_push(&copy, ref, commit);
	if (r == 0 && !copy.over_limit)
		r = copy_walk(&copy);
	if (r < 0 || copy.over_limit)
		r = copy_failed(&copy);
	else if (copy.n_expanded > 0)
		r = copy_sync(mirror);
	free(copy.visits);
	git_odb_free(copy.from);
	git_odb_free(copy.to);
	git_repository_free(copy.source);
	return r;
}
