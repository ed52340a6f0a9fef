/* SPDX-License-Identifier: Apache-2.0 */
#include "fetcher/prune.h"

#include "common/beneath.h"
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/names.h"
#include "common/tree_layers.h"
#include "fetcher/base.h"
#include "fetcher/pack.h"
#include "fetcher/reach.h"
#include "fetcher/refs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <git2/odb_backend.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define PACKED_REFS_MAX (64 * MIB)

struct prune {
	struct mirror *mirror;
	struct fetch_result *result;
	int project_fd;
	struct reach reach; /* the objects that must stay */
	int packs_fd;	    /* objects/pack */
	char packs_path[PATH_MAX];
	struct oid_set
		have;  /* of these, first the ones in packs that stay, then those of the new pack */
	size_t n_have; /* how many of @have are in packs that stay */
	struct prune_pack {
		char name[PACK_NAME_LENGTH + 1];
		size_t n, n_kept; /* all objects in it, and those that must stay */
		uint64_t bytes;
	} * packs;
	size_t n_packs, room;
};

/* ---- what must stay ---- */

/* An id that the mirror lacks was never fetched into it, or was pruned with an earlier run. */
static int root_add(struct prune *prune, const git_oid *id)
{
	git_odb *odb = NULL;
	bool there;

	if (git_repository_odb(&odb, prune->mirror->repository) < 0)
		return -EIO;
	there = git_odb_exists(odb, id);
	git_odb_free(odb);
	return there ? reach_add(&prune->reach, id) : 0;
}

static int root_add_hex(struct prune *prune, const char *hex)
{
	git_oid id;

	return git_oid_fromstrn(&id, hex, GIT_OID_HEXSZ) < 0 ? 0 : root_add(prune, &id);
}

/* Take branches and tags as roots, and remove references of other kinds. */
static int remote_roots(struct prune *prune)
{
	git_strarray names = {0};
	int r = git_reference_list(&names, prune->mirror->repository) < 0 ? -EIO : 0;

	for (size_t i = 0; r == 0 && i < names.count; i++) {
		const char *name = names.strings[i];
		git_oid id;

		/* of a pull request, or for a commit fetched by id: only kept runs keep these */
		if (strncmp(name, "refs/heads/", 11) != 0 && strncmp(name, "refs/tags/", 10) != 0)
			r = git_reference_remove(prune->mirror->repository, name) < 0 ? -EIO : 0;
		else if (git_reference_name_to_id(&id, prune->mirror->repository, name) == 0)
			r = reach_add(&prune->reach, &id);
	}
	git_strarray_dispose(&names);
	return r;
}

/* Add the references that a work tree or a view shows as roots. */
static int packed_refs_roots(struct prune *prune, int dir_fd, const char *path)
{
	cleanup_close int fd = open_beneath(dir_fd, path, O_RDONLY | O_NONBLOCK, 0);
	cleanup_free char *text = NULL;
	size_t size;
	int r = 0;

	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fd;
	r = fd_read_file(fd, PACKED_REFS_MAX, &text, &size);
	for (char *line = text; r == 0 && line && *line;) {
		size_t length = strcspn(line, "\n");

		if (length > GIT_OID_HEXSZ && line[0] != '#')
			r = root_add_hex(prune, line);
		line += length + (line[length] == '\n');
	}
	return r;
}

