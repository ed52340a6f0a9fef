/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_MIRROR_H
#define FETCHER_MIRROR_H

/*
 * DOC: The mirror
 *
 * lib/repos/<project>.git is a bare mirror of the project's remote: all its branches and tags,
 * and commits that were requested by id. Only a child (child.h) opens it, under the project's
 * lock. The mirror is a cache: a damaged one is not repaired, but emptied and fetched anew. What
 * the remote sends is hostile input; every object is verified, and each fetch is bounded.
 *
 * mirror.c connects and fetches, mirror_local.c copies the objects of file:// remotes,
 * mirror_pack.c joins small packs, mirror_prune.c (prune.h) removes what no run needs.
 */

#include "fetcher/fetch.h"
#include "fetcher/remote.h"

#include <git2.h>

/** struct mirror - an open mirror; all but @repository belong to the caller */
struct mirror {
	git_repository *repository;
	const char *path; /* absolute, of the directory */
	const struct repository *config;
	const struct remote *remote;
	const struct fetch_limits *limits;
};

/**
 * mirror_setup() - prepare libgit2 for hostile input, once in each process
 *
 * It then reads only the mirror's own configuration, bounds its memory and verifies objects.
 *
 * Return: 0, or -errno with @result set.
 */
int mirror_setup(const struct fetch_limits *limits, struct fetch_result *result);

/**
 * mirror_open() - open the mirror; create it if the directory is empty
 * @mirror: path, config, remote and limits are set by the caller, who keeps them
 *
 * Lock files and partial packs of a killed child are removed first, which is safe because the
 * caller holds the project's lock. A mirror that cannot be opened is emptied and created anew.
 *
 * Return: 0, or -errno with @result set.
 */
int mirror_open(struct mirror *mirror, struct fetch_result *result);
/** mirror_close() - release libgit2's repository; the files stay */
void mirror_close(struct mirror *mirror);

/** mirror_reset() - empty the mirror's directory and create it anew. Return: 0 or -errno. */
int mirror_reset(struct mirror *mirror, struct fetch_result *result);

/**
 * mirror_find() - the commit that @commit, or @ref if @commit is "", names in the mirror
 *
 * The id or name of an annotated tag stands for the commit that it tags.
 *
 * Return: 0, -ENOENT when the mirror does not have it (@result untouched), or another
 * -errno with @result set.
 */
int mirror_find(struct mirror *mirror, const char *ref, const char *commit, git_oid *ret_id,
		struct fetch_result *result);

/**
 * mirror_sound() - do all references lead to objects that the mirror has?
 *
 * After a power cut they may not; libgit2 would then announce objects to the remote that the
 * mirror lacks. The child checks this after a failure, not before each fetch.
 */
bool mirror_sound(struct mirror *mirror);

/**
 * mirror_update() - fetch from the remote
 * @ref:    in and out: the reference that the request names; a short name is completed, ""
 *          becomes the remote's default branch; room for REF_NAME_MAX + 1
 * @commit: "" or an id that the mirror should have afterwards; fetched by id if the branches
 *          do not bring it and the server allows that
 *
 * Return: 0, or -errno with @result set.
 */
int mirror_update(struct mirror *mirror, char *ref, const char *commit,
		  struct fetch_result *result);

/**
 * mirror_default_read() - the remote's default branch as of the last fetch
 * @ret_ref: room for REF_NAME_MAX + 1; a full reference name, or "" when it is not known
 */
void mirror_default_read(const struct mirror *mirror, char *ret_ref);

/**
 * mirror_copy_local() - copy the objects of a file:// remote into the mirror
 * @ref:    full name of a reference that is copied besides branches and tags
 * @commit: "" or the id of a commit that is copied as well
 *
 * The mirror's references are left alone. Return: 0, or -errno with @result set.
 */
int mirror_copy_local(struct mirror *mirror, const char *ref, const char *commit,
		      struct fetch_result *result);

/**
 * mirror_repack() - join the many small packs that fetches leave
 *
 * Each fetch adds a pack, and a lookup searches all of them. Large packs stay as they are.
 * Best effort: a failure is logged and leaves the mirror unchanged.
 */
void mirror_repack(struct mirror *mirror);

#endif
