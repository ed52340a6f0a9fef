/* SPDX-License-Identifier: Apache-2.0 */
/* Any text is written as valid JSON, which reads back as that text. */
#include "common/cleanup.h"
#include "common/json_writer.h"
#include "common/names.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/cmocka_headers.h"

static json_t *parsed(const struct json *json)
{
	json_error_t error;
	json_t *value;

	assert_false(json->failed);
	assert_int_equal(strlen(json->text), json->length);
	value = json_loads(json->text, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (!value)
		fail_msg("%s: %s", error.text, json->text);
	return value;
}

static void test_structure(void **state)
{
	cleanup_json struct json json = {0};
	json_t *value;

	json_open(&json, NULL, '{');
	json_open(&json, "empty", '[');
	json_close(&json, ']');
	json_open(&json, "list", '[');
	json_number(&json, NULL, UINT64_C(9007199254740993));
	json_number_or_null(&json, NULL, 0);
	json_open(&json, NULL, '{');
	json_bool(&json, "yes", true);
	json_bool(&json, "no", false);
	json_close(&json, '}');
	json_raw(&json, NULL, "[1]", 3);
	json_close(&json, ']');
	json_text(&json, "nothing", NULL);
	json_close(&json, '}');
	value = parsed(&json);
	assert_string_equal(json.text, "{\"empty\":[],\"list\":[9007199254740993,null,"
				       "{\"yes\":true,\"no\":false},[1]],\"nothing\":null}");
	json_decref(value);
}

static void test_texts(void **state)
{
	for (unsigned seed = 1; seed <= 3000; seed++) {
		cleanup_json struct json json = {0};
		char text[64];
		size_t length;
		json_t *value;

		srand(seed);
		length = (size_t)rand() % (sizeof(text) - 1);
		for (size_t i = 0; i < length; i++)
			text[i] = (char)(1 + rand() % (seed % 2 ? 127 : 255));
		text[length] = '\0';
		json_text(&json, NULL, text);
		value = parsed(&json);
		if (utf8_valid(text, length))
			assert_string_equal(json_string_value(value), text);
		json_decref(value);
	}
}

static void test_escapes(void **state)
{
	static const struct {
		const char *text, *json;
	} cases[] = {
		{"", "\"\""},
		{"a\"b\\c/", "\"a\\\"b\\\\c/\""},
		{"\n\t\x01\x1f\x7f", "\"\\u000a\\u0009\\u0001\\u001f\\u007f\""},
		{"\xc3\xa9\xf0\x9f\x98\x80", "\"\xc3\xa9\xf0\x9f\x98\x80\""},
		/* as text_escape() shows it, whose backslash is escaped once more */
		{"a\xff", "\"a\\\\xff\""},
		{"\xc3", "\"\\\\xc3\""},
		{"\xed\xa0\x80", "\"\\\\xed\\\\xa0\\\\x80\""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_json struct json json = {0};

		json_text(&json, NULL, cases[i].text);
		json_decref(parsed(&json));
		assert_string_equal(json.text, cases[i].json);
	}
}

static void test_numbers(void **state)
{
	cleanup_json struct json json = {0};

	json_open(&json, NULL, '[');
	json_number(&json, NULL, 0);
	json_number(&json, NULL, UINT64_MAX);
	json_signed(&json, NULL, INT64_MIN);
	json_signed(&json, NULL, INT64_MAX);
	json_signed(&json, NULL, -1);
	json_number_or_null(&json, NULL, 7);
	json_close(&json, ']');
	assert_string_equal(json.text, "[0,18446744073709551615,-9223372036854775808,"
				       "9223372036854775807,-1,7]");
}

/* As deep as jansson reads, and ten times as deep: writing does not depend on depth. */
static void test_depth(void **state)
{
	for (unsigned depth = 2000; depth <= 20000; depth *= 10) {
		cleanup_json struct json json = {0};

		for (unsigned i = 0; i < depth; i++) {
			json_open(&json, i % 2 ? "k" : NULL, i % 2 ? '[' : '{');
			json_bool(&json, i % 2 ? NULL : "b", true);
		}
		for (unsigned i = depth; i-- > 0;)
			json_close(&json, i % 2 ? ']' : '}');
		assert_false(json.failed);
		if (depth == 2000)
			json_decref(parsed(&json));
	}
}

static void test_lines(void **state)
{
	cleanup_json struct json json = {0};
	cleanup_free char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	json_open(&json, NULL, '[');
	for (unsigned i = 0; i < 2; i++) {
		json_line(&json);
		json_number(&json, NULL, i);
	}
	json_line(&json);
	json_close(&json, ']');
	assert_int_equal(json_print(&json, out), 0);
	assert_null(json.text);
	json_bool(&json, NULL, false);
	assert_int_equal(json_print(&json, out), 0);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(text, "[\n  0,\n  1\n]\nfalse\n");
}

/* A failure is sticky and is reported at the end only. */
static void test_sticky(void **state)
{
	struct json json = {0};
	char *text;
	size_t size = 1;

	json_open(&json, NULL, '[');
	json.failed = true;
	json_text(&json, NULL, "x");
	json_text(&json, NULL, "\xff");
	json_number(&json, NULL, 1);
	json_close(&json, ']');
	assert_int_equal(json.length, 1);
	assert_null(json_take(&json, &size));
	assert_int_equal(size, 0);
	assert_false(json.failed);
	json_open(&json, NULL, '[');
	json.failed = true;
	assert_int_equal(json_print(&json, stdout), -ENOMEM);
	json_text(&json, NULL, "whole");
	text = json_take(&json, &size);
	assert_string_equal(text, "\"whole\"");
	assert_int_equal(size, 7);
	free(text);
	assert_null(json.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_structure), cmocka_unit_test(test_texts),
		cmocka_unit_test(test_escapes),	  cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_depth),	  cmocka_unit_test(test_lines),
		cmocka_unit_test(test_sticky),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
