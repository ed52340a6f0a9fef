/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "common/limits.h"
#include "webhook/body.h"
#include "webhook/hooks.h"
#include "webhook/payload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int parse(const char *text, size_t size, struct error *error)
{
	json_t *root = NULL;
	int r;

	*error = ERROR_INIT;
	r = payload_parse(text, size, &root, error);
	assert_int_equal(r == 0, root != NULL);
	root = payload_free(root, size);
	return r;
}

static void test_malformed(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"[1,]",
		"{\"a\":1,\"a\":2}",
		"\"\\ud800\"",
		"[\"\xff\"]",
		"[\"\\u0000\"]",
		"NaN",
		"[99999999999999999999]",
		"[1e999]",
		"[1] x",
		"\xef\xbb\xbf[]",
		"[\"a\nb\"]",
	};
	struct error error;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(parse(texts[i], strlen(texts[i]), &error), -EBADMSG);
		assert_non_null(strstr(error.text, "malformed JSON at line"));
	}
	assert_int_equal(parse("{\"a\":\n 1,, }", 11, &error), -EBADMSG);
	assert_non_null(strstr(error.text, "line 2, column 4"));
	assert_int_equal(parse("[\"a\0b\"]", 7, &error), -EBADMSG);
}

static void test_depth(void **state)
{
	char text[4 * PAYLOAD_DEPTH_MAX];
	struct error error;

	memset(text, '[', PAYLOAD_DEPTH_MAX);
	memset(text + PAYLOAD_DEPTH_MAX, ']', PAYLOAD_DEPTH_MAX);
	assert_int_equal(parse(text, 2 * PAYLOAD_DEPTH_MAX, &error), 0);
	memset(text, '[', PAYLOAD_DEPTH_MAX + 1);
	memset(text + PAYLOAD_DEPTH_MAX + 1, ']', PAYLOAD_DEPTH_MAX + 1);
	assert_int_equal(parse(text, 2 * PAYLOAD_DEPTH_MAX + 2, &error), -EBADMSG);
	assert_non_null(strstr(error.text, "nested"));
	/* brackets in a string are text, also after an escaped quote */
	(void)snprintf(
		text, sizeof(text), "[\"\\\"%.*s\"]", 2 * PAYLOAD_DEPTH_MAX,
		"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[");
	assert_int_equal(parse(text, strlen(text), &error), 0);
}

/* @part @n times between brackets. The caller frees it. */
static char *repeated(const char *part, size_t n, size_t *ret_size)
{
	size_t length = strlen(part), used = 0;
	char *text = malloc(n * length + 3);

	assert_non_null(text);
	text[used++] = '[';
	for (size_t i = 0; i < n; i++, used += length)
		memcpy(text + used, part, length);
	text[used++] = '0';
	text[used++] = ']';
	*ret_size = used;
	return text;
}

static void test_memory_is_bounded(void **state)
{
	size_t size;
	char *bomb = repeated("[],", 2000000, &size);
	struct error error;

	assert_int_equal(parse(bomb, size, &error), -E2BIG);
	free(bomb);
	/* a large push has many values, but none of them is tiny */
	bomb = repeated("\"src/some/path/of/a/file.c\",", 300000, &size);
	assert_int_equal(parse(bomb, size, &error), 0);
	free(bomb);
}

