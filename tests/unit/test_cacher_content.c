/* SPDX-License-Identifier: Apache-2.0 */

/* Packed contents and holes, the decision to pack, and the accounting of both. */

#include "tests/unit/cmocka_headers.h"

#include "tests/unit/cacher_put.h"

#include "cacher/content.h"
#include "cacher/feed.h"
#include "cacher/file_put.h"
#include "cacher/store_index.h"
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/remove_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

struct fixture {
	char path[64];
	struct store *store;
	struct store_run *run;
};

static const atomic_bool go_on;

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	/* on a disk, because blocks are counted */
	strcpy(fixture->path, "/var/tmp/rbt-content.XXXXXX");
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

/* ---- contents ---- */

static uint8_t *text_of(size_t size)
{
	uint8_t *data = malloc(size + 32);

	assert_non_null(data);
	for (size_t at = 0; at < size;)
		at += (size_t)snprintf((char *)data + at, 32, "line %zu of a text\n", at);
	return data;
}

static uint8_t *noise_of(size_t size)
{
	uint8_t *data = malloc(size + 8);
	uint64_t x = 88172645463325252ULL;

	assert_non_null(data);
	for (size_t i = 0; i < size; i += 8) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(data + i, &x, 8);
	}
	return data;
}

static int file_of(const void *data, size_t size)
{
	char path[] = "/var/tmp/rbt-content-file.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(fd_write_all(fd, data, size), 0);
	return fd;
}

struct feeder {
	int fd, write_fd;
	uint64_t size;
	int result;
};

static void *feeder_run(void *userdata)
{
	struct feeder *feeder = userdata;

	feeder->result = feed_content(feeder->fd, feeder->size, feeder->write_fd, &go_on);
	(void)close(feeder->write_fd);
	return NULL;
}

/* Read @key as a client does, and compare. Return: the result of the feed; @ret_packed */
static int get(struct fixture *fixture, const char *key, const void *want, size_t size,
	       bool *ret_packed)
{
	cleanup_free uint8_t *got = malloc(size + 1);
	struct feeder feeder = {.result = 0};
	struct store_entry entry;
	uint8_t digest[STORE_DIGEST_BYTES];
	struct digest state;
	cleanup_close int fd = -1;
	int read_fd = -1;
	pthread_t thread;
	ssize_t n;
	int r = store_get(fixture->run, key, &fd, &entry, NULL);

	if (r != 0)
		return r;
	*ret_packed = entry.packed;
	assert_int_equal(entry.size, size);
	digest_begin(&state);
	digest_add(&state, want, size);
	digest_end(&state, digest);
	assert_memory_equal(entry.digest, digest, sizeof(digest)); /* of the content */
	if (entry.packed) {
		feeder.fd = fd;
		feeder.size = entry.size;
		assert_int_equal(feed_pipe(&read_fd, &feeder.write_fd), 0);
		assert_int_equal(pthread_create(&thread, NULL, feeder_run, &feeder), 0);
	}
	n = fd_read_all(entry.packed ? read_fd : fd, got, size);
	if (entry.packed) {
		(void)pthread_join(thread, NULL);
		(void)close(read_fd);
	}
	if (feeder.result == 0) {
		assert_int_equal(n, size);
		assert_memory_equal(got, want, size);
	}
	return feeder.result;
}

static int put_file(struct fixture *fixture, const char *key, int fd)
{
	return file_put(fixture->run, key, fd, NULL, &go_on, NULL);
}

static int put_stream(struct fixture *fixture, const char *key, const uint8_t *data, size_t size,
		      size_t step)
{
	struct store_put *put;
	int r = store_put_begin(fixture->run, key, CACHER_KIND_DIRECTORY, 0755,
				(struct timespec){0}, 0, &put, NULL);

	for (size_t at = 0; at < size && r == 0; at += step)
		r = put_append(put, data + at, size - at < step ? size - at : step);
	if (r == 0)
		return store_put_commit(put, NULL);
	(void)store_put_abort(put);
	return r;
}

/* ---- packed or not ---- */

