/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/model/json.h"

#include "tests/unit/cmocka_headers.h"

static void test_url(void **state)
{
	char text[RUN_URL_MAX];

	assert_false(run_url(text, sizeof(text), "", 1));
	assert_true(run_url(text, sizeof(text), "https://ci.example.org", 42));
	assert_string_equal(text, "https://ci.example.org/runs/42");
	assert_true(run_url(text, sizeof(text), "https://ci.example.org/x/", 42));
	assert_string_equal(text, "https://ci.example.org/x/runs/42");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_url),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
