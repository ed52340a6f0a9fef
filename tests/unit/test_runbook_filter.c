/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns, compared with a table and with a slow but obviously correct matcher; "on". */
#include "runbook/glob.h"
#include "runbook/runbook.h"
#include "tests/unit/cmocka_headers.h"

#include "common/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool fits_glob(const char *pattern, const char *text)
{
	uint64_t steps = RUNBOOK_MATCH_STEPS;
	bool fits = glob_match(pattern, text, &steps);

	assert_true(steps > 0);
	return fits;
}

static bool chosen(const struct runbook_globs *globs, const char *text)
{
	uint64_t steps = RUNBOOK_MATCH_STEPS;

	return runbook_globs_match(globs, text, &steps);
}

static void test_patterns(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool fits;
	} cases[] = {
		{"main", "main", true},
		{"main", "main2", false},
		{"main", "mai", false},
		{"", "", true},
		{"*", "", true},
		{"*", "main", true},
		{"*", "a/b", false},
		{"**", "", true},
		{"**", "a/b/c", true},
		{"release/*", "release/1", true},
		{"release/*", "release/", true},
		{"release/*", "release/1/2", false},
		{"release/**", "release/1/2", true},
		{"release**", "release/1", true},
		{"docs/**", "docs", false},
		{"docs/**", "docs/a", true},
		{"**/docs/**", "docs/a", true},
		{"**/docs/**", "x/y/docs/a/b", true},
		{"**/docs/**", "xdocs/a", false},
		{"**/*.md", "README.md", true},
		{"**/*.md", "a/b/c.md", true},
		{"**/*.md", "a/b/c.mdx", false},
		{"*.md", "a/c.md", false},
		{"a/**/b", "a/b", true},
		{"a/**/b", "a/x/b", true},
		{"a/**/b", "a/x/y/b", true},
		{"a/**/b", "ab", false},
		{"a/**/b", "a/xb", false},
		{"a/**/b/**/c", "a/b/b/x/c", true},
		{"**/a/*/c", "x/a/y/a/z/c", true},
		{"**a", "b/a", true},
		{"**/a", "ba", false},
		{"***", "a/b", true},
		{"v?.?", "v1.2", true},
		{"v?", "v/", false},
		{"v?", "v", false},
		{"?", "\xc3\xa4", true},
		{"??", "\xc3\xa4", false},
		{"v[0-9]", "v7", true},
		{"v[0-9]", "vx", false},
		{"v[!0-9]", "vx", true},
		{"v[^0-9]", "v5", false},
		{"[]]", "]", true},
		{"[a-]", "-", true},
		{"[!a]", "/", false},
		{"[\\]]", "]", true},
		{"a[/]b", "a/b", false},
		{"\\*", "*", true},
		{"\\*", "x", false},
		{"\\!x", "!x", true},
		{"*a*b*c*", "xxaxxbxxcxx", true},
		{"*a*b*c*", "xxaxxcxxbxx", false},
		{"*/*", "a/b", true},
		{"*/*", "a", false},
		{"feature-*-x", "feature-a-b-x", true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (fits_glob(cases[i].pattern, cases[i].text) != cases[i].fits)
			fail_msg("\"%s\" %s \"%s\"", cases[i].pattern,
				 cases[i].fits ? "does not fit" : "fits", cases[i].text);
	}
}

/* Tries every text that each star may match. */
static bool slow_match(const char *start, const char *pattern, const char *text)
{
	if (*pattern == '\0')
		return *text == '\0';
	if (pattern[0] == '*' && pattern[1] == '*') {
		bool at_start = pattern == start || pattern[-1] == '/';
		const char *rest = pattern + strspn(pattern, "*");

		if (at_start && *rest == '/') {
			for (const char *at = text;;) {
				if (slow_match(start, rest + 1, at))
					return true;
				at = strchr(at, '/');
				if (!at)
					return false;
				at++;
			}
		}
		for (;; text++) {
			if (slow_match(start, rest, text))
				return true;
			if (!*text)
				return false;
		}
	}
	if (*pattern == '*') {
		for (;; text++) {
			if (slow_match(start, pattern + 1, text))
				return true;
			if (!*text || *text == '/')
				return false;
		}
	}
	if (!*text || (*pattern == '?' ? *text == '/' : *pattern != *text))
		return false;
	return slow_match(start, pattern + 1, text + 1);
}

static void random_text(char *out, size_t max, const char *letters)
{
	size_t length = (size_t)rand() % max;

	for (size_t i = 0; i < length; i++)
		out[i] = letters[(size_t)rand() % strlen(letters)];
	out[length] = '\0';
}

