/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/cmocka_headers.h"

#include "common/cleanup.h"
#include "common/limits.h"
#include "common/names.h"
#include "common/number.h"
#include "common/text.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

struct name_case {
	const char *text;
	bool valid;
};

static void check_names(const struct name_case *cases, size_t n, bool (*valid)(const char *))
{
	for (size_t i = 0; i < n; i++) {
		if (valid(cases[i].text) != cases[i].valid)
			fail_msg("\"%s\" should be %s", cases[i].text,
				 cases[i].valid ? "valid" : "refused");
	}
}

static void test_project_names(void **state)
{
	static const struct name_case cases[] = {
		{"a", true},	 {"web-1.2_x", true}, {"9lives", true}, {"", false},
		{"A", false},	 {".a", false},	      {"-a", false},	{"a/b", false},
		{"a..b", false}, {"a b", false},      {"a\n", false},	{"\xc3\xa4", false},
	};
	char longest[PROJECT_NAME_MAX + 2];

	check_names(cases, ARRAY_SIZE(cases), project_name_valid);
	memset(longest, 'a', sizeof(longest));
	longest[PROJECT_NAME_MAX] = '\0';
	assert_true(project_name_valid(longest));
	longest[PROJECT_NAME_MAX] = 'a';
	longest[PROJECT_NAME_MAX + 1] = '\0';
	assert_false(project_name_valid(longest));
}

static void test_slugs(void **state)
{
	static const struct name_case cases[] = {
		{"build", true}, {"Build_1.2-x", true}, {"-x", true}, {".x", false},
		{"..", false},	 {"a/b", false},	{"", false},  {"a b", false},
	};

	check_names(cases, ARRAY_SIZE(cases), step_slug_valid);
}

static void test_refs(void **state)
{
	static const struct name_case cases[] = {
		{"refs/heads/main", true},
		{"refs/heads/feature/x-1", true},
		{"refs/heads/\xc3\xa4", true},
		{"main", true},
		{"", false},
		{"-x", false},
		{"@", false},
		{"a..b", false},
		{"a@{1}", false},
		{"a b", false},
		{"a~1", false},
		{"a^", false},
		{"a:b", false},
		{"a?", false},
		{"a*", false},
		{"a[", false},
		{"a\\b", false},
		{"a\x7f", false},
		{"a\x01", false},
		{"refs//a", false},
		{"/a", false},
		{"a/", false},
		{"a/.b", false},
		{"a.lock", false},
		{"a.lock/b", false},
		{"a.", false},
		{"\xff", false},
	};

	check_names(cases, ARRAY_SIZE(cases), ref_name_valid);
}

static void test_keys_and_env(void **state)
{
	static const struct name_case keys[] = {
		{"a", true},	  {"bin/app-1.0_x", true}, {"", false},	   {"/a", false},
		{"a/", false},	  {"a//b", false},	   {"..", false},  {"a/../b", false},
		{"a..b", false},  {"a\nb", false},	   {".", false},   {"./a", false},
		{"a/./b", false}, {"a/.", false},	   {"a b", false}, {".hidden", true},
	};
	static const struct name_case env[] = {
		{"A", true},   {"_a1", true},  {"", false},    {"1A", false},
		{"A=", false}, {"A B", false}, {"A\n", false}, {"\xc3\xa4", false},
	};
	static const struct name_case commits[] = {
		{"0123456789abcdef0123456789abcdef01234567", true},
		{"0123456789ABCDEF0123456789abcdef01234567", false},
		{"0123", false},
		{"g123456789abcdef0123456789abcdef01234567", false},
		{"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", true},
	};

	check_names(keys, ARRAY_SIZE(keys), artifact_key_valid);
	check_names(env, ARRAY_SIZE(env), env_name_valid);
	check_names(commits, ARRAY_SIZE(commits), commit_valid);
}

