/* SPDX-License-Identifier: Apache-2.0 */
#include "common/account_home.h"
#include "common/cleanup.h"

#include "tests/unit/cmocka_headers.h"

#include <stdlib.h>
#include <string.h>

static bool added;

/* The changed text, from a buffer of exactly the promised size; NULL: no change. */
static char *passwd(const char *text, uint32_t uid, uint32_t gid, const char *home)
{
	size_t size = strlen(text);
	char *in = malloc(size ? size : 1), *out = malloc(size + ACCOUNT_GROWTH_MAX + 1);
	size_t made;

	assert_non_null(in);
	assert_non_null(out);
	memcpy(in, text, size); /* without a NUL after it */
	made = account_home_passwd(in, size, uid, gid, home, out, &added);
	assert_true(made <= size + ACCOUNT_GROWTH_MAX);
	out[made] = '\0';
	free(in);
	if (made > 0)
		return out;
	free(out);
	return NULL;
}

static void expect_passwd(const char *text, uint32_t uid, uint32_t gid, const char *home,
			  const char *wanted, bool wanted_added)
{
	char *got = passwd(text, uid, gid, home);

	if (wanted)
		assert_string_equal(got, wanted);
	else
		assert_null(got);
	assert_int_equal(added, wanted_added);
	free(got);
}

static void test_first_entry_of_the_user(void **state)
{
	static const char two[] =
		"root:x:0:0:root:/root:/bin/bash\nnode:x:1000:1000::/home/node:/bin/sh\n"
		"toor:x:0:0:other:/other:/bin/sh\n";

	expect_passwd(two, 0, 0, "/workspace",
		      "root:x:0:0:root:/workspace:/bin/bash\nnode:x:1000:1000::/home/node:/bin/sh\n"
		      "toor:x:0:0:other:/other:/bin/sh\n",
		      false);
	expect_passwd(two, 1000, 1000, "/w",
		      "root:x:0:0:root:/root:/bin/bash\nnode:x:1000:1000::/w:/bin/sh\n"
		      "toor:x:0:0:other:/other:/bin/sh\n",
		      false);
	expect_passwd(two, 0, 0, "/root", NULL, false);
	/* getpwuid(3) accepts these: no shell, no home, no newline at the end */
	expect_passwd("a:x:5:5::/h", 5, 5, "/w", "a:x:5:5::/w", false);
	expect_passwd("a:x:5:5:::/bin/sh", 5, 5, "/w", "a:x:5:5::/w:/bin/sh", false);
	expect_passwd("a:x:0005:5::/h:s\n", 5, 5, "/w", "a:x:0005:5::/w:s\n", false);
}

static void test_user_without_entry(void **state)
{
	expect_passwd("", 0, 0, "/workspace", "root:x:0:0::/workspace:/bin/sh\n", true);
	expect_passwd("root:x:0:0:root:/root:/bin/sh", 1234, 7, "/workspace",
		      "root:x:0:0:root:/root:/bin/sh\nstep1234:x:1234:7::/workspace:/bin/sh\n",
		      true);
	/* not entries: comments, a directory service, too few fields, other ids */
	expect_passwd("#a:x:5:5::/h:s\n+b:x:5:5::/h:s\n-c:x:5:5::/h:s\nd:x:5:5\n:x:5:5::/h:s\n\n"
		      "e:x:55:5::/h:s\nf:x:5 :5::/h:s\ng:x::5::/h:s\nh:x:4294967301:5::/h:s\n"
		      "i:x:00000000005:5::/h:s\nj:x:-5:5::/h:s\n",
		      5, 5, "/w",
		      "#a:x:5:5::/h:s\n+b:x:5:5::/h:s\n-c:x:5:5::/h:s\nd:x:5:5\n:x:5:5::/h:s\n\n"
		      "e:x:55:5::/h:s\nf:x:5 :5::/h:s\ng:x::5::/h:s\nh:x:4294967301:5::/h:s\n"
		      "i:x:00000000005:5::/h:s\nj:x:-5:5::/h:s\nstep5:x:5:5::/w:/bin/sh\n",
		      true);
}

static void test_homes(void **state)
{
	char *longest = calloc(1, ACCOUNT_HOME_MAX + 2), *got;

	assert_non_null(longest);
	memset(longest, 'a', ACCOUNT_HOME_MAX + 1);
	longest[0] = '/';
	assert_false(account_home_valid(longest));
	expect_passwd("", UINT32_MAX, UINT32_MAX, longest, NULL, false);
	longest[ACCOUNT_HOME_MAX] = '\0';
	assert_true(account_home_valid(longest));
	/* the largest growth possible */
	got = passwd("x", UINT32_MAX, UINT32_MAX, longest);
	assert_non_null(got);
	free(got);
	free(longest);
	assert_true(account_home_valid("/"));
	assert_true(account_home_valid("/home/\xc3\xa4 b"));
	assert_false(account_home_valid(""));
	assert_false(account_home_valid("relative"));
	assert_false(account_home_valid("/a:b"));
	assert_false(account_home_valid("/a\nroot::0:0::/:/bin/sh"));
	assert_false(account_home_valid("/a\x7f"));
	expect_passwd("root:x:0:0::/root:s\n", 0, 0, "/a:/b", NULL, false);
}

static void expect_group(const char *text, uint32_t gid, const char *wanted)
{
	char out[256 + ACCOUNT_GROWTH_MAX];
	size_t made = account_home_group(text, strlen(text), gid, out);

	out[made] = '\0';
	assert_string_equal(out, wanted);
}

static void test_groups(void **state)
{
	expect_group("root:x:0:\nusers:x:100:a,b\n", 100, "");
	expect_group("root:x:0:", 100, "root:x:0:\nstep100:x:100:\n");
	expect_group("", 0, "root:x:0:\n");
	expect_group("short:x\n#users:x:100:\n", 100, "short:x\n#users:x:100:\nstep100:x:100:\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_entry_of_the_user),
		cmocka_unit_test(test_user_without_entry),
		cmocka_unit_test(test_homes),
		cmocka_unit_test(test_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