static void test_patterns_against_a_slow_matcher(void **state)
{
	size_t n_fit = 0;

	srand(4711);
	for (int i = 0; i < 300000; i++) {
		char pattern[10], text[12];
		bool fits;

		random_text(pattern, sizeof(pattern), "ab/**?");
		random_text(text, sizeof(text), "ab/");
		fits = fits_glob(pattern, text);
		n_fit += fits;
		if (fits != slow_match(pattern, pattern, text))
			fail_msg("\"%s\" and \"%s\": %d", pattern, text, fits);
	}
	assert_true(n_fit > 10000);
}

/* A pattern for which naive matchers need exponential time */
static void test_hostile_pattern(void **state)
{
	char text[4001], pattern[257];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (size_t i = 0; i + 2 < sizeof(pattern); i += 2)
		memcpy(pattern + i, "a*", 2);
	memcpy(pattern + sizeof(pattern) - 2, "b", 2);
	assert_false(fits_glob(pattern, text));
	for (size_t i = 0; i + 3 < sizeof(pattern); i += 3)
		memcpy(pattern + i, "**a", 3);
	assert_false(fits_glob(pattern, text));
}

#define WRITABLE(text) ((char[]){text})

static void test_lists(void **state)
{
	char *both[] = {WRITABLE("release/*"), WRITABLE("!release/old"), WRITABLE("release/old")};
	char *only_out[] = {WRITABLE("!docs/**"), WRITABLE("!**/*.md")};
	struct runbook_globs globs = {both, 2};

	assert_true(chosen(&globs, "release/1"));
	assert_false(chosen(&globs, "release/old"));
	assert_false(chosen(&globs, "main"));
	globs.n_items = 3; /* the last pattern that matches decides */
	assert_true(chosen(&globs, "release/old"));
	globs = (struct runbook_globs){only_out, 2};
	assert_true(chosen(&globs, "src/a.c"));
	assert_false(chosen(&globs, "docs/a"));
	assert_false(chosen(&globs, "a/b.md"));
	globs = (struct runbook_globs){0};
	assert_true(chosen(&globs, "anything"));
}

static struct runbook *parse(const char *on)
{
	struct runbook_finding findings[RUNBOOK_FINDINGS_MAX];
	struct runbook *runbook = NULL;
	char text[9200], line[1000];
	size_t n;

	(void)snprintf(text, sizeof(text), "%s\nsteps: [{name: a, command: x}]\n", on);
	if (runbook_parse(text, strlen(text), &runbook, findings, &n) != 0) {
		runbook_finding_format(line, sizeof(line), "f", &findings[0]);
		fail_msg("%s", line);
	}
	return runbook;
}

/* "" for a match, else the reason */
static const char *filtered(const char *on, enum runbook_event event, const char *ref,
			    const char *path)
{
	static char why[300];
	struct runbook *runbook = parse(on);
	char *const paths[] = {(char *)(uintptr_t)(path ? path : "")};

	why[0] = '\0';
	if (runbook_filter_match(runbook, event, ref, paths, path ? 1 : SIZE_MAX, why, sizeof(why)))
		assert_string_equal(why, "");
	else
		assert_true(why[0] != '\0');
	runbook_free(runbook);
	return why;
}

#define PUSH RUNBOOK_EVENT_PUSH
#define PULL_REQUEST RUNBOOK_EVENT_PULL_REQUEST
#define TAG RUNBOOK_EVENT_TAG
#define SCHEDULE RUNBOOK_EVENT_SCHEDULE
#define MANUAL RUNBOOK_EVENT_MANUAL

static void test_without_on(void **state)
{
	assert_string_equal(filtered("", PUSH, "refs/heads/x/y", "a"), "");
	assert_string_equal(filtered("", PULL_REQUEST, "main", NULL), "");
	assert_string_equal(filtered("", MANUAL, "refs/tags/v1", NULL), "");
	assert_string_equal(filtered("", TAG, "v1", NULL), "without \"on\", no run for tag");
	assert_string_equal(filtered("", PUSH, "refs/tags/v1", NULL),
			    "without \"on\", no run for tag");
	assert_string_equal(filtered("", SCHEDULE, "main", NULL),
			    "without \"on\", no run for schedule");
}

static void test_events(void **state)
{
	assert_string_equal(filtered("on: push", PUSH, "refs/heads/main", NULL), "");
	assert_string_equal(filtered("on: push", MANUAL, "main", NULL),
			    "\"on\" does not name manual");
	assert_string_equal(filtered("on: [tag, manual]", TAG, "refs/tags/v1", NULL), "");
	assert_string_equal(filtered("on: [tag, manual]", PUSH, "refs/tags/v1", NULL), "");
	assert_string_equal(filtered("on: {push: }", PUSH, "x", NULL), "");
	assert_string_equal(filtered("on: {schedule: 0 1 * * *}", SCHEDULE, "main", NULL), "");
}

