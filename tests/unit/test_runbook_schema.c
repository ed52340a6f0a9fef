/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of keys, and packaging/runbook.schema.json, which is generated from it: UPDATE=1 in
 * the environment rewrites the file.
 */
#include "runbook/schema.h"
#include "runbook/schema_json.h"
#include "tests/unit/cmocka_headers.h"

#include "common/cleanup.h"
#include "common/fdio.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA_FILE "packaging/runbook.schema.json"

static void test_table(void **state)
{
	size_t n;
	const struct schema_key *keys = schema_keys(&n);

	for (size_t i = 0; i < n; i++) {
		assert_non_null(keys[i].help);
		assert_true(keys[i].scopes != 0 && keys[i].scopes < 1 << SCHEMA_SCOPES);
		for (size_t j = 0; j < i; j++) {
			if ((keys[i].scopes & keys[j].scopes) &&
			    strcmp(keys[i].name, keys[j].name) == 0)
				fail_msg("\"%s\" stands twice in one scope", keys[i].name);
		}
		if (!keys[i].read)
			continue;
		assert_non_null(keys[i].format);
		if (!schema_shape(&keys[i]))
			fail_msg("the schema has no shape for \"%s\"", keys[i].name);
	}
}

static void test_published_file(void **state)
{
	cleanup_free char *schema = runbook_schema_json();
	cleanup_free char *published = NULL;
	cleanup_close int fd = -1;
	size_t size;

	assert_non_null(schema);
	if (getenv("UPDATE"))
		assert_int_equal(
			file_replace(AT_FDCWD, SCHEMA_FILE, schema, strlen(schema), (mode_t)0644),
			0);
	fd = open(SCHEMA_FILE, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fd_read_file(fd, MIB, &published, &size), 0);
	assert_string_equal(schema, published);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_published_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
