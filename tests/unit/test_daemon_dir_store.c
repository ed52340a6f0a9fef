/* SPDX-License-Identifier: Apache-2.0 */

/* A store of directories, with a second instance beside it. */

#include "common/cleanup.h"
#include "common/remove_tree.h"
#include "daemon/dir_store.h"

#include "tests/unit/cmocka_headers.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define OWNER 12345

static struct {
	char path[64];
	struct dir_store *store, *other; /* of two instances */
} house;

static int setup(void **state)
{
	struct error error = ERROR_INIT;

	memset(&house, 0, sizeof(house));
	(void)snprintf(house.path, sizeof(house.path), "/tmp/rbtest-dirs-XXXXXX");
	assert_non_null(mkdtemp(house.path));
	assert_int_equal(dir_store_open(house.path, "one", &house.store, &error), 0);
	assert_int_equal(
		dir_store_open(house.path, "a-name-longer-than-twelve", &house.other, &error), 0);
	return 0;
}

static int teardown(void **state)
{
	house.store = dir_store_close(house.store);
	house.other = dir_store_close(house.other);
	assert_int_equal(remove_tree(AT_FDCWD, house.path), 0);
	return 0;
}

static bool exists(const char *name)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s", house.path, name);
	return access(path, F_OK) == 0;
}

static struct dir_claim make(void)
{
	struct error error = ERROR_INIT;
	struct dir_claim claim;

	assert_int_equal(dir_store_make(house.store, OWNER, &claim, &error), 0);
	assert_true(exists(claim.name));
	return claim;
}

static void commit(const char *name)
{
	struct error error = ERROR_INIT;
	struct dir_claim claim = make();

	assert_int_equal(dir_store_commit(house.store, &claim, name, &error), 0);
	assert_int_equal(claim.fd, -1);
}

static void name_add(void *userdata, const char *name)
{
	char *text = userdata;

	(void)strcat(text, name);
	(void)strcat(text, " ");
}

static const char *listed(struct dir_store *store)
{
	static char text[256];

	text[0] = '\0';
	dir_store_list(store, name_add, text);
	return text;
}

static struct dir_claim swept[8];
static size_t n_swept, most_swept;

static bool sweep_found(void *userdata, struct dir_claim *claim)
{
	assert_true(n_swept < ARRAY_SIZE(swept));
	swept[n_swept++] = *claim;
	return n_swept < most_swept;
}

static size_t sweep(struct dir_store *store, size_t most)
{
	n_swept = 0;
	most_swept = most;
	dir_store_sweep(store, sweep_found, NULL);
	for (size_t i = 0; i < n_swept; i++)
		dir_claim_drop(&swept[i]);
	return n_swept;
}

/* ---- tests ---- */

