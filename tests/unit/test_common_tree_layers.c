/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/cmocka_headers.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/remove_tree.h"
#include "common/tree_layers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccccccccccc"
#define D "dddddddddddddddddddddddddddddddddddddddd"
#define E "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"

struct place {
	char path[64];
	int fd;
};

static void place_new(struct place *place)
{
	(void)snprintf(place->path, sizeof(place->path), "/tmp/test_tree_layers.XXXXXX");
	assert_non_null(mkdtemp(place->path));
	place->fd = open(place->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(place->fd >= 0);
}

static void place_remove(struct place *place)
{
	(void)close(place->fd);
	assert_int_equal(remove_tree(AT_FDCWD, place->path), 0);
}

static void whole(const struct place *place, const char *commit)
{
	assert_int_equal(mkdirat(place->fd, commit, 0755), 0);
}

/* Lay the tree @commit on what @lower names. */
static void diff(const struct place *place, const char *commit, const char *lower)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s.diff/top", commit);
	assert_int_equal(make_directories(place->fd, path, 0755), 0);
	(void)snprintf(path, sizeof(path), "%s.diff/lower", commit);
	assert_int_equal(symlinkat(lower, place->fd, path), 0);
}

static void test_layers(void **state)
{
	struct tree_layers layers;
	struct place place;

	place_new(&place);
	assert_int_equal(tree_layers_find(place.fd, A, &layers), -ENOENT);
	whole(&place, A);
	diff(&place, B, A);
	diff(&place, C, B);
	diff(&place, D, C);
	assert_int_equal(tree_layers_find(place.fd, A, &layers), 0);
	assert_int_equal(layers.n, 1);
	assert_string_equal(layers.names[0], A);
	assert_int_equal(tree_layers_find(place.fd, D, &layers), 0);
	assert_int_equal(layers.n, TREE_LAYERS_MAX);
	assert_string_equal(layers.names[0], D ".diff/top");
	assert_string_equal(layers.names[2], B ".diff/top");
	assert_string_equal(layers.names[3], A);
	assert_string_equal(layers.commits[0], D);
	assert_string_equal(layers.commits[3], A);
	diff(&place, E, D); /* one too many */
	assert_int_equal(tree_layers_find(place.fd, E, &layers), -ELOOP);
	assert_string_equal(layers.commits[0], D); /* untouched on failure */
	whole(&place, C); /* is preferred, and then the others are not needed */
	assert_int_equal(tree_layers_find(place.fd, E, &layers), 0);
	assert_int_equal(layers.n, 3);
	assert_int_equal(unlinkat(place.fd, C, AT_REMOVEDIR), 0);
	assert_int_equal(unlinkat(place.fd, A, AT_REMOVEDIR), 0);
	assert_int_equal(tree_layers_find(place.fd, D, &layers), -ENOENT);
	place_remove(&place);
}

/* The fetcher may have been taken over, and runbookd follows what it wrote. */
static void test_links_are_distrusted(void **state)
{
	static const char *const lowers[] = {
		".", "..", "../..", "/etc", "../" A, A "/", A "0", A ".diff/top", "AAAA", B,
	};
	struct tree_layers layers;

	for (size_t i = 0; i < ARRAY_SIZE(lowers); i++) {
		struct place place;
		int r;

		place_new(&place);
		whole(&place, A);
		diff(&place, B, lowers[i]);
		r = tree_layers_find(place.fd, B, &layers);
		assert_int_equal(r, strcmp(lowers[i], B) == 0 ? -ELOOP : -EINVAL);
		place_remove(&place);
	}
}

static void test_only_directories(void **state)
{
	struct tree_layers layers;
	struct place place;

	place_new(&place);
	assert_int_equal(symlinkat("/etc", place.fd, A), 0);
	assert_int_equal(tree_layers_find(place.fd, A, &layers), -ENOTDIR);
	diff(&place, B, A);
	assert_int_equal(tree_layers_find(place.fd, B, &layers), -ENOTDIR);
	assert_int_equal(unlinkat(place.fd, B ".diff/top", AT_REMOVEDIR), 0);
	assert_int_equal(symlinkat("/etc", place.fd, B ".diff/top"), 0);
	assert_int_equal(tree_layers_find(place.fd, B, &layers), -ENOTDIR);
	place_remove(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layers),
		cmocka_unit_test(test_links_are_distrusted),
		cmocka_unit_test(test_only_directories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
