/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/cmocka_headers.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/messages/fetching.h"
#include "common/names.h"
#include "common/remove_tree.h"
#include "fetcher/tree.h"
#include "fetcher/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void test_names(void **state)
{
	static const struct {
		const char *name;
		enum tree_name wanted;
	} cases[] = {
		{"a", TREE_NAME_OK},
		{"...", TREE_NAME_OK},
		{".gitignore", TREE_NAME_OK},
		{".gitmodules", TREE_NAME_OK},
		{".gi", TREE_NAME_OK},
		{".gitt", TREE_NAME_OK},
		{"git", TREE_NAME_OK},
		{"x.git", TREE_NAME_OK},
		{"git~2", TREE_NAME_OK},
		{"git~10", TREE_NAME_OK},
		{".git x", TREE_NAME_OK},
		{"a\\b", TREE_NAME_OK},
		{"a\n\x01\xff", TREE_NAME_OK},
		{"", TREE_NAME_EMPTY},
		{".", TREE_NAME_DOTS},
		{"..", TREE_NAME_DOTS},
		{"/", TREE_NAME_SLASH},
		{"../x", TREE_NAME_SLASH},
		{"a/b", TREE_NAME_SLASH},
		{".git", TREE_NAME_DOT_GIT},
		{".GIT", TREE_NAME_DOT_GIT},
		{".gIt", TREE_NAME_DOT_GIT},
		{"git~1", TREE_NAME_DOT_GIT},
		{"GiT~1", TREE_NAME_DOT_GIT},
		{".git ", TREE_NAME_DOT_GIT},
		{".git.", TREE_NAME_DOT_GIT},
		{".git. . .", TREE_NAME_DOT_GIT},
		{".git:x", TREE_NAME_DOT_GIT},
		{".git .:$DATA", TREE_NAME_DOT_GIT},
		{"git~1:x", TREE_NAME_DOT_GIT},
		{"\\.git", TREE_NAME_DOT_GIT},
		{"a\\.git\\b", TREE_NAME_DOT_GIT},
		{".git\\hooks", TREE_NAME_DOT_GIT},
		{".g\xe2\x80\x8cit", TREE_NAME_DOT_GIT},
		{"\xef\xbb\xbf.git", TREE_NAME_DOT_GIT},
		{".git\xe2\x81\xaf", TREE_NAME_DOT_GIT},
		{".g\xe2\x80\xaeIT\xe2\x80\x8f", TREE_NAME_DOT_GIT},
		{".g\xe2\x80it", TREE_NAME_OK},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (tree_name_check(cases[i].name, strlen(cases[i].name)) != cases[i].wanted)
			fail_msg("\"%s\" should be %d", cases[i].name, cases[i].wanted);
	}
}

static void test_name_lengths(void **state)
{
	char name[FETCH_NAME_MAX + 1];

	memset(name, 'a', sizeof(name));
	assert_int_equal(tree_name_check(name, FETCH_NAME_MAX), TREE_NAME_OK);
	assert_int_equal(tree_name_check(name, FETCH_NAME_MAX + 1), TREE_NAME_LONG);
	for (int i = 0; i < TREE_NAME_NUM; i++)
		assert_non_null(tree_name_reason((enum tree_name)i));
}

