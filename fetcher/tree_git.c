/* SPDX-License-Identifier: Apache-2.0 */
/* A work tree's .git: just enough that git status, log and describe work in a sandbox. */
#include "fetcher/tree.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIRROR_IN_SANDBOX "/run/runbookd/mirror/objects"
#define TAGS_MAX 100000

/*
 * A sandbox sees other inode numbers and owners than the ones in the index
 * (overlay, idmapped mount). With these settings git compares what stays the
 * same, and status need not read every file.
 */
static const char config_text[] = "[core]\n"
				  "\trepositoryformatversion = 0\n"
				  "\tfilemode = true\n"
				  "\tbare = false\n"
				  "\tlogallrefupdates = false\n"
				  "\ttrustctime = false\n"
				  "\tcheckStat = minimal\n";

static int file_write(int dir_fd, const char *name, const char *text, size_t size)
{
	cleanup_close int fd =
		openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

	if (fd < 0)
		return -errno;
	return fd_write_all(fd, text, size);
}

static int name_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void line_write(FILE *file, git_repository *repository, const char *name)
{
	char hex[GIT_OID_HEXSZ + 1];
	git_oid id;

	if (!ref_name_valid(name) || git_reference_name_to_id(&id, repository, name) < 0)
		return;
	(void)fprintf(file, "%s %s\n", git_oid_tostr(hex, sizeof(hex), &id), name);
}

/* The branch (refs/heads/ sorts before refs/tags/), then the tags. */
static int packed_refs_write(int git_fd, git_repository *repository, const char *commit,
			     const char *ref)
{
	cleanup_free char *text = NULL;
	size_t size = 0;
	git_strarray names = {0};
	FILE *file = open_memstream(&text, &size);
	int r;

	if (!file)
		return -ENOMEM;
	(void)fputs("# pack-refs with: sorted\n", file);
	if (strncmp(ref, "refs/heads/", 11) == 0 && ref_name_valid(ref))
		(void)fprintf(file, "%s %s\n", commit, ref);
	r = git_reference_list(&names, repository);
	if (r == 0 && names.count > 0) {
		size_t n_tags = 0;

		qsort(names.strings, names.count, sizeof(*names.strings), name_compare);
		for (size_t i = 0; i < names.count && n_tags < TAGS_MAX; i++) {
			if (strncmp(names.strings[i], "refs/tags/", 10) != 0)
				continue;
			line_write(file, repository, names.strings[i]);
			n_tags++;
		}
	}
	git_strarray_dispose(&names);
	if (fclose(file) != 0)
		return -ENOMEM;
	return file_write(git_fd, "packed-refs", text, size);
}

int tree_git_write(int tree_fd, git_repository *repository, const char *commit, const char *ref,
		   struct fetch_result *result)
{
	static const char *const directories[] = {
		".git",	     ".git/objects",	".git/objects/info", ".git/objects/pack",
		".git/refs", ".git/refs/heads", ".git/refs/tags",    ".git/info"};
	static const char alternates[] = MIRROR_IN_SANDBOX "\n";
	cleanup_close int git_fd = -1;
	char head[COMMIT_HEX_MAX + 2];
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(directories); i++)
		r = mkdirat(tree_fd, directories[i], 0755) < 0 ? -errno : 0;
	if (r == 0) {
		git_fd = openat(tree_fd, ".git", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = git_fd < 0 ? -errno : 0;
	}
	(void)snprintf(head, sizeof(head), "%s\n", commit);
	if (r == 0)
		r = file_write(git_fd, "HEAD", head, strlen(head));
	if (r == 0)
		r = file_write(git_fd, "config", config_text, strlen(config_text));
	if (r == 0)
		r = file_write(git_fd, "objects/info/alternates", alternates, strlen(alternates));
	if (r == 0)
		r = packed_refs_write(git_fd, repository, commit, ref);
	if (r < 0)
		return fetch_fail(result, FETCH_UNREACHABLE, "cannot write the tree's .git: %s",
				  strerror(-r));
	return 0;
}
