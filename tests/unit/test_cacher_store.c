/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/cmocka_headers.h"

#include "tests/unit/cacher_put.h"

#include "cacher/store.h"
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/remove_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct fixture {
	char path[64];
	struct store *store;
	struct store_run *run;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	strcpy(fixture->path, "/tmp/rbt-store.XXXXXX");
	assert_non_null(mkdtemp(fixture->path));
	assert_int_equal(store_open(fixture->path, &fixture->store, NULL), 0);
	assert_int_equal(store_run_open(fixture->store, "demo", 1, &fixture->run), 0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	(void)store_run_close(fixture->run);
	(void)store_close(fixture->store);
	assert_int_equal(remove_tree(AT_FDCWD, fixture->path), 0);
	free(fixture);
	return 0;
}

static void reopen(struct fixture *fixture)
{
	(void)store_run_close(fixture->run);
	(void)store_close(fixture->store);
	assert_int_equal(store_open(fixture->path, &fixture->store, NULL), 0);
	assert_int_equal(store_run_open(fixture->store, "demo", 1, &fixture->run), 0);
}

static int put(struct store_run *run, const char *key, const char *text, size_t size)
{
	struct timespec time = {.tv_sec = 1, .tv_nsec = 2};
	struct store_put *writing;
	int r = store_put_begin(run, key, CACHER_KIND_FILE, 0640, time, 0, &writing, NULL);

	if (r != 0)
		return r;
	r = put_append(writing, text, size);
	if (r != 0) {
		assert_null(store_put_abort(writing));
		return r;
	}
	return store_put_commit(writing, NULL);
}

static int get(struct store_run *run, const char *key, char *text, size_t room)
{
	struct store_entry entry;
	ssize_t n;
	int fd = -1;
	int r = store_get(run, key, &fd, &entry, NULL);

	if (r != 0)
		return r;
	n = fd_read_all(fd, text, room - 1);
	close(fd);
	assert_int_equal(n, entry.size);
	text[n] = '\0';
	return 0;
}

static unsigned count_files(const char *path, const char *beneath)
{
	char command[256];
	unsigned count = 0;
	FILE *pipe;

	(void)snprintf(command, sizeof(command), "find %s/%s -type f | wc -l", path, beneath);
	pipe = popen(command, "re"); // NOLINT(cert-env33-c): a path of our own
	assert_non_null(pipe);
	assert_int_equal(fscanf(pipe, "%u", &count), 1);
	pclose(pipe);
	return count;
}

static void test_put_get_delete(void **state)
{
	struct fixture *fixture = *state;
	char text[64];

	assert_int_equal(get(fixture->run, "a", text, sizeof(text)), STORE_E_NO_KEY);
	assert_int_equal(put(fixture->run, "a", "one", 3), 0);
	assert_int_equal(put(fixture->run, "dir/b", "two", 3), 0);
	assert_int_equal(put(fixture->run, "c", "one", 3), 0);
	assert_int_equal(count_files(fixture->path, "blobs"), 2);
	reopen(fixture);
	assert_int_equal(get(fixture->run, "a", text, sizeof(text)), 0);
	assert_string_equal(text, "one");
	assert_int_equal(put(fixture->run, "a", "three", 5), 0);
	assert_int_equal(get(fixture->run, "a", text, sizeof(text)), 0);
	assert_string_equal(text, "three");
	assert_int_equal(store_delete(fixture->run, "a", NULL), 0);
	assert_int_equal(store_delete(fixture->run, "a", NULL), STORE_E_NO_KEY);
	assert_int_equal(store_delete(fixture->run, "dir/b", NULL), 0);
	assert_int_equal(count_files(fixture->path, "blobs"), 1);
	assert_int_equal(store_delete(fixture->run, "c", NULL), 0);
	assert_int_equal(count_files(fixture->path, "blobs"), 0);
	assert_int_equal(count_files(fixture->path, "tmp"), 0);
}

static void test_runs_are_apart(void **state)
{
	struct fixture *fixture = *state;
	struct store_run *other;
	char text[64];

	assert_int_equal(put(fixture->run, "a", "one", 3), 0);
	assert_int_equal(store_run_open(fixture->store, "demo", 2, &other), 0);
	assert_int_equal(get(other, "a", text, sizeof(text)), STORE_E_NO_KEY);
	assert_int_equal(put(other, "a", "two", 3), 0);
	assert_int_equal(get(fixture->run, "a", text, sizeof(text)), 0);
	assert_string_equal(text, "one");
	assert_null(store_run_close(other));
}

static void test_limits(void **state)
{
	struct fixture *fixture = *state;
	struct timespec time = {0};
	struct store_put *writing;
	uint64_t bytes, count;
	char data[100] = "";

	store_set_limits(fixture->store, &(struct store_limits){250, 3, UINT64_MAX, UINT64_MAX});
	assert_int_equal(put(fixture->run, "a", data, 100), 0);
	assert_int_equal(put(fixture->run, "b", data, 100), 0);
	assert_int_equal(put(fixture->run, "c", data, 100), STORE_E_OVER_LIMIT);
	assert_int_equal(put(fixture->run, "a", data, 99), 0); /* takes the place of the old */
	/* an announced size over the limit is refused before a byte is written */
	assert_int_equal(store_put_begin(fixture->run, "c", CACHER_KIND_FILE, 0, time, UINT64_MAX,
					 &writing, NULL),
			 STORE_E_OVER_LIMIT);
	/* unfinished puts count */
	assert_int_equal(
		store_put_begin(fixture->run, "c", CACHER_KIND_FILE, 0, time, 40, &writing, NULL),
		0);
	assert_int_equal(put(fixture->run, "d", data, 20), STORE_E_OVER_LIMIT);
	assert_null(store_put_abort(writing));
	assert_int_equal(put(fixture->run, "d", data, 20), 0);
	assert_int_equal(put(fixture->run, "e", data, 1), STORE_E_OVER_LIMIT);
	store_usage(fixture->run, &bytes, &count);
	assert_int_equal(bytes, 219);
	assert_int_equal(count, 3);
	assert_int_equal(count_files(fixture->path, "tmp"), 0);
	reopen(fixture);
	store_usage(fixture->run, &bytes, &count);
	assert_int_equal(bytes, 219);
}

static void write_file(const char *directory, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* Files of a crash or a person are removed or ignored, but are never fatal. */
static void test_leftovers(void **state)
{
	struct fixture *fixture = *state;
	char text[64];

	assert_int_equal(put(fixture->run, "a", "one", 3), 0);
	write_file(fixture->path, "tmp/77", "half");
	write_file(fixture->path, "blobs/00/unnamed", "x");
	write_file(fixture->path, "runs/stray", "x");
	write_file(fixture->path, "runs/demo/stray", "x");
	write_file(fixture->path, "runs/demo/1/torn", "1 file 00");
	reopen(fixture);
	assert_int_equal(count_files(fixture->path, "tmp"), 0);
	assert_int_equal(count_files(fixture->path, "blobs"), 1);
	assert_int_equal(get(fixture->run, "torn", text, sizeof(text)), STORE_E_NO_KEY);
	assert_int_equal(get(fixture->run, "a", text, sizeof(text)), 0);
	/* a key with a damaged index file can be put again */
	assert_int_equal(put(fixture->run, "torn", "new", 3), 0);
	assert_int_equal(get(fixture->run, "torn", text, sizeof(text)), 0);
}

static void test_damaged_content(void **state)
{
	struct fixture *fixture = *state;
	char command[256], text[64];

	assert_int_equal(put(fixture->run, "a", "one", 3), 0);
	(void)snprintf(command, sizeof(command), "truncate -s 1 %s/blobs/*/*", fixture->path);
	assert_int_equal(system(command), 0); // NOLINT(cert-env33-c): a path of our own
	assert_int_equal(get(fixture->run, "a", text, sizeof(text)), -EIO);
	assert_int_equal(put(fixture->run, "a", "one", 3), 0);
	assert_int_equal(get(fixture->run, "a", text, sizeof(text)), 0);
}

/* Puts, gets and deletes of few keys and contents by many threads at once. */
static void *hammer(void *userdata)
{
	struct store_run *run = userdata;
	unsigned seed = (unsigned)(uintptr_t)pthread_self();

	for (int i = 0; i < 150; i++) {
		char key[8], text[64], content[16];
		int r;

		seed = seed * 1103515245 + 12345;
		(void)snprintf(key, sizeof(key), "k%u", seed >> 16 & 3);
		(void)snprintf(content, sizeof(content), "content %u", seed >> 20 & 3);
		switch (seed >> 24 & 3) {
		case 0:
			r = store_delete(run, key, NULL);
			break;
		case 1:
			r = get(run, key, text, sizeof(text));
			if (r == 0 && memcmp(text, "content ", 8) != 0)
				return (void *)"wrong content";
			break;
		default:
			r = put(run, key, content, strlen(content));
			break;
		}
		if (r != 0 && r != STORE_E_NO_KEY)
			return (void *)"an operation failed";
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct fixture *fixture = *state;
	pthread_t threads[8];
	char key[8], text[64];
	void *result;

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hammer, fixture->run), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_null(result);
	}
	for (int pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < 4; i++) {
			int r;

			(void)snprintf(key, sizeof(key), "k%u", i);
			r = get(fixture->run, key, text, sizeof(text));
			assert_true(r == 0 || r == STORE_E_NO_KEY);
			if (pass == 1 && r == 0)
				assert_int_equal(store_delete(fixture->run, key, NULL), 0);
		}
		reopen(fixture);
	}
	assert_int_equal(count_files(fixture->path, "blobs"), 0);
	assert_int_equal(count_files(fixture->path, "runs"), 0);
}

