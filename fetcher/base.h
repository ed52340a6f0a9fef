/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_BASE_H
#define FETCHER_BASE_H

/*
 * DOC: Bases
 *
 * A base is the target branch of a foreign pull request, as packs that hold all objects
 * the branch's tip reaches, and nothing else. It is a copy of a part of the mirror: a step
 * of a stranger must not read other branches, and the mirror's own packs mix them. Views
 * (view.h) of foreign commits hard-link these packs and add the commit's own objects.
 *
 * lib/trees/<project>/bases/<id of the branch's name>/
 *   packs   the branch's name, then a line for each pack: the tip up to which the pack goes
 *           and the pack's name; the tip of each line descends from the tip of the line above
 *   pack-*  the listed packs; an unlisted one was left by a killed child and is removed
 *
 * When the branch advances, one pack with the new objects is added; when it was reset, the
 * packs that hold more than the new tip reaches are dropped. No step uses a base itself, since
 * views have hard links of their own, so a base may be removed at any time.
 */

#include "fetcher/fetch.h"
#include "fetcher/pack.h"

#include <git2.h>
#include <limits.h>

#define BASE_PACKS_MAX 64

struct base {
	int fd;		     /* the base's directory; -1: not open */
	char path[PATH_MAX]; /* its absolute path */
	size_t n;
	struct base_pack {
		git_oid tip;
		char name[PACK_NAME_LENGTH + 1];
	} packs[BASE_PACKS_MAX];
};
#define BASE_NULL ((struct base){.fd = -1})

/**
 * base_update() - make the packs of @branch hold exactly what @tip reaches
 * @project_fd, @project_path: lib/trees/<project>, locked by the caller
 * @branch: full name of the reference
 *
 * Return: 0, or -errno with @result set; base_close() is due in both cases.
 */
int base_update(struct base *base, int project_fd, const char *project_path,
		git_repository *repository, const char *branch, const git_oid *tip,
		struct fetch_result *result);
/** base_close() - close the directory; the packs stay on disk */
void base_close(struct base *base);
/** base_odb() - the first @n packs as an object database of the caller's. Return: 0 or -EIO. */
int base_odb(const struct base *base, size_t n, git_odb **ret_odb);
/** bases_prune() - remove the bases whose branch is gone or was reset; best effort */
void bases_prune(int project_fd, git_repository *repository);

#endif