static void test_files(void **state)
{
	static const size_t sizes[] = {
		0, 1, 4096, 5000, FRAME_CONTENT_MAX, FRAME_CONTENT_MAX + 1, 3 * MIB + 17, 9 * MIB};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		cleanup_free uint8_t *text = text_of(sizes[i]);
		cleanup_free uint8_t *noise = noise_of(sizes[i]);
		cleanup_close int text_fd = file_of(text, sizes[i]);
		cleanup_close int noise_fd = file_of(noise, sizes[i]);
		bool packed;

		assert_int_equal(put_file(fixture, "text", text_fd), 0);
		assert_int_equal(get(fixture, "text", text, sizes[i], &packed), 0);
		assert_int_equal(packed, sizes[i] > CONTENT_PACKED_MIN);
		assert_int_equal(put_file(fixture, "noise", noise_fd), 0);
		assert_int_equal(get(fixture, "noise", noise, sizes[i], &packed), 0);
		assert_false(packed);
		reopen(fixture);
		assert_int_equal(get(fixture, "text", text, sizes[i], &packed), 0);
		assert_int_equal(get(fixture, "noise", noise, sizes[i], &packed), 0);
	}
}

static void test_streams(void **state)
{
	static const size_t sizes[] = {0, 100, 5000, FRAME_CONTENT_MAX, 3 * MIB, 9 * MIB + 5};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		cleanup_free uint8_t *text = text_of(sizes[i]);
		cleanup_free uint8_t *noise = noise_of(sizes[i]);
		bool packed;

		assert_int_equal(put_stream(fixture, "text", text, sizes[i], 70001), 0);
		assert_int_equal(get(fixture, "text", text, sizes[i], &packed), 0);
		assert_int_equal(packed, sizes[i] > CONTENT_PACKED_MIN);
		assert_int_equal(put_stream(fixture, "noise", noise, sizes[i], 70001), 0);
		assert_int_equal(get(fixture, "noise", noise, sizes[i], &packed), 0);
		assert_false(packed);
	}
}

/* A stream whose beginning is worth packing, but which is not as a whole. */
static void test_stream_changes(void **state)
{
	struct fixture *fixture = *state;
	size_t size = 80 * MIB;
	cleanup_free uint8_t *data = noise_of(size);
	cleanup_free uint8_t *text = text_of(5 * MIB);
	bool packed;

	memcpy(data, text, 5 * MIB);
	assert_int_equal(put_stream(fixture, "a", data, size, 1 * MIB), 0);
	assert_int_equal(get(fixture, "a", data, size, &packed), 0);
	assert_false(packed);
}

/* Unpacked contents of an older store stay unpacked, and new keys may name them. */
static void test_old_and_new(void **state)
{
	struct fixture *fixture = *state;
	cleanup_free uint8_t *text = text_of(1 * MIB);
	cleanup_close int fd = file_of(text, 1 * MIB);
	struct store_put *put;
	uint64_t stored;
	bool packed;

	assert_int_equal(store_put_begin(fixture->run, "old", CACHER_KIND_FILE, 0644,
					 (struct timespec){0}, 0, &put, NULL),
			 0);
	store_put_worth(put, false); /* as versions without packing stored it */
	assert_int_equal(put_append(put, text, 1 * MIB), 0);
	assert_int_equal(store_put_commit(put, NULL), 0);
	stored = store_stored(fixture->store);
	assert_in_range(stored, 1 * MIB, 1 * MIB + 65536);
	reopen(fixture);
	assert_int_equal(store_stored(fixture->store), stored);
	assert_int_equal(put_file(fixture, "new", fd), 0);
	assert_int_equal(store_stored(fixture->store), stored); /* the store had it already */
	assert_int_equal(get(fixture, "new", text, 1 * MIB, &packed), 0);
	assert_false(packed);
	assert_int_equal(store_delete(fixture->run, "old", NULL), 0);
	assert_int_equal(get(fixture, "new", text, 1 * MIB, &packed), 0);
	assert_int_equal(store_delete(fixture->run, "new", NULL), 0);
	assert_int_equal(store_stored(fixture->store), 0);
	assert_int_equal(put_file(fixture, "new", fd), 0);
	assert_int_equal(get(fixture, "new", text, 1 * MIB, &packed), 0);
	assert_true(packed);
	assert_true(store_stored(fixture->store) < 1 * MIB / 2);
}