static void test_remove_run(void **state)
{
	struct fixture *fixture = *state;
	struct store_run *other = NULL;
	char key[16], text[64];
	uint64_t bytes = 0;
	unsigned calls = 0;
	int r;

	assert_int_equal(store_run_open(fixture->store, "demo", 2, &other), 0);
	for (unsigned i = 0; i < 25; i++) {
		(void)snprintf(key, sizeof(key), "k%u", i);
		assert_int_equal(put(fixture->run, key, key, strlen(key)), 0);
	}
	assert_int_equal(put(other, "same", "k7", 2), 0);
	assert_int_equal(store_run_bytes(fixture->store, "demo", 1, &bytes), 0);
	assert_int_equal(bytes, 10 * 2 + 15 * 3);
	do {
		r = store_run_remove(fixture->store, "demo", 1, 10);
		assert_in_range(r, 0, 1);
		calls++;
	} while (r == 0);
	assert_int_equal(calls, 3);
	assert_int_equal(get(fixture->run, "k7", text, sizeof(text)), STORE_E_NO_KEY);
	/* contents that another run names stay */
	assert_int_equal(get(other, "same", text, sizeof(text)), 0);
	assert_int_equal(count_files(fixture->path, "blobs"), 1);
	assert_int_equal(count_files(fixture->path, "runs"), 1);
	assert_int_equal(store_run_bytes(fixture->store, "demo", 1, &bytes), 0);
	assert_int_equal(bytes, 0);
	/* again, and for a run without keys */
	assert_int_equal(store_run_remove(fixture->store, "demo", 1, 10), 1);
	assert_int_equal(store_run_remove(fixture->store, "none", 7, 10), 1);
	/* a step that is retried puts again */
	assert_int_equal(put(fixture->run, "k7", "again", 5), 0);
	(void)store_run_close(other);
	reopen(fixture);
	assert_int_equal(get(fixture->run, "k7", text, sizeof(text)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_put_get_delete, setup, teardown),
		cmocka_unit_test_setup_teardown(test_runs_are_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remove_run, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_leftovers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged_content, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