static void test_first_line(void **state)
{
	static const struct {
		const char *text, *wanted;
	} cases[] = {
		{"", ""},
		{"one", "one"},
		{"one\ntwo", "one"},
		{"one\r\ntwo", "one"},
		{"\n\n  one  \ntwo", "one"},
		{"a\tb", "a b"},
		{"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
		{"\xf0\x9f\x98\x80!", "\xf0\x9f\x98\x80!"},
		{"a\x1b[31mb", "a\xef\xbf\xbd[31mb"},
		{"a\rb", "a\xef\xbf\xbd"
			 "b"},
		{"\xff\xfe", "\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xc3", "\xef\xbf\xbd"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char out[64];

		text_first_line(out, sizeof(out), cases[i].text, strlen(cases[i].text));
		assert_string_equal(out, cases[i].wanted);
		assert_true(text_printable(out));
	}
}

static void test_first_line_is_cut_between_characters(void **state)
{
	char out[8];

	text_first_line(out, sizeof(out), "abcdef\xc3\xbcx", 9);
	assert_string_equal(out, "abcdef");
	text_first_line(out, sizeof(out), "abcdefgh", 8);
	assert_string_equal(out, "abcdefg");
	text_first_line(out, sizeof(out), "ab\0cd", 5);
	assert_string_equal(out, "ab");
}

static void test_sizes(void **state)
{
	assert_string_equal(size_text(20), "20 bytes");
	assert_string_equal(size_text(1536), "1.5 KiB");
	assert_string_equal(size_text(8 * GIB), "8 GiB");
}

/* ---- making a tree ---- */

#define COMMIT "0123456789012345678901234567890123456789"

static char *folder_make(void)
{
	static char path[64];

	(void)snprintf(path, sizeof(path), "/tmp/test_fetcher_tree.XXXXXX");
	assert_non_null(mkdtemp(path));
	return path;
}

static void test_tree_life(void **state)
{
	static const char name[] = "0123456789012345678901234567890123456789";
	const char *path = folder_make();
	cleanup_close int project = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct fetch_result result = {.title = "A title", .author = "Ann"};
	struct fetch_result read_back = {0};
	struct tree tree = TREE_NULL;

	assert_false(tree_exists(project, name));
	assert_int_equal(tree_begin(&tree, project, name, "", &result), 0);
	assert_false(tree_exists(project, name));
	tree_abort(&tree);
	assert_int_equal(faccessat(project, tree.temporary, F_OK, 0), -1);

	assert_int_equal(tree_begin(&tree, project, name, "", &result), 0);
	assert_int_equal(mkdirat(tree.fd, "d", 0755), 0);
	assert_int_equal(tree_commit(&tree, &result), 0);
	tree_abort(&tree); /* does nothing any more */
	assert_true(tree_exists(project, name));
	tree_info_read(project, name, &read_back);
	assert_string_equal(read_back.title, "A title");
	assert_string_equal(read_back.author, "Ann");

	/* a tree is never replaced, because a running step may have it as a lower layer */
	assert_int_equal(tree_begin(&tree, project, name, "", &result), 0);
	assert_true(tree_commit(&tree, &result) < 0);
	tree_abort(&tree);
	assert_int_equal(remove_tree(AT_FDCWD, path), 0);
}

#define LOWER "2222222222222222222222222222222222222222"

/* A difference lies on another tree, and takes the place of one that has lost its own. */
static void test_difference_life(void **state)
{
	const char *path = folder_make();
	cleanup_close int project = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct fetch_result result = {.title = "A title"};
	struct tree tree = TREE_NULL;
	char lower[64];

	for (int i = 0; i < 2; i++) {
		assert_int_equal(tree_begin(&tree, project, COMMIT, LOWER, &result), 0);
		assert_string_equal(tree.top, ".tmp-" COMMIT "/top");
		assert_int_equal(mkdirat(tree.fd, i == 0 ? "old" : "new", 0755), 0);
		assert_int_equal(tree_commit(&tree, &result), 0);
		assert_false(tree_exists(project, COMMIT));
	}
	assert_int_equal(mkdirat(project, LOWER, 0755), 0);
	assert_true(tree_exists(project, COMMIT));
	assert_int_equal(faccessat(project, COMMIT ".diff/top/new", F_OK, 0), 0);
	assert_int_equal(faccessat(project, COMMIT ".diff/top/old", F_OK, 0), -1);
	assert_int_equal(readlinkat(project, COMMIT ".diff/lower", lower, sizeof(lower)), 40);
	assert_memory_equal(lower, LOWER, 40);
	/* now it is complete, and is never replaced */
	assert_int_equal(tree_begin(&tree, project, COMMIT, LOWER, &result), 0);
	assert_true(tree_commit(&tree, &result) < 0);
	tree_abort(&tree);
	assert_int_equal(remove_tree(AT_FDCWD, path), 0);
}

static void test_info_is_distrusted(void **state)
{
	static const char name[] = "0123456789012345678901234567890123456789";
	const char *path = folder_make();
	cleanup_close int project = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct fetch_result result = {0};
	char file[64];

	(void)snprintf(file, sizeof(file), "%s.info", name);
	tree_info_read(project, name, &result);
	assert_string_equal(result.title, "");
	assert_int_equal(file_replace(project, file,
				      "a\x1b"
				      "b\nc\n",
				      6, 0600),
			 0);
	tree_info_read(project, name, &result);
	assert_string_equal(result.title, "a\xef\xbf\xbd"
					  "b");
	assert_string_equal(result.author, "c");
	assert_int_equal(unlinkat(project, file, 0), 0);
	assert_int_equal(symlinkat("/etc/passwd", project, file), 0);
	result.title[0] = '\0';
	tree_info_read(project, name, &result);
	assert_string_equal(result.title, "");
	assert_int_equal(remove_tree(AT_FDCWD, path), 0);
}

/* ---- a child's result ---- */

static struct message *answer(enum fetch_outcome outcome, const char *commit, const char *title,
			      const char *author, const char *text, const char *view)
{
	return MESSAGE_NEW(fetched, 0, .outcome = outcome, .commit = commit, .title = title,
			   .author = author, .error = text, .default_branch = "refs/heads/main",
			   .view = view, .view_objects = *view == 'f');
}

static void test_answers(void **state)
{
	static char long_title[FETCH_TITLE_MAX + 2];
	const struct {
		enum fetch_outcome outcome;
		const char *commit, *title, *author, *text;
		int wanted;
		const char *view;
	} cases[] = {
		{FETCH_OK, COMMIT, "t", "a", "", 0},
		{FETCH_OK, COMMIT, "t", "a", "", 0, COMMIT},
		{FETCH_OK, COMMIT, "t", "a", "", 0, "f123456789012345678901234567890123456789"},
		{FETCH_OK, COMMIT, "t", "a", "", -EBADMSG, "../../../../etc"},
		{FETCH_OK, COMMIT, "t", "a", "", -EBADMSG, "f"},
		{FETCH_REFUSED, "", "", "", "why", -EBADMSG, COMMIT},
		{FETCH_REFUSED, "", "", "", "why", 0},
		{FETCH_OK, "", "t", "a", "", -EBADMSG},
		{FETCH_OK, "../../../../etc", "t", "a", "", -EBADMSG},
		{FETCH_OK, COMMIT "0", "t", "a", "", -EBADMSG},
		{FETCH_NUM, COMMIT, "t", "a", "", -EBADMSG},
		{FETCH_REFUSED, "", "", "", "", -EBADMSG},
		{FETCH_REFUSED, COMMIT, "", "", "why", -EBADMSG},
		{FETCH_OK, COMMIT, "\x1b", "a", "", -EBADMSG},
		{FETCH_OK, COMMIT, "t", "\xff", "", -EBADMSG},
		{FETCH_OK, COMMIT, long_title, "a", "", -EBADMSG},
	};

	memset(long_title, 'x', sizeof(long_title) - 1);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_message struct message *message =
			answer(cases[i].outcome, cases[i].commit, cases[i].title, cases[i].author,
			       cases[i].text, cases[i].view ? cases[i].view : "");
		struct fetch_result result = {.outcome = FETCH_NUM};

		assert_int_equal(worker_result_read(message, &result), cases[i].wanted);
		assert_int_equal(result.outcome,
				 cases[i].wanted == 0 ? cases[i].outcome : FETCH_NUM);
	}
}

static int null_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(fd > 0);
	return fd;
}

