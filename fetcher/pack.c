/* SPDX-License-Identifier: Apache-2.0 */
#include "fetcher/pack.h"

#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Created in this order, removed in the reverse one: an index needs its pack. */
static const char *const suffixes[] = {"pack", "idx"};

int pack_write(git_repository *repository, const git_oid *ids, size_t n, const char *folder,
	       char *ret_name)
{
	git_packbuilder *builder = NULL;
	int r;

	ret_name[0] = '\0';
	if (n == 0)
		return 0;
	r = git_packbuilder_new(&builder, repository);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = git_packbuilder_insert(builder, &ids[i], NULL);
	if (r == 0) {
		(void)git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
		r = git_packbuilder_write(builder, folder, 0, NULL, NULL);
		(void)git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 0);
	}
	if (r == 0)
		(void)snprintf(ret_name, PACK_NAME_LENGTH + 1, "pack-%s",
			       git_packbuilder_name(builder));
	git_packbuilder_free(builder);
	return r < 0 ? -EIO : 0;
}

void pack_remove(int folder_fd, const char *name)
{
	char file[PACK_NAME_LENGTH + 8];

	for (size_t i = ARRAY_SIZE(suffixes); i-- > 0;) {
		(void)snprintf(file, sizeof(file), "%.*s.%s", PACK_NAME_LENGTH, name, suffixes[i]);
		(void)unlinkat(folder_fd, file, 0);
	}
}

int pack_link(int from_fd, int to_fd, const char *name)
{
	char file[PACK_NAME_LENGTH + 8];

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		(void)snprintf(file, sizeof(file), "%.*s.%s", PACK_NAME_LENGTH, name, suffixes[i]);
		if (linkat(from_fd, file, to_fd, file, 0) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

bool pack_file_is(const char *file, char *ret_name)
{
	if (strncmp(file, "pack-", 5) != 0 ||
	    strspn(file + 5, "0123456789abcdef") != PACK_NAME_LENGTH - 5 ||
	    file[PACK_NAME_LENGTH] != '.')
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		if (strcmp(file + PACK_NAME_LENGTH + 1, suffixes[i]) == 0) {
			memcpy(ret_name, file, PACK_NAME_LENGTH);
			ret_name[PACK_NAME_LENGTH] = '\0';
			return true;
		}
	}
	return false;
}
