/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/cmocka_headers.h"

#include "cacher/hasher.h"
#include "common/cleanup.h"

#include <stdlib.h>
#include <string.h>

/*
 * Hash @size bytes that differ from buffer to buffer in parts of @part bytes, then @zeroes zero
 * bytes, then a byte, and compare with the digest of the whole. Return: was there a thread?
 */
static bool check(size_t size, size_t part, size_t zeroes)
{
	cleanup_free uint8_t *whole = calloc(1, size + zeroes + 1);
	uint8_t bytes[DIGEST_BYTES], want[DIGEST_BYTES];
	struct hasher hasher = {0};
	struct digest digest;
	bool threaded;

	assert_non_null(whole);
	assert_int_equal(hasher_init(&hasher), 0);
	for (size_t at = 0; at < size; at += part) {
		size_t n = size - at < part ? size - at : part;
		uint8_t *buffer = hasher_buffer(&hasher);

		memset(whole + at, (int)(at / part * 7 + 1), n);
		memcpy(buffer, whole + at, n);
		hasher_add(&hasher, n);
		assert_memory_equal(buffer, whole + at, n);
	}
	hasher_zeroes(&hasher, zeroes);
	*hasher_buffer(&hasher) = whole[size + zeroes] = 1;
	hasher_add(&hasher, 1);
	hasher_end(&hasher, bytes);
	threaded = hasher.threaded;
	hasher_done(&hasher);
	digest_begin(&digest);
	digest_add(&digest, whole, size + zeroes + 1);
	digest_end(&digest, want);
	assert_memory_equal(bytes, want, sizeof(want));
	return threaded;
}

static void test_small(void **state)
{
	assert_false(check(0, 1, 0));
	assert_false(check(1, 1, 0));
	assert_false(check(HASHER_BUFFER_BYTES, HASHER_BUFFER_BYTES, 5));
}

static void test_large(void **state)
{
	size_t ring = (size_t)HASHER_BUFFERS * HASHER_BUFFER_BYTES;

	assert_true(check(ring, HASHER_BUFFER_BYTES, 0));
	assert_true(check(5 * ring + 17, HASHER_BUFFER_BYTES, 3 * ring));
	assert_true(check(100 * 1000, 1000, 70 * 1000)); /* parts that do not fill a buffer */
	assert_true(check(1, 1, ring));			 /* almost nothing but a hole */
}

/* A put that is given up leaves parts that are not hashed. */
static void test_given_up(void **state)
{
	struct hasher hasher = {0};

	hasher_done(&hasher);
	assert_int_equal(hasher_init(&hasher), 0);
	hasher_done(&hasher);
	assert_int_equal(hasher_init(&hasher), 0);
	for (unsigned i = 0; i < 2 * HASHER_BUFFERS; i++) {
		memset(hasher_buffer(&hasher), 1, HASHER_BUFFER_BYTES);
		hasher_add(&hasher, HASHER_BUFFER_BYTES);
	}
	hasher_done(&hasher);
	assert_null(hasher.buffers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