/* A result has both the flag and the descriptor of changed paths, or neither. */
static void test_answer_with_paths(void **state)
{
	enum { BOTH, NEITHER, SAID, BROUGHT };
	const struct {
		enum fetch_outcome outcome;
		int paths;
		const char *branch;
		int wanted;
	} cases[] = {
		{FETCH_OK, BOTH, "refs/heads/main", 0},
		{FETCH_OK, BOTH, "", 0},
		{FETCH_OK, NEITHER, "", 0},
		{FETCH_OK, SAID, "", -EBADMSG},
		{FETCH_OK, BROUGHT, "", -EBADMSG},
		{FETCH_OK, NEITHER, "a..b", -EBADMSG},
		{FETCH_REFUSED, BOTH, "", -EBADMSG},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool ok = cases[i].outcome == FETCH_OK;
		bool said = cases[i].paths == BOTH || cases[i].paths == SAID;
		struct fetch_result result = {.outcome = FETCH_NUM};
		cleanup_close int fd = null_fd();
		cleanup_message struct message *made =
			MESSAGE_NEW(fetched, 0, .outcome = cases[i].outcome,
				    .commit = ok ? COMMIT : "", .error = ok ? "" : "why",
				    .default_branch = cases[i].branch, .paths = said ? fd : -1);

		assert_int_equal(made->n_fds, said);
		if (cases[i].paths == SAID)
			close(made->fds[--made->n_fds]);
		if (cases[i].paths == BROUGHT)
			made->fds[made->n_fds++] = null_fd();
		assert_int_equal(worker_result_read(made, &result), cases[i].wanted);
		assert_int_equal(result.paths_known, cases[i].wanted == 0 && said);
		fetch_result_clear(&result);
	}
}

/* A child must not send the runbook's descriptor, which only the service opens. */
static void test_answer_with_a_runbook(void **state)
{
	cleanup_close int fd = null_fd();
	cleanup_message struct message *opened =
		MESSAGE_NEW(fetched, 0, .outcome = FETCH_OK, .commit = COMMIT, .runbook = fd);
	cleanup_message struct message *named =
		MESSAGE_NEW(fetched, 0, .outcome = FETCH_OK, .commit = COMMIT, .misnamed = "x");
	struct fetch_result result;

	assert_int_equal(worker_result_read(opened, &result), -EBADMSG);
	assert_int_equal(worker_result_read(named, &result), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_name_lengths),
		cmocka_unit_test(test_first_line),
		cmocka_unit_test(test_first_line_is_cut_between_characters),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_tree_life),
		cmocka_unit_test(test_difference_life),
		cmocka_unit_test(test_info_is_distrusted),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_answer_with_paths),
		cmocka_unit_test(test_answer_with_a_runbook),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