static void is_there_when_it_is_complete(void **state)
{
	struct error error = ERROR_INIT;
	struct dir_claim claim = make(), twice = make();
	char path[PATH_MAX];
	struct stat st;

	assert_int_equal(fstat(claim.fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	if (geteuid() == 0)
		assert_int_equal(st.st_uid, OWNER);
	assert_string_equal(listed(house.store), "");
	assert_int_equal(dir_store_use(house.store, "a", path), -ENOENT);
	assert_int_equal(dir_store_commit(house.store, &claim, "a", &error), 0);
	assert_string_equal(listed(house.other), "a ");
	assert_int_equal(dir_store_use(house.store, "a", path), 0);
	assert_int_equal(strncmp(path, house.path, strlen(house.path)), 0);
	assert_string_equal(path + strlen(house.path), "/a");
	/* of two that made the same name, the second still has its claim */
	assert_int_equal(dir_store_commit(house.store, &twice, "a", &error), -EEXIST);
	assert_true(twice.fd >= 0);
	assert_int_equal(dir_store_remove(house.store, &twice), 0);
	dir_claim_drop(&twice);
}

static void stays_while_it_is_in_use(void **state)
{
	struct dir_claim claim;
	char path[PATH_MAX];

	commit("a");
	assert_int_equal(dir_store_use(house.store, "a", path), 0);
	assert_int_equal(dir_store_use(house.store, "a", path), 0);
	assert_int_equal(dir_store_use(house.other, "a", path), 0);
	dir_store_release(house.store, "a");
	assert_int_equal(dir_store_take_out(house.store, "a", &claim), -EWOULDBLOCK);
	assert_int_equal(dir_store_take_out(house.other, "a", &claim), -EWOULDBLOCK);
	dir_store_release(house.store, "a");
	dir_store_release(house.store, "a"); /* one release too many is ignored */
	assert_int_equal(dir_store_take_out(house.store, "a", &claim), -EWOULDBLOCK);
	dir_store_release(house.other, "a");
	assert_int_equal(dir_store_take_out(house.store, "a", &claim), 0);
	assert_string_equal(listed(house.other), "");
	assert_int_equal(dir_store_use(house.other, "a", path), -ENOENT);
	assert_int_equal(dir_store_take_out(house.other, "a", &claim), -ENOENT);
	assert_int_equal(dir_store_remove(house.store, &claim), 0);
	dir_claim_drop(&claim);
}

static void is_removed_when_it_is_empty(void **state)
{
	struct dir_claim claim;

	commit("a");
	assert_int_equal(dir_store_take_out(house.store, "a", &claim), 0);
	assert_int_equal(mkdirat(claim.fd, "inside", 0755), 0);
	assert_int_equal(dir_store_remove(house.store, &claim), -ENOTEMPTY);
	assert_int_equal(unlinkat(claim.fd, "inside", AT_REMOVEDIR), 0);
	assert_int_equal(dir_store_remove(house.store, &claim), 0);
	assert_false(exists(claim.name));
	assert_int_equal(dir_store_remove(house.store, &claim), 0); /* as after a crash */
	dir_claim_drop(&claim);
}

/* A lock ends with its process, so the directories of a killed instance are not locked. */
static void finds_what_a_killed_instance_left(void **state)
{
	struct dir_claim written = make(), gone;

	commit("complete");
	commit("a");
	assert_int_equal(dir_store_take_out(house.store, "a", &gone), 0);
	assert_int_equal(sweep(house.other, 8), 0);
	dir_claim_drop(&written);
	assert_int_equal(sweep(house.other, 8), 1);
	assert_string_equal(swept[0].name, written.name);
	dir_claim_drop(&gone);
	assert_int_equal(sweep(house.other, 8), 2);
	assert_int_equal(sweep(house.other, 1), 1);
	for (size_t i = 0; i < 2; i++)
		(void)dir_store_remove(house.other, i ? &gone : &written);
	assert_int_equal(sweep(house.other, 8), 0);
	assert_string_equal(listed(house.other), "complete ");
}

/* A sweep locks what it finds, so two sweeps at once do not remove the same directory. */
static void claims_what_it_finds(void **state)
{
	struct dir_claim claim = make();

	dir_claim_drop(&claim);
	n_swept = 0;
	most_swept = 8;
	dir_store_sweep(house.other, sweep_found, NULL);
	assert_int_equal(n_swept, 1);
	claim = swept[0];
	assert_int_equal(sweep(house.store, 8), 0);
	assert_int_equal(dir_store_remove(house.other, &claim), 0);
	dir_claim_drop(&claim);
}

static void follows_no_link(void **state)
{
	struct error error = ERROR_INIT;
	struct dir_store *store;
	struct dir_claim claim;
	char path[PATH_MAX], outside[] = "/tmp/rbtest-outside-XXXXXX";

	assert_non_null(mkdtemp(outside));
	(void)snprintf(path, sizeof(path), "%s/link", house.path);
	assert_int_equal(symlink(outside, path), 0);
	assert_true(dir_store_open(path, "one", &store, &error) < 0);
	assert_int_equal(dir_store_use(house.store, "link", path), -ENOENT);
	assert_true(dir_store_take_out(house.store, "link", &claim) < 0);
	(void)snprintf(path, sizeof(path), "%s/.gone-x", house.path);
	assert_int_equal(symlink(outside, path), 0);
	assert_int_equal(sweep(house.store, 8), 0);
	assert_int_equal(rmdir(outside), 0);
}

static void says_what_cannot_be_opened(void **state)
{
	struct error error = ERROR_INIT;
	struct dir_store *store;

	assert_int_equal(dir_store_open("/nowhere/at/all", "one", &store, &error), -ENOENT);
	assert_non_null(strstr(error.text, "cannot open /nowhere/at/all"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(is_there_when_it_is_complete), TEST(stays_while_it_is_in_use),
		TEST(is_removed_when_it_is_empty),  TEST(finds_what_a_killed_instance_left),
		TEST(claims_what_it_finds),	    TEST(follows_no_link),
		TEST(says_what_cannot_be_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