static void test_form(void **state)
{
	static const struct {
		const char *body, *text;
	} good[] = {
		{"payload=%7B%22a%22%3A+1%7d", "{\"a\": 1}"},
		{"x=1&payload=1&y=2", "1"},
		{"payload=", ""},
		{"payload=%00", ""},
		{"payload=a=b", "a=b"},
	};
	static const char *const bad[] = {
		"",	     "x=1",	   "xpayload=1",  "payload",	 "payload=1&payload=2",
		"payload=%", "payload=%7", "payload=%zz", "payload=1%2",
	};
	struct error error = ERROR_INIT;
	char *text = NULL;
	size_t size;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(
			payload_from_form(good[i].body, strlen(good[i].body), &text, &size, &error),
			0);
		assert_string_equal(text, good[i].text);
		assert_int_equal(size, i == 3 ? 1 : strlen(text)); /* %00 is one byte */
		free(text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(payload_from_form(bad[i], strlen(bad[i]), &text, &size, &error),
				 -EBADMSG);
}

static void test_paths(void **state)
{
	static const char text[] = "{\"a\":{\"b\":[{\"c\":\"x\"},{\"c\":\"y\"}],\"n\":1},\"e\":[]}";
	struct error error = ERROR_INIT;
	json_t *root;

	assert_int_equal(payload_parse(text, strlen(text), &root, &error), 0);
	assert_string_equal(payload_string(root, "a.b.0.c"), "x");
	assert_string_equal(payload_string(root, "a.b.-1.c"), "y");
	assert_null(payload_string(root, "a.b.2.c"));
	assert_null(payload_string(root, "e.-1.c"));
	assert_null(payload_string(root, "a.n"));
	assert_null(payload_string(root, "a.n.x"));
	assert_null(payload_string(root, "z.y.x"));
	assert_ptr_equal(payload_get(root, ""), root);
	root = payload_free(root, 0);
}

static void test_body_budget(void **state)
{
	struct body_budget budget = {.max = 100000};
	struct body body = {.data = NULL}, other = {.data = NULL};
	char data[1000];

	memset(data, 'x', sizeof(data));
	for (int i = 0; i < 50; i++)
		assert_int_equal(body_append(&body, &budget, data, sizeof(data), 50000), 0);
	assert_int_equal(body.size, 50000);
	assert_int_equal(body.data[50000], '\0');
	assert_int_equal(body.capacity, 50001); /* never more than the limit allows */
	assert_int_equal(body_append(&body, &budget, data, 1, 50000), -EFBIG);
	assert_int_equal(body_append(&body, &budget, data, SIZE_MAX, 50000), -EFBIG);
	assert_int_equal(body.size, 50000);
	for (int i = 0; i < 32; i++)
		assert_int_equal(body_append(&other, &budget, data, sizeof(data), 60000), 0);
	assert_int_equal(body_append(&other, &budget, data, sizeof(data), 60000), -ENOBUFS);
	body_release(&body, &budget);
	assert_int_equal(body_append(&other, &budget, data, sizeof(data), 60000), 0);
	body_release(&other, &budget);
	body_release(&other, &budget);
	assert_int_equal(budget.used, 0);
}

static void test_hooks(void **state)
{
	struct hook_store store = HOOK_STORE_INIT;
	struct hook_set *set = hook_set_new(), *old;
	char name[32];

	assert_null(hook_store_get(&store));
	assert_null(hook_set_find(NULL, "a"));
	for (int i = 0; i < 500; i++) {
		(void)snprintf(name, sizeof(name), "p%d", i * 7919 % 500);
		assert_int_equal(
			hook_set_add(set, name, i == 3 ? "cvs" : "github", name, strlen(name)), 0);
		assert_int_equal(hook_set_add(set, name, "github", "x", 1), -EEXIST);
	}
	assert_int_equal(hook_set_add(set, "../x", "github", "x", 1), -EINVAL);
	for (int i = 0; i < 500; i++) {
		const struct hook *hook;

		(void)snprintf(name, sizeof(name), "p%d", i);
		hook = hook_set_find(set, name);
		assert_non_null(hook);
		assert_memory_equal(hook->secret, name, hook->secret_size);
	}
	assert_null(hook_set_find(set, "p500"));
	assert_null(hook_set_find(set, ""));
	hook_store_replace(&store, set);
	old = hook_store_get(&store);
	hook_store_replace(&store, hook_set_new());
	assert_non_null(hook_set_find(old, "p1")); /* our reference keeps the old set */
	old = hook_set_unref(old);
	hook_store_replace(&store, NULL);
}

static int setup(void **state)
{
	payload_init();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_memory_is_bounded),
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_body_budget),
		cmocka_unit_test(test_hooks),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