static void test_damaged(void **state)
{
	struct fixture *fixture = *state;
	cleanup_free uint8_t *text = text_of(1 * MIB);
	cleanup_close int text_fd = file_of(text, 1 * MIB);
	static const char *const damages[] = {
		"truncate -s -1", "truncate -s +1",
		"sh -c 'printf xxxx | dd of=$0 bs=1 seek=20000 conv=notrunc status=none'"};
	char command[256];
	bool packed;

	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		assert_int_equal(put_file(fixture, "a", text_fd), 0);
		assert_int_equal(get(fixture, "a", text, 1 * MIB, &packed), 0);
		(void)snprintf(command, sizeof(command),
			       "f=$(echo %s/packed/*/*); chmod 600 $f; %s $f", fixture->path,
			       damages[i]);
		assert_int_equal(system(command), 0); // NOLINT(cert-env33-c): a path of our own
		assert_int_equal(get(fixture, "a", text, 1 * MIB, &packed), -EBADMSG);
		assert_int_equal(store_delete(fixture->run, "a", NULL), 0);
	}
}

/* ---- holes ---- */

static uint64_t blocks_of(int fd)
{
	struct stat status;

	assert_int_equal(fstat(fd, &status), 0);
	return 512ULL * (uint64_t)status.st_blocks;
}

static void test_holes(void **state)
{
	struct fixture *fixture = *state;
	const size_t size = 64 * MIB;
	cleanup_free uint8_t *want = calloc(1, size);
	cleanup_free uint8_t *noise = noise_of(1 * MIB);
	cleanup_free uint8_t *text = text_of(1 * MIB);
	bool packed;

	for (int with_text = 0; with_text < 2; with_text++) {
		const uint8_t *data = with_text ? text : noise;
		cleanup_close int fd = file_of("", 0);
		cleanup_close int kept = -1;
		struct store_entry entry;

		assert_int_equal(ftruncate(fd, (off_t)size), 0);
		assert_int_equal(pwrite(fd, data, 1 * MIB, 10 * MIB), 1 * MIB);
		memcpy(want + 10 * MIB, data, 1 * MIB);
		assert_int_equal(put_file(fixture, "a", fd), 0);
		assert_int_equal(get(fixture, "a", want, size, &packed), 0);
		assert_int_equal(packed, with_text);
		assert_int_equal(store_get(fixture->run, "a", &kept, &entry, NULL), 0);
		assert_true(blocks_of(kept) <= 1 * MIB + 128 * KIB);
		assert_true(store_stored(fixture->store) <= 1 * MIB + 128 * KIB);
	}
	{
		/* the whole file is a hole */
		cleanup_close int fd = file_of("", 0);

		memset(want, 0, size);
		assert_int_equal(ftruncate(fd, (off_t)size), 0);
		assert_int_equal(put_file(fixture, "a", fd), 0);
		assert_int_equal(get(fixture, "a", want, size, &packed), 0);
		assert_true(store_stored(fixture->store) <= 64 * KIB);
	}
}

/* ---- limits ---- */

