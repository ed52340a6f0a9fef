/* SPDX-License-Identifier: Apache-2.0 */
#include "fetcher/base.h"

#include "common/beneath.h"
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/names.h"
#include "common/remove_tree.h"
#include "fetcher/reach.h"

#include <errno.h>
#include <fcntl.h>
#include <git2/odb_backend.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BASES "bases"
#define LIST "packs"
#define LINE_LENGTH (GIT_OID_HEXSZ + 1 + PACK_NAME_LENGTH + 1)
#define LIST_MAX (REF_NAME_MAX + 2 + BASE_PACKS_MAX * LINE_LENGTH)

/* ---- the list of packs ---- */

static int line_parse(const char *line, struct base_pack *pack)
{
	char name[PACK_NAME_LENGTH + 8];

	if (git_oid_fromstrn(&pack->tip, line, GIT_OID_HEXSZ) < 0 || line[GIT_OID_HEXSZ] != ' ')
		return -EBADMSG;
	(void)snprintf(name, sizeof(name), "%.*s.idx", PACK_NAME_LENGTH, line + GIT_OID_HEXSZ + 1);
	return pack_file_is(name, pack->name) ? 0 : -EBADMSG;
}

/* A list that list_write() would not write counts as missing. */
static void list_read(int fd, char *ret_branch, struct base *base)
{
	cleanup_close int file = openat(fd, LIST, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	cleanup_free char *text = NULL;
	size_t size, length;

	base->n = 0;
	ret_branch[0] = '\0';
	if (file < 0 || fd_read_file(file, LIST_MAX, &text, &size) < 0)
		return;
	length = strcspn(text, "\n");
	if (length > REF_NAME_MAX || text[length] != '\n' || (size - length - 1) % LINE_LENGTH != 0)
		return;
	memcpy(ret_branch, text, length);
	ret_branch[length] = '\0';
	for (const char *line = text + length + 1; line < text + size; line += LINE_LENGTH) {
		if (base->n == BASE_PACKS_MAX || line[LINE_LENGTH - 1] != '\n' ||
		    line_parse(line, &base->packs[base->n]) < 0) {
			base->n = 0;
			return;
		}
		base->n++;
	}
}

static int list_write(const struct base *base, const char *branch)
{
	char text[LIST_MAX + 1];
	size_t used = (size_t)snprintf(text, sizeof(text), "%.*s\n", REF_NAME_MAX, branch);

	for (size_t i = 0; i < base->n; i++) {
		char tip[GIT_OID_HEXSZ + 1];

		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s %s\n",
					 git_oid_tostr(tip, sizeof(tip), &base->packs[i].tip),
					 base->packs[i].name);
	}
	return file_replace(base->fd, LIST, text, used, 0640);
}

static bool listed(const struct base *base, const char *name)
{
	for (size_t i = 0; i < base->n; i++) {
		if (strcmp(base->packs[i].name, name) == 0)
			return true;
	}
	return false;
}

static void unlisted_remove(const struct base *base)
{
	int copy = openat(base->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_closedir DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char name[PACK_NAME_LENGTH + 1];

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    strcmp(entry->d_name, LIST) == 0)
			continue;
		if (!pack_file_is(entry->d_name, name) || !listed(base, name))
			(void)unlinkat(base->fd, entry->d_name, 0);
	}
}

/* ---- which packs stay ---- */

