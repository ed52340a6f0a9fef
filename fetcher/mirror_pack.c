/* SPDX-License-Identifier: Apache-2.0 */
#include "fetcher/mirror.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/log.h"
#include "fetcher/pack.h"

#include <fcntl.h>
#include <git2/odb_backend.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALL_PACK (4 * MIB)
#define SMALL_PACKS_MAX 64 /* more than this are joined */

struct packs {
	char names[4 * SMALL_PACKS_MAX][PACK_NAME_LENGTH + 1]; /* without ".pack" */
	size_t n;
};

static void packs_find(int dir_fd, struct packs *packs)
{
	int copy = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_closedir DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;

	while (dir && packs->n < ARRAY_SIZE(packs->names) && (entry = readdir(dir))) {
		struct stat st;

		if (!pack_file_is(entry->d_name, packs->names[packs->n]) ||
		    strcmp(entry->d_name + PACK_NAME_LENGTH, ".pack") != 0 ||
		    fstatat(dir_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    (uint64_t)st.st_size > SMALL_PACK)
			continue;
		packs->n++;
	}
}

static int object_insert(const git_oid *id, void *payload)
{
	return git_packbuilder_insert(payload, id, NULL);
}

/* Add all objects of one pack to @builder, listed by a database that has this pack only. */
static int pack_insert(const char *folder, const char *name, git_packbuilder *builder)
{
	char path[PATH_MAX + PACK_NAME_LENGTH + 8];
	git_odb_backend *backend = NULL;
	git_odb *odb = NULL;
	int r;

	(void)snprintf(path, sizeof(path), "%s/%s.idx", folder, name);
	r = git_odb_new(&odb);
	if (r == 0)
		r = git_odb_backend_one_pack(&backend, path);
	if (r == 0)
		r = git_odb_add_backend(odb, backend, 1);
	if (r == 0)
		r = git_odb_foreach(odb, object_insert, builder);
	git_odb_free(odb);
	return r;
}

static void packs_remove(int dir_fd, const struct packs *packs, const char *keep)
{
	for (size_t i = 0; i < packs->n; i++) {
		if (strcmp(packs->names[i] + 5, keep) != 0)
			pack_remove(dir_fd, packs->names[i]);
	}
}

/* Write the objects of all small packs as one pack, then remove the small ones. */
static int packs_join(struct mirror *mirror, int dir_fd, const char *folder,
		      const struct packs *packs)
{
	git_packbuilder *builder = NULL;
	int r = git_packbuilder_new(&builder, mirror->repository);

	for (size_t i = 0; r == 0 && i < packs->n; i++)
		r = pack_insert(folder, packs->names[i], builder);
	if (r == 0) {
		/* sync the new pack, since the old ones are removed afterwards */
		(void)git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
		r = git_packbuilder_write(builder, folder, 0, NULL, NULL);
		(void)git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 0);
	}
	if (r == 0)
		packs_remove(dir_fd, packs, git_packbuilder_name(builder));
	git_packbuilder_free(builder);
	return r;
}

void mirror_repack(struct mirror *mirror)
{
	struct packs *packs = calloc(1, sizeof(*packs));
	char folder[PATH_MAX];
	cleanup_close int dir_fd = -1;

	(void)snprintf(folder, sizeof(folder), "%s/objects/pack", mirror->path);
	dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (packs && dir_fd >= 0)
		packs_find(dir_fd, packs);
	if (packs && packs->n > SMALL_PACKS_MAX && packs_join(mirror, dir_fd, folder, packs) < 0)
		log_warning("%s: %zu small packs could not be made into one, ignoring",
			    mirror->config->project, packs->n);
	free(packs);
}