static void test_utf8(void **state)
{
	static const struct {
		const char *text;
		size_t length;
		bool valid;
	} cases[] = {
		{"abc", 3, true},
		{"\xc3\xa4", 2, true},
		{"\xf0\x9f\x9a\x80", 4, true},
		{"a\0b", 3, false},
		{"\xc0\x80", 2, false},		/* overlong NUL */
		{"\xe0\x80\xaf", 3, false},	/* overlong slash */
		{"\xed\xa0\x80", 3, false},	/* surrogate */
		{"\xf4\x90\x80\x80", 4, false}, /* above U+10FFFF */
		{"\xc3", 1, false},
		{"\x80", 1, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(utf8_valid(cases[i].text, cases[i].length), cases[i].valid);
}

static void test_escape(void **state)
{
	char out[64];

	text_escape(out, sizeof(out), "a\x1b[31mb\nc");
	assert_string_equal(out, "a\\x1b[31mb\\x0ac");
	text_escape(out, sizeof(out),
		    "\xe2\x80\xae"
		    "abc"); /* right-to-left override */
	assert_string_equal(out, "<U+202E>abc");
	text_escape(out, sizeof(out), "a\u200bb\u00adc\ufeff\U000e0041");
	assert_string_equal(out, "a<U+200B>b<U+00AD>c<U+FEFF><U+E0041>");
	text_escape(out, sizeof(out), "\u26a0\ufe0f \u00e4\u0301"); /* emoji, accents */
	assert_string_equal(out, "\u26a0\ufe0f \u00e4\u0301");
	text_escape(out, sizeof(out), "\U0001f477\u200d\u2642\ufe0f x\u200dy"); /* one emoji */
	assert_string_equal(out, "\U0001f477\u200d\u2642\ufe0f x<U+200D>y");
	text_escape(out, 9, "a\u202e"); /* an escape is whole, or omitted */
	assert_string_equal(out, "a");
	text_escape(out, 10, "a\u202e");
	assert_string_equal(out, "a<U+202E>");
	text_escape(out, sizeof(out), "\xffx");
	assert_string_equal(out, "\\xffx");
	text_escape(out, 5, "abcdefgh");
	assert_string_equal(out, "abcd");
	text_escape(out, 4, "ab\n"); /* likewise */
	assert_string_equal(out, "ab");
	text_escape(out, 3, "a\xc3\xa4");
	assert_string_equal(out, "a");
	assert_false(text_printable("a\x07"));
	assert_false(text_printable("\xc2\x9b")); /* C1 CSI */
	assert_true(text_printable("gr\xc3\xbc\xc3\x9f"));
	assert_true(text_printable("a\u200bb"));
	assert_string_equal(text_problem("a\u2066b"), "a character that turns text around");
	assert_string_equal(text_problem("a\u2066b\n"), "a control character");
	assert_null(text_problem("\u26a0\ufe0f"));
	assert_true(text_line_valid("a\u202eb"));
	assert_false(text_line_valid("a\u202eb\n"));
	assert_false(text_line_valid("a\xc2\x9b"));
	assert_false(text_line_valid("a\xff"));
}

static void test_quantities(void **state)
{
	uint64_t value;

	assert_int_equal(parse_duration("90", &value), 0);
	assert_int_equal(value, 90);
	assert_int_equal(parse_duration("1h30m", &value), 0);
	assert_int_equal(value, 5400);
	assert_int_equal(parse_duration("2d", &value), 0);
	assert_int_equal(value, 172800);
	assert_int_equal(parse_duration("", &value), -EINVAL);
	assert_int_equal(parse_duration("30m1h", &value), -EINVAL);
	assert_int_equal(parse_duration("1h1h", &value), -EINVAL);
	assert_int_equal(parse_duration("1h5", &value), -EINVAL);
	assert_int_equal(parse_duration("-1s", &value), -EINVAL);
	assert_int_equal(parse_duration("99999999999999999999s", &value), -ERANGE);
	assert_int_equal(parse_duration("999999999999999999d", &value), -ERANGE);

	assert_int_equal(parse_size("512M", &value), 0);
	assert_int_equal(value, 512 * MIB);
	assert_int_equal(parse_size("1GiB", &value), 0);
	assert_int_equal(value, GIB);
	assert_int_equal(parse_size("4096", &value), 0);
	assert_int_equal(value, 4096);
	assert_int_equal(parse_size("1X", &value), -EINVAL);
	assert_int_equal(parse_size("1MB", &value), -EINVAL);
	assert_int_equal(parse_size("M", &value), -EINVAL);
	assert_int_equal(parse_size("99999999999T", &value), -ERANGE);

	assert_int_equal(parse_cpus("1.5", &value), 0);
	assert_int_equal(value, 1500);
	assert_int_equal(parse_cpus("0.25", &value), 0);
	assert_int_equal(value, 250);
	assert_int_equal(parse_cpus("2", &value), 0);
	assert_int_equal(value, 2000);
	assert_int_equal(parse_cpus("1.", &value), -EINVAL);
	assert_int_equal(parse_cpus(".5", &value), -EINVAL);
	assert_int_equal(parse_cpus("1.5x", &value), -EINVAL);
}

static void test_text_copy(void **state)
{
	char out[4] = "old";

	assert_int_equal(text_copy(out, sizeof(out), "new"), 0);
	assert_string_equal(out, "new");
	assert_int_equal(text_copy(out, sizeof(out), "long"), -ENAMETOOLONG);
	assert_string_equal(out, "new"); /* all or nothing */
	assert_int_equal(text_copy(out, sizeof(out), ""), 0);
	assert_string_equal(out, "");
	assert_int_equal(text_copy(out, 0, ""), -ENAMETOOLONG);
}

static void test_amounts(void **state)
{
	assert_int_equal(value_or(0, 7), 7);
	assert_int_equal(value_or(1, 7), 1);
	assert_int_equal(u64_subtract(5, 3), 2);
	assert_int_equal(u64_subtract(3, 5), 0);
	assert_int_equal(u64_min(3, 5), 3);
	assert_int_equal(u64_max(3, 5), 5);
}

static void test_hex_digit(void **state)
{
	static const char digits[] = "0123456789abcdef", large[] = "0123456789ABCDEF";

	for (int c = CHAR_MIN; c <= CHAR_MAX; c++) {
		const char *small = c ? strchr(digits, c) : NULL;
		const char *other = c ? strchr(large, c) : NULL;

		assert_int_equal(hex_digit((char)c), small   ? small - digits
						     : other ? other - large
							     : -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_copy),     cmocka_unit_test(test_amounts),
		cmocka_unit_test(test_project_names), cmocka_unit_test(test_slugs),
		cmocka_unit_test(test_refs),	      cmocka_unit_test(test_keys_and_env),
		cmocka_unit_test(test_utf8),	      cmocka_unit_test(test_escape),
		cmocka_unit_test(test_quantities),    cmocka_unit_test(test_hex_digit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
