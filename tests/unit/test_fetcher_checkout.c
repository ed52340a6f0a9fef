/* SPDX-License-Identifier: Apache-2.0 */
/* Checkouts of trees as differences, with a repository made for the purpose. */
#include "tests/unit/cmocka_headers.h"

#include "common/cleanup.h"
#include "common/remove_tree.h"
#include "fetcher/checkout.h"
#include "fetcher/nearest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FILES 1100 /* enough for a tree that others lie on */

struct world {
	char path[64], trees[96];
	int project_fd;
	git_repository *repository;
	struct fetch_limits limits;
};

static void world_new(struct world *world)
{
	char mirror[96];

	*world = (struct world){.limits = FETCH_LIMITS_INIT};
	(void)snprintf(world->path, sizeof(world->path), "/tmp/test_fetcher_checkout.XXXXXX");
	assert_non_null(mkdtemp(world->path));
	(void)snprintf(world->trees, sizeof(world->trees), "%s/trees", world->path);
	(void)snprintf(mirror, sizeof(mirror), "%s/mirror", world->path);
	assert_int_equal(mkdir(world->trees, 0755), 0);
	world->project_fd = open(world->trees, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(world->project_fd >= 0);
	assert_int_equal(git_repository_init(&world->repository, mirror, 1), 0);
}

static void world_end(struct world *world)
{
	git_repository_free(world->repository);
	(void)close(world->project_fd);
	assert_int_equal(remove_tree(AT_FDCWD, world->path), 0);
}

/* An entry of a commit's tree: @text of a file; NULL: a directory that has the file "f". */
struct entry {
	const char *name, *text;
};

static void blob(struct world *world, git_treebuilder *builder, const char *name, const char *text)
{
	git_oid id;

	assert_int_equal(git_blob_create_from_buffer(&id, world->repository, text, strlen(text)),
			 0);
	assert_int_equal(git_treebuilder_insert(NULL, builder, name, &id, GIT_FILEMODE_BLOB), 0);
}

static void directory(struct world *world, git_treebuilder *builder, const char *name)
{
	git_treebuilder *inner = NULL;
	git_oid id;

	assert_int_equal(git_treebuilder_new(&inner, world->repository, NULL), 0);
	blob(world, inner, "f", name);
	assert_int_equal(git_treebuilder_write(&id, inner), 0);
	git_treebuilder_free(inner);
	assert_int_equal(git_treebuilder_insert(NULL, builder, name, &id, GIT_FILEMODE_TREE), 0);
}

/* Make a commit of FILES files and @entries, on @parent unless NULL. */
static git_oid commit(struct world *world, const git_oid *parent, const struct entry *entries)
{
	git_treebuilder *builder = NULL;
	git_signature *author = NULL;
	git_commit *on = NULL;
	git_tree *tree = NULL;
	char name[16];
	git_oid id;

	assert_int_equal(git_treebuilder_new(&builder, world->repository, NULL), 0);
	for (int i = 0; i < FILES; i++) {
		(void)snprintf(name, sizeof(name), "%04d", i);
		blob(world, builder, name, "same");
	}
	for (; entries->name; entries++) {
		if (entries->text)
			blob(world, builder, entries->name, entries->text);
		else
			directory(world, builder, entries->name);
	}
	assert_int_equal(git_treebuilder_write(&id, builder), 0);
	git_treebuilder_free(builder);
	assert_int_equal(git_tree_lookup(&tree, world->repository, &id), 0);
	assert_int_equal(git_signature_new(&author, "Ann", "ann@example.com", 1000, 0), 0);
	if (parent)
		assert_int_equal(git_commit_lookup(&on, world->repository, parent), 0);
	assert_int_equal(git_commit_create(&id, world->repository, NULL, author, author, NULL,
					   "A title", tree, on ? 1 : 0, (const git_commit **)&on),
			 0);
	git_commit_free(on);
	git_signature_free(author);
	git_tree_free(tree);
	return id;
}

/* Check the commit out, and return how many layers its tree has. */
static size_t layers_made(struct world *world, const git_oid *id, bool foreign)
{
	const struct checkout_request request = {
		.project_fd = world->project_fd,
		.project_path = world->trees,
		.repository = world->repository,
		.commit = *id,
		.foreign = foreign,
		.limits = &world->limits,
	};
	struct fetch_result result = {.outcome = FETCH_OK};
	struct tree_layers layers;
	char hex[GIT_OID_HEXSZ + 1];

	assert_int_equal(checkout_make(&request, &result), 0);
	assert_string_equal(result.title, "A title");
	assert_int_equal(
		tree_layers_find(world->project_fd, git_oid_tostr(hex, sizeof(hex), id), &layers),
		0);
	return layers.n;
}

/* The type of @name in the topmost layer of the commit's tree; 0: it does not have it. */
static mode_t type_in(const struct world *world, const git_oid *id, const char *name)
{
	char path[128], hex[GIT_OID_HEXSZ + 1];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s.diff/top/%s", git_oid_tostr(hex, sizeof(hex), id),
		       name);
	return fstatat(world->project_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 ? 0
									      : st.st_mode & S_IFMT;
}

static void test_difference(void **state)
{
	static const struct entry before[] = {{"a", "1"},  {"b", NULL},	   {"c", "3"},
					      {"d", NULL}, {"gone", NULL}, {"runbook.yml", "steps"},
					      {NULL, NULL}};
	static const struct entry after[] = {{"a", "2"},  {"b", "was a directory"}, {"c", NULL},
					     {"d", NULL}, {"runbook.yml", "steps"}, {NULL, NULL}};
	struct world world;
	git_oid first, second;

	world_new(&world);
	first = commit(&world, NULL, before);
	second = commit(&world, &first, after);
	assert_int_equal(layers_made(&world, &first, false), 1);
	assert_int_equal(layers_made(&world, &second, false), 2);
	assert_int_equal(type_in(&world, &second, "a"), S_IFREG);
	assert_int_equal(type_in(&world, &second, "b"), S_IFREG);
	assert_int_equal(type_in(&world, &second, "c/f"), S_IFREG);
	assert_int_equal(type_in(&world, &second, "d"), 0);
	assert_int_equal(type_in(&world, &second, "gone"), S_IFCHR);
	assert_int_equal(type_in(&world, &second, "0000"), 0);
	assert_int_equal(type_in(&world, &second, "runbook.yml"), S_IFREG); /* in any case */
	world_end(&world);
}

/* However often one file changes, each tree differs from the lowest layer by no more. */
static void test_one_file_changes_often(void **state)
{
	static char text[1500000];
	const struct entry entries[] = {{"big", text}, {NULL, NULL}};
	struct world world;
	git_oid id;

	world_new(&world);
	memset(text, 'x', sizeof(text) - 1);
	id = commit(&world, NULL, (const struct entry[]){{NULL, NULL}});
	assert_int_equal(layers_made(&world, &id, false), 1);
	for (int i = 0; i < 10; i++) {
		text[i] = 'y';
		id = commit(&world, &id, entries);
		assert_int_equal(layers_made(&world, &id, false), 2);
	}
	world_end(&world);
}

/* A stranger's tree lies on none that its history does not have, our own on any of ours. */
static void test_whose(void **state)
{
	static const struct entry one[] = {{"a", "1"}, {NULL, NULL}};
	static const struct entry two[] = {{"a", "2"}, {NULL, NULL}};
	static const struct entry three[] = {{"a", "3"}, {NULL, NULL}};
	git_oid ours, stranger, child;
	struct tree_layers layers;
	struct world world;

	world_new(&world);
	ours = commit(&world, NULL, one);
	stranger = commit(&world, NULL, two);
	child = commit(&world, &ours, three);
	assert_int_equal(layers_made(&world, &ours, false), 1);
	assert_int_equal(nearest_find(world.project_fd, world.repository, &stranger, true, &layers),
			 -ENOENT);
	assert_int_equal(nearest_find(world.project_fd, world.repository, &child, true, &layers),
			 0);
	assert_int_equal(layers_made(&world, &stranger, true), 1);
	assert_int_equal(layers_made(&world, &child, true), 2);
	world_end(&world);
}

static void test_limits(void **state)
{
	static const struct entry one[] = {{"a", "1"}, {NULL, NULL}};
	static const struct entry two[] = {{"a", "2"}, {"b", "2"}, {NULL, NULL}};
	struct fetch_result result = {.outcome = FETCH_OK};
	struct checkout_request request;
	struct world world;
	git_oid first, second;

	world_new(&world);
	first = commit(&world, NULL, one);
	second = commit(&world, &first, two);
	assert_int_equal(layers_made(&world, &first, false), 1);
	world.limits.tree_entries = FILES + 1; /* the difference has two */
	request = (struct checkout_request){.project_fd = world.project_fd,
					    .project_path = world.trees,
					    .repository = world.repository,
					    .commit = second,
					    .limits = &world.limits};
	assert_true(checkout_make(&request, &result) < 0);
	assert_int_equal(result.outcome, FETCH_REFUSED);
	assert_non_null(strstr(result.error.text, "limit of 1101 entries"));
	world.limits.tree_entries++;
	assert_int_equal(layers_made(&world, &second, false), 2);
	world_end(&world);
}

static int setup(void **state)
{
	return git_libgit2_init() < 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_difference),
		cmocka_unit_test(test_one_file_changes_often),
		cmocka_unit_test(test_whose),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
