/* SPDX-License-Identifier: Apache-2.0 */
/* The file with the keys of secrets: made once, readable by root alone, replaced as a whole. */
#include "common/cleanup.h"
#include "common/remove_tree.h"
#include "daemon/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/cmocka_headers.h"

struct fixture {
	struct paths paths;
	struct key_source source;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	(void)unsetenv("CREDENTIALS_DIRECTORY");
	(void)strcpy(fixture->paths.lib, "/tmp/runbook-keys-XXXXXX");
	assert_non_null(mkdtemp(fixture->paths.lib));
	key_source_find(&fixture->paths, &fixture->source);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(remove_tree(AT_FDCWD, fixture->paths.lib), 0);
	free(fixture);
	return 0;
}

static void test_made_once(void **state)
{
	struct fixture *fixture = *state;
	struct secret_keys first, again;
	struct error error = ERROR_INIT;
	struct stat status;

	assert_false(fixture->source.fixed);
	assert_int_equal(key_file_load(&fixture->source, &first, &error), 0);
	assert_int_equal(first.n, 1);
	assert_int_equal(stat(fixture->source.path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(key_file_load(&fixture->source, &again, &error), 0);
	assert_memory_equal(&first, &again, sizeof(first));
}

static void test_refused(void **state)
{
	struct fixture *fixture = *state;
	struct secret_keys keys;
	struct error error = ERROR_INIT;
	int fd;

	assert_int_equal(key_file_load(&fixture->source, &keys, &error), 0);
	assert_int_equal(chmod(fixture->source.path, 0640), 0);
	assert_int_equal(key_file_load(&fixture->source, &keys, &error), -EPERM);
	assert_non_null(strstr(error.text, "chmod 600"));
	assert_int_equal(unlink(fixture->source.path), 0);
	assert_int_equal(mkfifo(fixture->source.path, 0600), 0);
	assert_int_equal(key_file_load(&fixture->source, &keys, &error), -EINVAL);
	assert_int_equal(unlink(fixture->source.path), 0);
	assert_int_equal(symlink("/dev/zero", fixture->source.path), 0);
	assert_int_equal(key_file_load(&fixture->source, &keys, &error), -ELOOP);
	assert_int_equal(unlink(fixture->source.path), 0);
	fd = open(fixture->source.path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "a secret\n", 9), 9);
	(void)close(fd);
	/* a damaged file is not replaced: its keys may be needed */
	assert_int_equal(key_file_load(&fixture->source, &keys, &error), -EINVAL);
	assert_non_null(strstr(error.text, "line 1 is not a key"));
	assert_null(strstr(error.text, "a secret"));
}

static void test_add_and_keep(void **state)
{
	struct fixture *fixture = *state;
	struct secret_keys keys, again;
	struct error error = ERROR_INIT;
	char old[SECRET_KEY_ID_MAX + 1], left[PATH_MAX + 64], other[PATH_MAX + 64];

	assert_int_equal(key_file_load(&fixture->source, &keys, &error), 0);
	(void)strcpy(old, keys.keys[0].id);
	/* a temporary file of a runbookd that was killed during a change */
	(void)snprintf(left, sizeof(left), "%s.0123456789abcdef.tmp", fixture->source.path);
	assert_int_equal(link(fixture->source.path, left), 0);
	(void)snprintf(other, sizeof(other), "%s.mine", fixture->source.path);
	assert_int_equal(link(fixture->source.path, other), 0);
	assert_int_equal(key_file_add(&fixture->source, &keys, &error), 0);
	assert_int_equal(key_file_load(&fixture->source, &again, &error), 0);
	assert_int_equal(again.n, 2);
	assert_string_not_equal(again.keys[0].id, old);
	assert_string_equal(again.keys[1].id, old);
	/* a scheduler that was taken over can neither remove all keys nor add them without limit */
	assert_int_equal(key_file_keep(&fixture->source, "unknown", &error), -ENOENT);
	for (size_t i = 2; i < SECRET_KEYS_MAX; i++)
		assert_int_equal(key_file_add(&fixture->source, &keys, &error), 0);
	assert_int_equal(key_file_add(&fixture->source, &keys, &error), -E2BIG);
	assert_int_equal(keys.n, SECRET_KEYS_MAX);
	assert_int_equal(key_file_keep(&fixture->source, old, &error), 0);
	assert_int_equal(access(left, F_OK), -1);
	assert_int_equal(access(other, F_OK), 0);
	assert_int_equal(key_file_load(&fixture->source, &keys, &error), 0);
	assert_int_equal(keys.n, 1);
	assert_string_equal(keys.keys[0].id, old);
}

static void test_credential(void **state)
{
	struct fixture *fixture = *state;
	struct secret_keys keys;
	struct error error = ERROR_INIT;
	char path[PATH_MAX + 64];

	assert_int_equal(key_file_load(&fixture->source, &keys, &error), 0);
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", fixture->paths.lib, 1), 0);
	key_source_find(&fixture->paths, &fixture->source);
	assert_false(fixture->source.fixed); /* no credential has our name */
	(void)snprintf(path, sizeof(path), "%s/%s", fixture->paths.lib, KEY_CREDENTIAL);
	assert_int_equal(rename(fixture->source.path, path), 0);
	key_source_find(&fixture->paths, &fixture->source);
	assert_true(fixture->source.fixed);
	assert_string_equal(fixture->source.path, path);
	assert_int_equal(key_file_load(&fixture->source, &keys, &error), 0);
	assert_int_equal(key_file_add(&fixture->source, &keys, &error), -EROFS);
	assert_int_equal(key_file_keep(&fixture->source, keys.keys[0].id, &error), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_made_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_add_and_keep, setup, teardown),
		cmocka_unit_test_setup_teardown(test_credential, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
