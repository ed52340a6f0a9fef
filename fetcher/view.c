/* SPDX-License-Identifier: Apache-2.0 */
#include "fetcher/view.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/remove_tree.h"
#include "fetcher/base.h"
#include "fetcher/reach.h"
#include "fetcher/refs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPORARY ".tmp-view" /* in lib/trees/<project>; removed with partial trees after a kill */

struct view {
	const struct view_request *request;
	struct fetch_result *result;
	struct refs refs;
	/* foreign commits only */
	struct base base;
	git_odb *base_odb;
	struct reach reach;
};

static int view_failed(struct view *view, int r)
{
	if (r == -ENODATA)
		(void)fetch_fail(view->result, FETCH_UNREACHABLE,
				 "the repository lacks parts of the commit's history, or they are "
				 "damaged (%s); check it with \"git fsck\"",
				 git_words());
	else
		(void)fetch_fail_git(view->result, r, "see the log, then retry",
				     "cannot write the references and objects that the run sees");
	return r;
}

/* ---- the objects of a foreign commit ---- */

static bool is_inside(const struct view *view, const git_oid *id)
{
	return oid_set_has(&view->reach.seen, id) ||
	       (view->base_odb &&
		git_odb_exists_ext(view->base_odb, id, GIT_ODB_LOOKUP_NO_REFRESH));
}

static bool ref_is_inside(const struct refs_item *item, void *userdata)
{
	const struct view *view = userdata;

	if (strcmp(item->name, view->request->base) == 0)
		return true;
	return strncmp(item->name, "refs/tags/", 10) == 0 && is_inside(view, &item->target);
}

/*
 * The run's own reference is added after this: a stranger's branch may have the name of one of
 * ours, and the tip of ours must not get into the view by that name.
 */
static int foreign_collect(struct view *view)
{
	const struct view_request *request = view->request;
	const struct refs_item *base =
		*request->base ? refs_find(&view->refs, request->base) : NULL;
	int r = 0;

	view->reach.repository = request->repository;
	if (base) {
		r = base_update(&view->base, request->project_fd, request->project_path,
				request->repository, request->base, &base->target, view->result);
		if (r < 0)
			return r; /* the result says why */
		r = base_odb(&view->base, view->base.n, &view->base_odb);
	}
	view->reach.stop = view->base_odb;
	if (r == 0)
		r = reach_add(&view->reach, &request->commit);
	if (r == 0)
		refs_filter(&view->refs, ref_is_inside, view);
	/* adds the objects of annotated tags, which no commit reaches */
	for (size_t i = 0; r == 0 && i < view->refs.n; i++)
		r = reach_add(&view->reach, &view->refs.items[i].id);
	return r < 0 ? view_failed(view, r) : 0;
}

