/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the tree of a commit. */
#include "fetcher/checkout.h"

#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/** struct making - a tree that is being made */
struct making {
	const struct checkout_request *request;
	struct fetch_result *result;
	struct checkout checkout;
	git_oid root;		   /* the commit's tree */
	char index[PATH_MAX];	   /* of the tree that is written */
};

static struct making *making_new(const struct checkout_request *request,
				 struct fetch_result *result)
{
	struct making *making = calloc(1, sizeof(*making));

	if (!making)
		return NULL;
	making->request = request;
	making->result = result;
	making->checkout.repository = request->repository;
	making->checkout.limits = request->limits;
	making->checkout.result = result;
	/*
	 * The files get a time before the index's. git reads a file anew whose time is that of
	 * the index, since it may have changed afterwards; and a change by a step within this
	 * second must get another time than the one that the index has.
	 */
	(void)clock_gettime(CLOCK_REALTIME, &making->checkout.mtime);
	making->checkout.mtime.tv_sec -= 2;
	return making;
}

static void making_free(struct making *making)
{
	git_index_free(making->checkout.index);
	git_odb_free(making->checkout.odb);
	free(making);
}

/* Begin a pass over the commit's tree. */
static struct checkout *pass_begin(struct making *making, bool dry)
{
	struct checkout *checkout = &making->checkout;

	checkout->dry = dry;
	checkout->n_entries = checkout->n_written = checkout->bytes = 0;
	checkout->path[0] = '\0';
	return checkout;
}

static int index_write(struct making *making)
{
	int failure;

	git_error_clear();
	errno = 0;
	if (git_index_write(making->checkout.index) == 0)
		return 0;
	failure = errno; /* when its buffered writer fails, libgit2 sets errno but no text */
	return fetch_fail_git(making->result, git_error_last() || !failure ? -EIO : -failure, NULL,
			      "cannot write the git index");
}

static int tree_open(struct making *making, struct tree *tree, const char *name, const char *lower)
{
	const struct checkout_request *request = making->request;
	int r = tree_begin(tree, request->project_fd, name, lower, making->result);

	if (r == 0 && snprintf(making->index, sizeof(making->index), "%s/%s/.git/index",
			       request->project_path, tree->top) >= (int)sizeof(making->index))
		return fetch_fail_errno(making->result, ENAMETOOLONG, "cannot write the git index");
	return r;
}

/* ---- a whole tree ---- */

static int whole_write(struct making *making, const char *name)
{
	cleanup_tree struct tree tree = TREE_NULL;
	int r = checkout_tree(pass_begin(making, true), &making->root, -1, 0);

	if (r == 0)
		r = tree_open(making, &tree, name, "");
	if (r == 0)
		r = tree_git_write(tree.fd, name, making->result);
	if (r < 0)
		return r;
	if (git_index_open(&making->checkout.index, making->index) < 0)
		return fetch_fail_git(making->result, -EIO, NULL, "cannot make the git index");
	r = checkout_tree(pass_begin(making, false), &making->root, tree.fd, 0);
	if (r == 0)
		r = index_write(making);
	return r == 0 ? tree_commit(&tree, making->result) : r;
}

int checkout_make(const struct checkout_request *request, struct fetch_result *result)
{
	struct making *making = making_new(request, result);
	char hex[GIT_OID_HEXSZ + 1];
	int r;

	if (!making)
		return fetch_fail(result, FETCH_UNREACHABLE, "out of memory");
	(void)git_oid_tostr(hex, sizeof(hex), &request->commit);
	if (git_repository_odb(&making->checkout.odb, request->repository) < 0)
		r = fetch_fail_git(result, -EIO, NULL, "cannot open the mirror's objects");
	else
		r = checkout_root(&making->checkout, &request->commit, &making->root);
	if (r == 0)
		r = whole_write(making, hex);
	making_free(making);
	return r;
}