/* Take the references of views as roots, except of views with objects of their own. */
static int views_roots(struct prune *prune, const char *views)
{
	cleanup_close int fd =
		openat(prune->project_fd, views, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int copy = fd < 0 ? -1 : openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_closedir DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;
	int r = dir ? 0 : -errno;

	while (r == 0 && dir && (entry = readdir(dir))) {
		char path[NAME_MAX + 32];

		if (!commit_valid(entry->d_name))
			continue;
		(void)snprintf(path, sizeof(path), "%s/objects", entry->d_name);
		if (faccessat(fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			continue; /* it has objects of its own */
		(void)snprintf(path, sizeof(path), "%s/top/.git/packed-refs", entry->d_name);
		r = packed_refs_roots(prune, fd, path);
	}
	return r;
}

/* Take the commits of trees as roots, and the references that they and their views show. */
static int trees_roots(struct prune *prune)
{
	int copy = openat(prune->project_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_closedir DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;
	int r = dir ? 0 : -errno;

	while (r == 0 && dir && (entry = readdir(dir))) {
		const char *name = entry->d_name;
		char path[COMMIT_HEX_MAX + 32];

		if (strlen(name) == GIT_OID_HEXSZ && commit_valid(name)) {
			r = root_add_hex(prune, name);
			/* trees of versions without views have packed-refs of their own */
			(void)snprintf(path, sizeof(path), "%s/.git/packed-refs", name);
			if (r == 0)
				r = packed_refs_roots(prune, prune->project_fd, path);
		} else if (strlen(name) == GIT_OID_HEXSZ + strlen(TREE_DIFF) &&
			   strcmp(name + GIT_OID_HEXSZ, TREE_DIFF) == 0) {
			/* it and the tree that it lies on are compared with new ones */
			r = root_add_hex(prune, name);
		} else if (strlen(name) == GIT_OID_HEXSZ + 6 &&
			   strcmp(name + GIT_OID_HEXSZ, ".views") == 0) {
			r = views_roots(prune, name);
		}
	}
	return r;
}

/* ---- packs ---- */

static int pack_add(struct prune *prune, const char *name, uint64_t bytes)
{
	struct prune_pack *grown;

	if (prune->n_packs == prune->room) {
		size_t room = prune->room ? prune->room * 2 : 64;

		grown = reallocarray(prune->packs, room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		prune->packs = grown;
		prune->room = room;
	}
	grown = &prune->packs[prune->n_packs++];
	*grown = (struct prune_pack){.bytes = bytes};
	(void)snprintf(grown->name, sizeof(grown->name), "%s", name);
	return 0;
}

static int packs_list(struct prune *prune)
{
	int copy = openat(prune->packs_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_closedir DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;
	int r = dir ? 0 : -errno;

	while (r == 0 && dir && (entry = readdir(dir))) {
		char name[PACK_NAME_LENGTH + 1];
		struct stat st;

		if (pack_file_is(entry->d_name, name) &&
		    strcmp(entry->d_name + PACK_NAME_LENGTH, ".pack") == 0 &&
		    fstatat(prune->packs_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			r = pack_add(prune, name, (uint64_t)st.st_blocks * 512);
	}
	return r;
}

struct counting {
	struct prune *prune;
	struct prune_pack *pack;
	bool take; /* into prune->have */
};

static int object_count(const git_oid *id, void *payload)
{
	struct counting *counting = payload;
	struct prune *prune = counting->prune;

	if (!counting->take)
		counting->pack->n++;
	if (!oid_set_has(&prune->reach.seen, id))
		return 0;
	if (!counting->take) {
		counting->pack->n_kept++;
		return 0;
	}
	return oid_set_add(&prune->have, id) < 0 ? -1 : 0;
}

/* Visit the objects of one pack: count them, or with @take add the reached ones to prune->have. */
static int pack_each(struct prune *prune, struct prune_pack *pack, bool take)
{
	struct counting counting = {.prune = prune, .pack = pack, .take = take};
	char path[PATH_MAX + PACK_NAME_LENGTH + 8];
	git_odb_backend *backend = NULL;
	git_odb *odb = NULL;
	int r;

	(void)snprintf(path, sizeof(path), "%s/%s.idx", prune->packs_path, pack->name);
	r = git_odb_new(&odb);
	if (r == 0)
		r = git_odb_backend_one_pack(&backend, path);
	if (r == 0)
		r = git_odb_add_backend(odb, backend, 1);
	if (r == 0)
		r = git_odb_foreach(odb, object_count, &counting);
	git_odb_free(odb);
	return r < 0 ? -EIO : 0;
}

static bool is_mixed(const struct prune_pack *pack)
{
	return pack->n_kept > 0 && pack->n_kept < pack->n;
}

static void pack_drop(struct prune *prune, const struct prune_pack *pack)
{
	pack_remove(prune->packs_fd, pack->name);
	prune->result->freed += pack->bytes;
}

/* The new pack takes some of the space that the old ones freed. */
static void pack_subtract(struct prune *prune, const char *name)
{
	uint64_t *freed = &prune->result->freed;
	char file[PACK_NAME_LENGTH + 8];
	uint64_t bytes;
	struct stat st;

	(void)snprintf(file, sizeof(file), "%s.pack", name);
	if (fstatat(prune->packs_fd, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	bytes = (uint64_t)st.st_blocks * 512;
	*freed -= bytes < *freed ? bytes : *freed;
}

/* Is there room for a copy of all packs that are reached in part? Return: 0 or -ENOSPC. */
static int room_check(const struct prune *prune)
{
	struct statvfs disk;
	uint64_t needed = 0, free_bytes;

	for (size_t i = 0; i < prune->n_packs; i++)
		needed += is_mixed(&prune->packs[i]) ? prune->packs[i].bytes : 0;
	if (fstatvfs(prune->packs_fd, &disk) < 0)
		return -errno;
	free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
	if (free_bytes >= needed)
		return 0;
	(void)fetch_fail(prune->result, FETCH_UNREACHABLE,
			 "unreached objects remain in packs of the mirror along with others: to "
			 "write those anew, up to %s must be free on the disk, and %s are",
			 size_text(needed), size_text(free_bytes));
	return -ENOSPC;
}

/* Write the reached objects of the mixed packs to one new pack, then remove the mixed packs. */
static int packs_rewrite(struct prune *prune)
{
	char name[PACK_NAME_LENGTH + 1] = "";
	int r = room_check(prune);

	for (size_t i = 0; r == 0 && i < prune->n_packs; i++) {
		if (is_mixed(&prune->packs[i]))
			r = pack_each(prune, &prune->packs[i], true);
	}
	if (r == 0)
		r = pack_write(prune->mirror->repository, prune->have.ids + prune->n_have,
			       prune->have.n - prune->n_have, prune->packs_path, name);
	if (r < 0)
		return r;
	for (size_t i = 0; i < prune->n_packs; i++) {
		if (is_mixed(&prune->packs[i]) && strcmp(prune->packs[i].name, name) != 0)
			pack_drop(prune, &prune->packs[i]);
	}
	if (*name)
		pack_subtract(prune, name);
	return 0;
}

/* Remove packs without reached objects, keep those reached as a whole, rewrite the others. */
static int packs_prune(struct prune *prune)
{
	bool mixed = false;
	int r = packs_list(prune);

	for (size_t i = 0; r == 0 && i < prune->n_packs; i++) {
		struct prune_pack *pack = &prune->packs[i];

		r = pack_each(prune, pack, false);
		mixed |= is_mixed(pack);
		if (r == 0 && pack->n_kept == 0)
			pack_drop(prune, pack);
		else if (r == 0 && pack->n_kept == pack->n)
			r = pack_each(prune, pack, true);
	}
	prune->n_have = prune->have.n;
	return r == 0 && mixed ? packs_rewrite(prune) : r;
}

/* ---- loose objects ---- */

/* Remove the loose objects of one directory (two hex digits) that are not reached. */
static void loose_prune_in(struct prune *prune, int objects_fd, const char *folder)
{
	int fd = openat(objects_fd, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_closedir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char hex[GIT_OID_HEXSZ + 1];
		struct stat st;
		git_oid id;

		if (snprintf(hex, sizeof(hex), "%s%s", folder, entry->d_name) != GIT_OID_HEXSZ ||
		    git_oid_fromstr(&id, hex) < 0 || oid_set_has(&prune->reach.seen, &id) ||
		    fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (unlinkat(fd, entry->d_name, 0) == 0)
			prune->result->freed += (uint64_t)st.st_blocks * 512;
	}
	(void)unlinkat(objects_fd, folder, AT_REMOVEDIR); /* if it is empty now */
}

static int loose_prune(struct prune *prune, int objects_fd)
{
	int copy = openat(objects_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_closedir DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (strlen(entry->d_name) == 2 && strspn(entry->d_name, "0123456789abcdef") == 2)
			loose_prune_in(prune, objects_fd, entry->d_name);
	}
	return 0;
}

/* ---- branches ---- */

/* The branches' names, for the scheduler, which keeps the last runs of each branch. */
static int branches_fd(git_repository *repository)
{
	cleanup_free char *text = NULL;
	size_t size = 0, n = 0;
	git_strarray names = {0};
	FILE *stream = open_memstream(&text, &size);
	int r;

	if (!stream)
		return -ENOMEM;
	r = git_reference_list(&names, repository) < 0 ? -EIO : 0;
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		if (strncmp(names.strings[i], "refs/heads/", 11) == 0 &&
		    ref_name_valid(names.strings[i])) {
			(void)fwrite(names.strings[i], strlen(names.strings[i]) + 1, 1, stream);
			n++;
		}
	}
	git_strarray_dispose(&names);
	if (fclose(stream) != 0)
		return -ENOMEM;
	if (r == 0 && n > BRANCHES_MAX)
		r = -E2BIG;
	return r < 0 ? r : memfd_sealed("branches", text ? text : "", size);
}

/* ---- all of it ---- */

static int prune_run(struct prune *prune, const struct name_list *kept)
{
	cleanup_close int objects_fd = -1;
	int r = remote_roots(prune);

	for (size_t i = 0; r == 0 && i < kept->n_items; i++) {
		if (strlen(kept->items[i]) == GIT_OID_HEXSZ && commit_valid(kept->items[i]))
			r = root_add_hex(prune, kept->items[i]);
	}
	if (r == 0)
		r = trees_roots(prune);
	if (r < 0)
		return r;
	bases_prune(prune->project_fd, prune->mirror->repository);
	(void)snprintf(prune->packs_path, sizeof(prune->packs_path), "%s/objects",
		       prune->mirror->path);
	objects_fd = open(prune->packs_path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (objects_fd < 0)
		return -errno;
	prune->packs_fd =
		openat(objects_fd, "pack", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (snprintf(prune->packs_path, sizeof(prune->packs_path), "%s/objects/pack",
		     prune->mirror->path) >= (int)sizeof(prune->packs_path))
		return -ENAMETOOLONG;
	/* loose objects go first, as that needs no space */
	r = loose_prune(prune, objects_fd);
	if (r == 0 && prune->packs_fd >= 0)
		r = packs_prune(prune);
	return r;
}

int mirror_prune(struct mirror *mirror, int project_fd, const struct name_list *kept,
		 struct fetch_result *result)
{
	struct prune *prune = calloc(1, sizeof(*prune));
	int r = -ENOMEM;

	if (prune) {
		prune->mirror = mirror;
		prune->result = result;
		prune->project_fd = project_fd;
		prune->packs_fd = -1;
		prune->reach.repository = mirror->repository;
		result->branches_fd = branches_fd(mirror->repository);
		result->branches_known = result->branches_fd >= 0;
		r = prune_run(prune, kept);
		if (prune->packs_fd >= 0)
			(void)close(prune->packs_fd);
		oid_set_clear(&prune->reach.seen);
		oid_set_clear(&prune->have);
		free(prune->packs);
		free(prune);
	}
	if (r == -ENODATA)
		(void)fetch_fail(result, FETCH_UNREACHABLE,
				 "the mirror lacks objects that its references reach (%s), so "
				 "nothing of it is removed; the next fetch mends it",
				 git_words());
	else if (r < 0 && result->outcome == FETCH_OK)
		(void)fetch_fail_git(result, r, NULL,
				     "cannot remove unreached objects from the mirror");
	return r;
}
