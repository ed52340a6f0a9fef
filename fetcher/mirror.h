/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_MIRROR_H
#define FETCHER_MIRROR_H

/*
 * A project's bare mirror, lib/repos/<project>.git: all branches and tags of
 * the remote, and commits that were asked for by id. It is a cache: whatever is
 * wrong with it is cured by fetching anew. Used by the short-lived child only.
 */

#include "fetcher/fetch.h"
#include "fetcher/remote.h"

#include <git2.h>

struct mirror {
	git_repository *repository;
	const char *path;
	const struct repository *config;
	const struct remote *remote;
	const struct fetch_limits *limits;
};

/**
 * mirror_setup() - libgit2 made ready for hostile input, once per process
 *
 * No configuration but the mirror's own, bounded memory, objects verified.
 */
int mirror_setup(const struct fetch_limits *limits, struct fetch_result *result);

/**
 * mirror_open() - open the mirror, make it if the directory is empty
 * @mirror: path, config, remote and limits are set and stay the caller's
 *
 * What a killed predecessor left (lock files, half packs) is removed first: the
 * caller holds the project's lock. A mirror that cannot be opened is remade.
 */
int mirror_open(struct mirror *mirror, struct fetch_result *result);
void mirror_close(struct mirror *mirror);

/** mirror_reset() - throw everything in the mirror away and start an empty one */
int mirror_reset(struct mirror *mirror, struct fetch_result *result);

/**
 * mirror_find() - the commit that @commit or, if that is "", @ref names here
 *
 * An annotated tag's id or name leads to the commit that it tags.
 *
 * Return: 0, -ENOENT when it is not here (@result untouched), or another
 * -errno with @result set.
 */
int mirror_find(struct mirror *mirror, const char *ref, const char *commit, git_oid *ret_id,
		struct fetch_result *result);

/**
 * mirror_sound() - do all references lead to objects that are here?
 *
 * After a power cut they may not, and then libgit2 tells the remote that it has
 * what it has not. Asked when something failed, not before each fetch.
 */
bool mirror_sound(struct mirror *mirror);

/**
 * mirror_update() - fetch from the remote
 * @ref:    in: what was asked for; a short name is completed, "" becomes the
 *          remote's default branch; room for REF_NAME_MAX + 1
 * @commit: "" or an id that must be here afterwards, fetched by id if the
 *          branches do not bring it and the server allows that
 *
 * Return: 0, or -errno with @result set.
 */
int mirror_update(struct mirror *mirror, char *ref, const char *commit,
		  struct fetch_result *result);

/**
 * mirror_default_read() - the remote's default branch when it was last asked
 * @ret_ref: room for REF_NAME_MAX + 1; a full ref, or "" when nobody knows
 */
void mirror_default_read(const struct mirror *mirror, char *ret_ref);

/**
 * mirror_copy_local() - bring the objects of a file:// remote here
 * @ref:    fetched besides branches and tags, as given
 * @commit: "" or an id that is wanted as well
 *
 * References stay as they are. Return: 0, or -errno with @result set.
 */
int mirror_copy_local(struct mirror *mirror, const char *ref, const char *commit,
		      struct fetch_result *result);

/**
 * mirror_repack() - make one pack of the many small ones that fetches leave
 *
 * Each fetch adds a pack; looking an object up asks each. Large packs stay as
 * they are. Best effort: a failure is logged and leaves the mirror as it was.
 */
void mirror_repack(struct mirror *mirror);

#endif
