/* SPDX-License-Identifier: Apache-2.0 */
#include "fetcher/nearest.h"

#include "common/cleanup.h"
#include "common/names.h"
#include "fetcher/oid_set.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HISTORY_MAX 1000 /* commits that are looked at */

/* Is there a tree @hex all of whose layers are commits of the mirror, and in @only unless NULL? */
static bool is_usable(int project_fd, git_repository *repository, const char *hex,
		      const struct oid_set *only, struct tree_layers *ret_layers)
{
	struct tree_layers layers;

	if (tree_layers_find(project_fd, hex, &layers) < 0)
		return false;
	for (size_t i = 0; i < layers.n; i++) {
		git_commit *commit = NULL;
		git_oid id;

		/* an upload's tree is not of a commit */
		if (strlen(layers.commits[i]) != GIT_OID_HEXSZ ||
		    git_oid_fromstr(&id, layers.commits[i]) < 0 ||
		    (only && !oid_set_has(only, &id)) ||
		    git_commit_lookup(&commit, repository, &id) < 0)
			return false;
		git_commit_free(commit);
	}
	*ret_layers = layers;
	return true;
}

static bool id_is_usable(int project_fd, git_repository *repository, const git_oid *id,
			 const struct oid_set *only, struct tree_layers *ret_layers)
{
	char hex[GIT_OID_HEXSZ + 1];

	return is_usable(project_fd, repository, git_oid_tostr(hex, sizeof(hex), id), only,
			 ret_layers);
}

/* Look through the commit's history, from the youngest on. */
static int find_in_history(int project_fd, git_repository *repository, const git_oid *commit,
			   bool foreign, struct tree_layers *ret_layers)
{
	struct oid_set seen = {.n = 0};
	git_revwalk *walk = NULL;
	git_oid id;
	int r = -ENOENT;

	if (git_revwalk_new(&walk, repository) < 0)
		return -ENOENT;
	(void)git_revwalk_sorting(walk, GIT_SORT_TIME);
	if (git_revwalk_push(walk, commit) == 0) {
		while (r < 0 && seen.n < HISTORY_MAX && git_revwalk_next(&id, walk) == 0 &&
		       oid_set_add(&seen, &id) == 1) {
			if (!foreign && id_is_usable(project_fd, repository, &id, NULL, ret_layers))
				r = 0;
		}
	}
	/* all layers of a stranger's tree are of its history, so that must be known first */
	for (size_t i = 0; r < 0 && foreign && i < seen.n; i++) {
		if (id_is_usable(project_fd, repository, &seen.ids[i], &seen, ret_layers))
			r = 0;
	}
	git_revwalk_free(walk);
	oid_set_clear(&seen);
	return r;
}

/* Has the tree a view, and none that has objects of its own, as a stranger's has? */
static bool is_ours(int project_fd, const char *hex)
{
	char path[COMMIT_HEX_MAX + 8];
	cleanup_closedir DIR *dir = NULL;
	const struct dirent *entry;
	bool ours = false;
	int fd;

	(void)snprintf(path, sizeof(path), "%s.views", hex);
	fd = openat(project_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	while (dir && (entry = readdir(dir))) {
		char objects[NAME_MAX + 16];

		if (!commit_valid(entry->d_name))
			continue;
		(void)snprintf(objects, sizeof(objects), "%s/objects", entry->d_name);
		if (faccessat(fd, objects, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return false;
		ours = true;
	}
	return ours;
}

/* The tree of ours that was made last. */
static int find_latest(int project_fd, git_repository *repository, struct tree_layers *ret_layers)
{
	int copy = openat(project_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_closedir DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct timespec latest = {.tv_sec = 0};
	const struct dirent *entry;
	int r = -ENOENT;

	while (dir && (entry = readdir(dir))) {
		char hex[GIT_OID_HEXSZ + 1];
		struct stat st;

		if (strlen(entry->d_name) != GIT_OID_HEXSZ + 5 ||
		    strcmp(entry->d_name + GIT_OID_HEXSZ, ".info") != 0)
			continue;
		(void)snprintf(hex, sizeof(hex), "%.*s", GIT_OID_HEXSZ, entry->d_name);
		if (!commit_valid(hex) ||
		    fstatat(project_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    st.st_mtim.tv_sec < latest.tv_sec ||
		    (st.st_mtim.tv_sec == latest.tv_sec && st.st_mtim.tv_nsec <= latest.tv_nsec) ||
		    !is_ours(project_fd, hex) ||
		    !is_usable(project_fd, repository, hex, NULL, ret_layers))
			continue;
		latest = st.st_mtim;
		r = 0;
	}
	return r;
}

int nearest_find(int project_fd, git_repository *repository, const git_oid *commit, bool foreign,
		 struct tree_layers *ret_layers)
{
	int r = find_in_history(project_fd, repository, commit, foreign, ret_layers);

	if (r < 0 && !foreign)
		r = find_latest(project_fd, repository, ret_layers);
	return r;
}