/* Fill objects/pack: links to the base's packs, and a pack with the commit's own objects. */
static int objects_write(const struct view *view, int top_fd)
{
	char path[PATH_MAX], name[PACK_NAME_LENGTH + 1];
	cleanup_close int fd = -1;
	int r;

	if (mkdirat(top_fd, "objects", 0755) < 0 || mkdirat(top_fd, "objects/pack", 0755) < 0)
		return -errno;
	fd = openat(top_fd, "objects/pack", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < view->base.n; i++) {
		r = pack_link(view->base.fd, fd, view->base.packs[i].name);
		if (r < 0)
			return r;
	}
	if (snprintf(path, sizeof(path), "%s/" TEMPORARY "/objects/pack",
		     view->request->project_path) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	return pack_write(view->request->repository, view->reach.seen.ids, view->reach.seen.n, path,
			  name);
}

/* ---- on disk ---- */

static int file_make(int dir_fd, const char *path, const char *text, size_t size)
{
	cleanup_close int fd =
		openat(dir_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	int r;

	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, text, size);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	return r;
}

/* Syncs the few directories one by one, since syncfs() would wait for everything steps write. */
static int directories_sync(int view_fd, bool foreign)
{
	static const char *const parts[] = {"top/.git", "top", "objects/pack", "objects", "."};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		cleanup_close int fd = -1;

		if (!foreign && strncmp(parts[i], "objects", 7) == 0)
			continue;
		fd = openat(view_fd, parts[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || fsync(fd) < 0)
			return -errno;
	}
	return 0;
}

static int view_fill(const struct view *view, int view_fd, const char *text, size_t size)
{
	int r = 0;

	if (mkdirat(view_fd, "top", 0755) < 0 || mkdirat(view_fd, "top/.git", 0755) < 0)
		return -errno;
	r = file_make(view_fd, "top/.git/packed-refs", text, size);
	if (r == 0 && view->request->foreign)
		r = objects_write(view, view_fd);
	if (r == 0)
		r = directories_sync(view_fd, view->request->foreign);
	return r;
}

/* Write the view under a temporary name and rename it, unless a view with its id exists. */
static int view_write(const struct view *view, const char *views, const char *text, size_t size)
{
	int project_fd = view->request->project_fd;
	cleanup_close int views_fd = -1, view_fd = -1;
	int r;

	if (mkdirat(project_fd, views, 0755) < 0 && errno != EEXIST)
		return -errno;
	views_fd = openat(project_fd, views, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (views_fd < 0)
		return -errno;
	if (faccessat(views_fd, view->result->view, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	r = remove_tree(project_fd, TEMPORARY);
	if (r < 0)
		return r;
	if (mkdirat(project_fd, TEMPORARY, 0755) < 0)
		return -errno;
	view_fd = openat(project_fd, TEMPORARY, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (view_fd < 0)
		return -errno;
	r = view_fill(view, view_fd, text, size);
	if (r == 0 &&
	    renameat2(project_fd, TEMPORARY, views_fd, view->result->view, RENAME_NOREPLACE) < 0)
		r = -errno;
	if (r == 0 && (fsync(views_fd) < 0 || fsync(project_fd) < 0))
		r = -errno;
	if (r < 0)
		(void)remove_tree(project_fd, TEMPORARY);
	return r;
}

/* The id tells the views of one commit apart, so the commit's objects need not go into it. */
static int view_name(struct view *view, const char *text, size_t size)
{
	cleanup_free char *whole = NULL;
	git_oid id;
	int n = asprintf(&whole, "%s\n%.*s", view->request->foreign ? "foreign" : "ours", (int)size,
			 text);

	if (n < 0) {
		whole = NULL;
		return -ENOMEM;
	}
	if (git_odb_hash(&id, whole, (size_t)n, GIT_OBJECT_BLOB) < 0)
		return -EIO;
	(void)git_oid_tostr(view->result->view, sizeof(view->result->view), &id);
	view->result->view_objects = view->request->foreign;
	return 0;
}

/* Print the references, derive the view's id from them, and write the view. */
static int view_finish(struct view *view)
{
	char views[GIT_OID_HEXSZ + 8], hex[GIT_OID_HEXSZ + 1];
	cleanup_free char *text = NULL;
	size_t size = 0;
	int r = 0;

	if (*view->request->ref)
		r = refs_set(&view->refs, view->request->ref, &view->request->commit);
	if (r == 0) {
		text = refs_text(&view->refs, &size);
		r = !text ? -ENOMEM : size > INT_MAX ? -E2BIG : 0;
	}
	if (r == 0)
		r = view_name(view, text, size);
	(void)snprintf(views, sizeof(views), "%s.views",
		       git_oid_tostr(hex, sizeof(hex), &view->request->commit));
	if (r == 0)
		r = view_write(view, views, text, size);
	return r < 0 ? view_failed(view, r) : 0;
}

int view_make(const struct view_request *request, struct fetch_result *result)
{
	struct view *view = calloc(1, sizeof(*view));
	int r;

	if (!view)
		return fetch_fail(result, FETCH_UNREACHABLE, "out of memory");
	view->request = request;
	view->result = result;
	view->base = BASE_NULL;
	r = refs_read(request->repository, &view->refs);
	if (view->refs.cut)
		log_warning("%s: more than %d branches and tags, a run sees the first of them",
			    request->project_path, REFS_MAX);
	if (r < 0)
		r = view_failed(view, r);
	else if (request->foreign)
		r = foreign_collect(view);
	if (r == 0)
		r = view_finish(view);
	git_odb_free(view->base_odb);
	base_close(&view->base);
	oid_set_clear(&view->reach.seen);
	refs_clear(&view->refs);
	free(view);
	return r;
}
