/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decides whether a tree is written whole or as a difference, and on which layer that lies.
 *
 * Differences to the lowest layer grow with each commit until a whole tree is cheaper, and each
 * layer costs steps some time. So a tree lies on the lowest layer of the nearest tree for which
 * hardly more is written than for any other layer. When the layers are used up, it lies on the
 * lowest one, and others can lie on it again.
 */
#include "fetcher/checkout.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "fetcher/nearest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* trees below both are written whole: that is fast, and steps need not search two layers */
#define SHARED_ENTRIES_MIN 1000
#define SHARED_BYTES_MIN (32 * MIB)
#define ENTRY_COST (32 * KIB) /* an entry takes as long as so many bytes */
#define COST_SLACK (1 * MIB)  /* "hardly more" */
#define WHOLE_SHARE 8	      /* a difference costs at most the 8th part of a whole tree */
#define USE_WHOLE 1	      /* returned by those that make a difference */

/** struct making - a tree that is being made */
struct making {
	const struct checkout_request *request;
	struct fetch_result *result;
	struct checkout checkout;
	git_oid root;		   /* the commit's tree */
	struct tree_layers layers; /* of the nearest tree */
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

/* ---- a difference ---- */

/** struct measure - what is written for a tree, or for its difference to a layer */
struct measure {
	uint64_t entries, bytes;
};

static uint64_t cost_of(struct measure measure)
{
	return measure.bytes + measure.entries * ENTRY_COST;
}

/* The number of directories of @path that the path before it, @last, is not in. */
static uint64_t directories_between(const char *last, const char *path)
{
	uint64_t n = 0;
	size_t i = 0;

	while (last[i] && last[i] == path[i])
		i++;
	for (; path[i]; i++)
		n += path[i] == '/';
	return n;
}

/* Files and directories in @index. Return: 0, or -errno when a limit is exceeded. */
static int index_measure(struct making *making, git_index *index, struct measure *ret_measure)
{
	const struct fetch_limits *limits = making->request->limits;
	struct measure measure = {.entries = 0};
	const char *last = "";

	for (size_t i = 0; i < git_index_entrycount(index); i++) {
		const git_index_entry *entry = git_index_get_byindex(index, i);

		if (entry->file_size > limits->blob)
			return -EFBIG;
		measure.entries += 1 + directories_between(last, entry->path);
		measure.bytes += entry->file_size;
		last = entry->path;
	}
	if (measure.entries > limits->tree_entries || measure.bytes > limits->tree)
		return -EFBIG;
	*ret_measure = measure;
	return 0;
}

/* Measure the nearest tree itself, by its index. Return: 0; USE_WHOLE when it is of no use. */
static int nearest_measure(struct making *making, struct measure *ret_measure)
{
	char path[PATH_MAX];
	git_index *index = NULL;
	int r;

	if (snprintf(path, sizeof(path), "%s/%s/.git/index", making->request->project_path,
		     making->layers.names[0]) >= (int)sizeof(path) ||
	    git_index_open(&index, path) < 0)
		return USE_WHOLE;
	r = index_measure(making, index, ret_measure);
	git_index_free(index);
	if (r < 0 ||
	    (ret_measure->entries < SHARED_ENTRIES_MIN && ret_measure->bytes < SHARED_BYTES_MIN))
		return USE_WHOLE;
	return 0;
}

/* The tree of git of a layer of the nearest tree. */
static int layer_root(struct making *making, size_t layer, git_oid *ret_root)
{
	git_commit *commit = NULL;
	git_oid id;

	if (git_oid_fromstr(&id, making->layers.commits[layer]) < 0 ||
	    git_commit_lookup(&commit, making->request->repository, &id) < 0)
		return -ENODATA;
	git_oid_cpy(ret_root, git_commit_tree_id(commit));
	git_commit_free(commit);
	return 0;
}

static int layer_measure(struct making *making, size_t layer, struct measure *ret_measure)
{
	struct checkout *checkout = pass_begin(making, true);
	git_oid root;
	int r = layer_root(making, layer, &root);

	if (r == 0)
		r = checkout_diff(checkout, &making->root, &root, -1);
	*ret_measure = (struct measure){.entries = checkout->n_written, .bytes = checkout->bytes};
	return r;
}

/* Find the layer on which the tree is to lie. Return: 0; USE_WHOLE; -errno. */
static int layer_choose(struct making *making, size_t *ret_layer)
{
	struct measure nearest, measures[TREE_LAYERS_MAX];
	const struct tree_layers *layers = &making->layers;
	size_t layer = layers->n - 1;
	uint64_t least = UINT64_MAX;
	int r = nearest_measure(making, &nearest);

	for (size_t i = 0; r == 0 && i < layers->n; i++) {
		r = layer_measure(making, i, &measures[i]);
		if (r == 0 && cost_of(measures[i]) < least)
			least = cost_of(measures[i]);
	}
	if (r != 0)
		return r;
	/* n - i layers are beneath, so one more must be allowed */
	for (size_t i = layers->n; i-- > 0 && layers->n - i < TREE_LAYERS_MAX;) {
		if (cost_of(measures[i]) <= 2 * least + COST_SLACK) {
			layer = i;
			break;
		}
	}
	if (cost_of(measures[layer]) > cost_of(nearest) / WHOLE_SHARE)
		return USE_WHOLE;
	*ret_layer = layer;
	return 0;
}

static int copy(int from, int to)
{
	char block[16 * KIB];
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = read(from, block, sizeof(block))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		r = n < 0 ? -errno : fd_write_all(to, block, (size_t)n);
	}
	return r;
}