static void test_branches_and_tags(void **state)
{
	static const char on[] = "on: {push: {branches: [main, 'r/**', '!r/old']}, "
				 "tag: {tags: 'v*'}, manual: {branches: main}}";

	assert_string_equal(filtered(on, PUSH, "refs/heads/main", NULL), "");
	assert_string_equal(filtered(on, PUSH, "refs/heads/r/1/2", NULL), "");
	assert_string_equal(filtered(on, PUSH, "refs/heads/r/old", NULL),
			    "on.push leaves out the branch \"r/old\"");
	assert_string_equal(filtered(on, TAG, "v1", NULL), "");
	assert_string_equal(filtered(on, TAG, "refs/tags/x", NULL),
			    "on.tag leaves out the tag \"x\"");
	assert_string_equal(filtered(on, MANUAL, "main", NULL), "");
	assert_string_equal(filtered(on, MANUAL, "refs/tags/v1", NULL),
			    "on.manual leaves out the tag \"v1\"");
	assert_string_equal(filtered(on, PULL_REQUEST, "main", NULL),
			    "\"on\" does not name pull_request");
}

/* push.tags has the meaning that it has in other CI systems */
static void test_tags_of_push(void **state)
{
	static const char tags[] = "on: {push: {tags: ['v*']}}";
	static const char both[] = "on: {push: {tags: ['v*'], branches: [main]}}";

	assert_string_equal(filtered(tags, TAG, "v1", NULL), "");
	assert_string_equal(filtered(tags, TAG, "x", NULL), "on.tag leaves out the tag \"x\"");
	assert_string_equal(filtered(tags, PUSH, "refs/heads/main", NULL),
			    "\"on\" does not name push");
	assert_string_equal(filtered(both, PUSH, "refs/heads/main", NULL), "");
	assert_string_equal(filtered(both, PUSH, "refs/tags/v1", NULL), "");
}

/* Patterns that would take minutes for one push exhaust the budget. */
static void test_slow_patterns(void **state)
{
	static const char slow[] = "**aaa*aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab";
	static const char start[] = "on: {push: {branches: [";
	char text[4001], branch[500], on[9000], why[300], *paths[1000];
	size_t used = sizeof(start) - 1;
	uint64_t steps = 1000;
	struct runbook *runbook;

	for (size_t i = 0; i + 1 < sizeof(text); i++)
		text[i] = i % 200 == 199 ? '/' : 'a';
	text[sizeof(text) - 1] = '\0';
	assert_false(glob_match(slow, text, &steps));
	assert_int_equal(steps, 0);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		paths[i] = text;
	(void)snprintf(on, sizeof(on), "on: {push: {paths: '%s'}}", slow);
	runbook = parse(on);
	assert_true(runbook_filter_match(runbook, RUNBOOK_EVENT_PUSH, "main", paths,
					 ARRAY_SIZE(paths), why, sizeof(why)));
	runbook = runbook_free(runbook);

	/* a text that a pattern might exclude is not selected */
	memcpy(on, start, sizeof(start));
	for (size_t i = 0; i < 100; i++)
		used += (size_t)snprintf(on + used, sizeof(on) - used, "'!%s',", slow);
	(void)snprintf(on + used, sizeof(on) - used, "]}}");
	memcpy(branch, text, sizeof(branch) - 1);
	branch[sizeof(branch) - 1] = '\0';
	runbook = parse(on);
	assert_false(runbook_filter_match(runbook, RUNBOOK_EVENT_PUSH, branch, NULL, SIZE_MAX, why,
					  sizeof(why)));
	assert_non_null(strstr(why, ": its patterns take too long to compare"));
	(void)runbook_free(runbook);
}

static void test_paths(void **state)
{
	static const char on[] = "on: {push: {paths: ['src/**', '!**/*.md']}}";
	struct runbook *runbook = parse(on);
	char *const mixed[] = {WRITABLE("docs/x"), WRITABLE("src/a.md"), WRITABLE("src/a.c")};
	char why[200];

	assert_string_equal(filtered(on, PUSH, "main", "src/a.c"), "");
	assert_string_equal(filtered(on, PUSH, "main", "src/a.md"),
			    "on.push.paths: none of the changed files is chosen");
	assert_string_equal(filtered(on, PUSH, "main", NULL), ""); /* unknown */
	assert_true(runbook_filter_match(runbook, PUSH, "main", mixed, 3, why, sizeof(why)));
	assert_false(runbook_filter_match(runbook, PUSH, "main", mixed, 2, why, sizeof(why)));
	assert_false(runbook_filter_match(runbook, PUSH, "main", mixed, 0, why, sizeof(why)));
	runbook_free(runbook);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_patterns_against_a_slow_matcher),
		cmocka_unit_test(test_hostile_pattern),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_without_on),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_branches_and_tags),
		cmocka_unit_test(test_tags_of_push),
		cmocka_unit_test(test_slow_patterns),
		cmocka_unit_test(test_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
