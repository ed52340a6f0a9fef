/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a text holds, what is written is JSON, and reads back as that text. */
#include "common/json_writer.h"
#include "common/names.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_structure),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