static void test_limits(void **state)
{
	struct fixture *fixture = *state;
	struct store_limits limits = STORE_LIMITS_DEFAULT;
	cleanup_free uint8_t *noise = noise_of(3 * MIB);
	cleanup_free uint8_t *text = text_of(3 * MIB);
	struct store_run *second, *other;
	struct error error = ERROR_INIT;

	limits.bytes_per_project = 5 * MIB;
	store_set_limits(fixture->store, &limits);
	assert_int_equal(store_run_open(fixture->store, "demo", 2, &second), 0);
	assert_int_equal(store_run_open(fixture->store, "other", 3, &other), 0);
	assert_int_equal(put_stream(fixture, "a", noise, 3 * MIB, MIB), 0);
	{
		cleanup_close int fd = file_of(text, 3 * MIB);

		/* another run of the project is charged too, by the unpacked size */
		assert_int_equal(file_put(second, "a", fd, NULL, &go_on, &error),
				 STORE_E_OVER_LIMIT);
		assert_non_null(strstr(error.text, "project demo"));
		assert_int_equal(file_put(other, "a", fd, NULL, &go_on, NULL), 0);
		/* a replacement does not need room for both contents */
		assert_int_equal(put_stream(fixture, "a", text, 3 * MIB, MIB), 0);
		assert_int_equal(store_limit_project(fixture->store, "demo", 7 * MIB), 0);
		assert_int_equal(file_put(second, "a", fd, NULL, &go_on, NULL), 0);
		assert_int_equal(store_delete(second, "a", NULL), 0);
		store_set_limits(fixture->store, &limits);
		assert_int_equal(file_put(second, "a", fd, NULL, &go_on, NULL), STORE_E_OVER_LIMIT);
		/* the sums are right after a restart */
		(void)store_run_close(second);
		(void)store_run_close(other);
		reopen(fixture);
		store_set_limits(fixture->store, &limits);
		assert_int_equal(store_run_open(fixture->store, "demo", 2, &second), 0);
		assert_int_equal(file_put(second, "a", fd, NULL, &go_on, NULL), STORE_E_OVER_LIMIT);
		assert_int_equal(store_delete(fixture->run, "a", NULL), 0);
		assert_int_equal(file_put(second, "a", fd, NULL, &go_on, NULL), 0);
		(void)store_run_close(second);
	}
}

static void test_limit_of_all(void **state)
{
	struct fixture *fixture = *state;
	struct store_limits limits = STORE_LIMITS_DEFAULT;
	cleanup_free uint8_t *noise = noise_of(3 * MIB);
	cleanup_free uint8_t *text = text_of(3 * MIB);
	struct error error = ERROR_INIT;
	cleanup_close int small = file_of("some text", 9);
	cleanup_close int fd = file_of(noise, 3 * MIB);

	limits.bytes_stored = 4 * MIB;
	store_set_limits(fixture->store, &limits);
	assert_int_equal(put_file(fixture, "a", fd), 0);
	/* further keys for stored contents need no disk space */
	assert_int_equal(put_stream(fixture, "text", text, 3 * MIB, MIB),
			 0); /* packed, it is small */
	noise[0]++;
	assert_int_equal(put_stream(fixture, "c", noise, 3 * MIB, MIB), STORE_E_OVER_LIMIT);
	assert_true(store_stored(fixture->store) <= 4 * MIB);
	limits.bytes_stored = store_stored(fixture->store);
	store_set_limits(fixture->store, &limits);
	assert_int_equal(file_put(fixture->run, "d", small, NULL, &go_on, &error),
			 STORE_E_OVER_LIMIT);
	assert_non_null(strstr(error.text, "[Limits] Artifacts="));
	assert_int_equal(store_delete(fixture->run, "a", NULL), 0);
	assert_int_equal(put_file(fixture, "d", small), 0);
	limits.bytes_stored = 4 * MIB;
	store_set_limits(fixture->store, &limits);
	assert_int_equal(put_stream(fixture, "c", noise, 3 * MIB, MIB), 0);
}

/* ---- a reader that closes the pipe, and one that is dropped ---- */

static void test_readers(void **state)
{
	struct fixture *fixture = *state;
	cleanup_free uint8_t *text = text_of(9 * MIB);
	cleanup_close int fd = file_of(text, 9 * MIB);
	cleanup_close int kept = -1;
	const atomic_bool cancelled = true;
	struct store_entry entry;
	int read_fd, write_fd;

	(void)signal(SIGPIPE, SIG_IGN);
	assert_int_equal(put_file(fixture, "a", fd), 0);
	assert_int_equal(store_get(fixture->run, "a", &kept, &entry, NULL), 0);
	assert_int_equal(feed_pipe(&read_fd, &write_fd), 0);
	assert_int_equal(feed_content(kept, entry.size, write_fd, &cancelled), -ECANCELED);
	(void)close(read_fd);
	assert_int_equal(feed_content(kept, entry.size, write_fd, &go_on), -EPIPE);
	(void)close(write_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_streams, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stream_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_old_and_new, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_holes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limit_of_all, setup, teardown),
		cmocka_unit_test_setup_teardown(test_readers, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