/* Start with the index of the layer. Return: 0; USE_WHOLE when that is damaged; -errno. */
static int index_start(struct making *making, size_t layer)
{
	char name[COMMIT_HEX_MAX + 32];
	cleanup_close int from = -1;
	cleanup_close int to = -1;
	int r;

	(void)snprintf(name, sizeof(name), "%s/.git/index", making->layers.names[layer]);
	from = openat(making->request->project_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (from < 0)
		return USE_WHOLE;
	to = open(making->index, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	r = to < 0 ? -errno : copy(from, to);
	if (r < 0)
		return fetch_fail_errno(making->result, -r, "cannot write the git index");
	return git_index_open(&making->checkout.index, making->index) < 0 ? USE_WHOLE : 0;
}

/* Lay the tree on a layer. Return: 0; USE_WHOLE; -errno. */
static int diff_write(struct making *making, const char *name, size_t layer)
{
	cleanup_tree struct tree tree = TREE_NULL;
	struct measure measure;
	git_oid root;
	int r = layer_root(making, layer, &root);

	if (r == 0)
		r = tree_open(making, &tree, name, making->layers.commits[layer]);
	if (r == 0)
		r = tree_git_write_diff(tree.fd, name, making->result);
	if (r == 0)
		r = index_start(making, layer);
	if (r == 0)
		r = checkout_diff(pass_begin(making, false), &making->root, &root, tree.fd);
	if (r != 0)
		return r;
	/* the whole tree's checkout says which limit is exceeded */
	if (index_measure(making, making->checkout.index, &measure) < 0)
		return USE_WHOLE;
	r = index_write(making);
	return r == 0 ? tree_commit(&tree, making->result) : r;
}

/* Return: 0 when the tree is there as a difference; USE_WHOLE; -errno. */
static int diff_try(struct making *making, const char *name)
{
	const struct checkout_request *request = making->request;
	size_t layer = 0;
	int r;

	if (nearest_find(request->project_fd, request->repository, &request->commit,
			 request->foreign, &making->layers) < 0)
		return USE_WHOLE;
	r = layer_choose(making, &layer);
	if (r == 0)
		r = diff_write(making, name, layer);
	git_index_free(making->checkout.index);
	making->checkout.index = NULL;
	return r;
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
		r = diff_try(making, hex);
	if (r == USE_WHOLE)
		r = whole_write(making, hex);
	making_free(making);
	return r;
}
