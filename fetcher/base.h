/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_BASE_H
#define FETCHER_BASE_H

/*
 * DOC: Bases
 *
 * What a pull request of a stranger goes to, as packs: all that the tip of one
 * branch reaches, and nothing else. A copy of a part of the mirror, because in
 * the mirror's own packs that part lies among the objects of other branches.
 *
 * lib/trees/<project>/bases/<id of the branch's name>/
 *   packs   the branch's name, then a line for each pack: the tip up to which it goes and
 *           what it is called; each line's tip descends from the one above
 *   pack-*  as they are listed; what is not listed is what a killed child left
 *
 * A branch that went on costs a pack of what is new; one that was set back loses
 * the packs from there on. Views have links of their own to the packs, so nothing
 * here is in use by a step, and all of it may be removed at any time.
 */

#include "fetcher/fetch.h"
#include "fetcher/pack.h"

#include <git2.h>
#include <limits.h>

#define BASE_PACKS_MAX 64

struct base {
	int fd;		     /* of the directory */
	char path[PATH_MAX]; /* the same */
	size_t n;
	struct base_pack {
		git_oid tip;
		char name[PACK_NAME_LENGTH + 1];
	} packs[BASE_PACKS_MAX];
};
#define BASE_NULL ((struct base){.fd = -1})

/**
 * base_update() - bring the packs of one branch to its @tip
 * @project_fd, @project_path: lib/trees/<project>, locked
 *
 * Return: 0, or -errno with @result set; base_close() it in any case.
 */
int base_update(struct base *base, int project_fd, const char *project_path,
		git_repository *repository, const char *branch, const git_oid *tip,
		struct fetch_result *result);
void base_close(struct base *base);
/** base_odb() - an object database of its first @n packs. Return: 0 or -errno. */
int base_odb(const struct base *base, size_t n, git_odb **ret_odb);
/** bases_prune() - remove those whose branch is gone or was set back */
void bases_prune(int project_fd, git_repository *repository);

#endif