static uint64_t pack_size(const struct base *base, size_t i)
{
	char file[PACK_NAME_LENGTH + 8];
	struct stat st;

	(void)snprintf(file, sizeof(file), "%s.pack", base->packs[i].name);
	return fstatat(base->fd, file, &st, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : (uint64_t)st.st_size;
}

/* How many packs, from the first on, hold nothing but objects that @tip reaches. */
static size_t packs_valid(const struct base *base, git_repository *repository, const git_oid *tip)
{
	size_t n = 0;

	while (n < base->n && pack_size(base, n) > 0)
		n++;
	while (n > 0 && !git_oid_equal(&base->packs[n - 1].tip, tip) &&
	       git_graph_descendant_of(repository, tip, &base->packs[n - 1].tip) != 1)
		n--;
	return n;
}

/*
 * Each pack should be larger than twice all that follow it together: then there are few packs,
 * and an object is rewritten only a few times. Return: how many packs stay.
 */
static size_t packs_large(const struct base *base)
{
	size_t keep = base->n;
	uint64_t sum = 0;

	for (size_t i = base->n; i-- > 1;) {
		sum += pack_size(base, i);
		if (pack_size(base, i - 1) < 2 * sum)
			keep = i - 1;
	}
	return keep == BASE_PACKS_MAX ? keep - 1 : keep;
}

int base_odb(const struct base *base, size_t n, git_odb **ret_odb)
{
	git_odb *odb = NULL;
	int r = git_odb_new(&odb);

	for (size_t i = 0; r == 0 && i < n; i++) {
		char path[PATH_MAX + PACK_NAME_LENGTH + 8];
		git_odb_backend *backend = NULL;

		(void)snprintf(path, sizeof(path), "%s/%s.idx", base->path, base->packs[i].name);
		r = git_odb_backend_one_pack(&backend, path);
		if (r == 0)
			r = git_odb_add_backend(odb, backend, 1);
	}
	if (r < 0) {
		git_odb_free(odb);
		return -EIO;
	}
	*ret_odb = odb;
	return 0;
}

/* ---- bringing it to its tip ---- */

/* Replace the small packs by one with all that @tip reaches and the large packs lack. */
static int packs_extend(struct base *base, git_repository *repository, const git_oid *tip)
{
	struct reach reach = {.repository = repository};
	size_t keep = packs_large(base);
	struct base_pack pack;
	int r = base_odb(base, keep, &reach.stop);

	git_oid_cpy(&pack.tip, tip);
	if (r == 0)
		r = reach_add(&reach, tip);
	if (r == 0)
		r = pack_write(repository, reach.seen.ids, reach.seen.n, base->path, pack.name);
	if (r == 0) {
		base->n = keep;
		if (pack.name[0])
			base->packs[base->n++] = pack;
		else if (base->n > 0) /* all that @tip reaches is in the packs already */
			git_oid_cpy(&base->packs[base->n - 1].tip, tip);
	}
	git_odb_free(reach.stop);
	oid_set_clear(&reach.seen);
	return r;
}

static int base_open(struct base *base, int project_fd, const char *project_path,
		     const char *branch)
{
	static const struct beneath_make make = {.mode = 0750};
	char beneath[sizeof(BASES) + GIT_OID_HEXSZ + 2], hex[GIT_OID_HEXSZ + 1];
	git_oid id;
	int r;

	if (git_odb_hash(&id, branch, strlen(branch), GIT_OBJECT_BLOB) < 0)
		return -EIO;
	(void)snprintf(beneath, sizeof(beneath), BASES "/%s", git_oid_tostr(hex, sizeof(hex), &id));
	if (snprintf(base->path, sizeof(base->path), "%s/%s", project_path, beneath) >=
	    (int)sizeof(base->path))
		return -ENAMETOOLONG;
	r = mkdir_beneath(project_fd, beneath, &make);
	if (r < 0)
		return r;
	base->fd = open_beneath(project_fd, beneath, O_RDONLY | O_DIRECTORY, 0);
	return base->fd < 0 ? base->fd : 0;
}

int base_update(struct base *base, int project_fd, const char *project_path,
		git_repository *repository, const char *branch, const git_oid *tip,
		struct fetch_result *result)
{
	char written[REF_NAME_MAX + 1];
	size_t n;
	int r = base_open(base, project_fd, project_path, branch);

	if (r == 0) {
		list_read(base->fd, written, base);
		n = packs_valid(base, repository, tip);
		if (n <
		    base->n) { /* shorten the list before the packs go: a kill may come between */
			base->n = n;
			r = list_write(base, branch);
		}
	}
	if (r == 0)
		unlisted_remove(base);
	if (r == 0 && (base->n == 0 || !git_oid_equal(&base->packs[base->n - 1].tip, tip))) {
		r = packs_extend(base, repository, tip);
		if (r == 0)
			r = list_write(base, branch);
		if (r == 0)
			unlisted_remove(base);
	}
	if (r == -ENODATA)
		(void)fetch_fail(result, FETCH_UNREACHABLE,
				 "the mirror lacks a part of %s, or it is damaged: %s", branch,
				 git_words());
	else if (r < 0)
		(void)fetch_fail_git(result, r, "see the log",
				     "cannot store the objects of %s for a pull request", branch);
	return r;
}

void base_close(struct base *base)
{
	if (base->fd >= 0)
		(void)close(base->fd);
	base->fd = -1;
}

/* ---- bases whose branch is gone ---- */

/* Does the base's branch still exist, and reach all that its packs hold? */
static bool base_current(int bases_fd, const char *name, git_repository *repository)
{
	cleanup_close int fd =
		openat(bases_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct base *base = calloc(1, sizeof(*base));
	char branch[REF_NAME_MAX + 1];
	bool current = false;
	git_oid tip;

	if (base && fd >= 0) {
		base->fd = fd;
		list_read(fd, branch, base);
		current = base->n > 0 && ref_name_valid(branch) &&
			  git_reference_name_to_id(&tip, repository, branch) == 0 &&
			  packs_valid(base, repository, &tip) == base->n;
	}
	free(base);
	return current;
}

void bases_prune(int project_fd, git_repository *repository)
{
	int fd = openat(project_fd, BASES, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_closedir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.' && !base_current(fd, entry->d_name, repository))
			(void)remove_tree(fd, entry->d_name);
	}
}
