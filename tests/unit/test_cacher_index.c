/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/cmocka_headers.h"

#include "cacher/connection.h"
#include "cacher/store_index.h"
#include "common/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct store_entry entry_make(unsigned seed)
{
	struct store_entry entry = {
		.kind = seed % 2 ? CACHER_KIND_FILE : CACHER_KIND_DIRECTORY,
		.size = seed * 1234567ULL,
		.mode = 0755,
		.mtime = {.tv_sec = (time_t)seed - 5, .tv_nsec = 999999999 - (long)seed},
		.created_usec = 1700000000000000ULL + seed,
	};

	for (unsigned i = 0; i < STORE_DIGEST_BYTES; i++)
		entry.digest[i] = (uint8_t)(seed * 31 + i);
	return entry;
}

static void test_index_round_trip(void **state)
{
	for (unsigned i = 0; i < 50; i++) {
		struct store_entry entry = entry_make(i);
		struct store_entry again;
		char text[INDEX_TEXT_MAX];

		assert_true(index_format(text, &entry) < INDEX_TEXT_MAX);
		assert_int_equal(index_parse(text, &again), 0);
		assert_int_equal(again.kind, entry.kind);
		assert_int_equal(again.size, entry.size);
		assert_int_equal(again.mtime.tv_sec, entry.mtime.tv_sec);
		assert_int_equal(again.mtime.tv_nsec, entry.mtime.tv_nsec);
		assert_memory_equal(again.digest, entry.digest, STORE_DIGEST_BYTES);
		/* a text that is cut off anywhere is refused */
		for (size_t cut = strlen(text); cut-- > 0;) {
			text[cut] = '\0';
			assert_int_equal(index_parse(text, &again), -EBADMSG);
		}
	}
}

static void test_index_refuses(void **state)
{
#define LOUD_DIGEST "00112233445566778899AABBccddeeff00112233445566778899aabbccddeeff"
#define DIGEST "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
	static const char *const bad[] = {
		"",
		"2 file " DIGEST " 1 644 1 1 1\n",
		"1 none " DIGEST " 1 644 1 1 1\n",
		"1 fifo " DIGEST " 1 644 1 1 1\n",
		"1 file " DIGEST " -1 644 1 1 1\n",
		"1 file " DIGEST " 01 644 1 1 1\n",
		"1 file " DIGEST " 99999999999999999999 644 1 1 1\n",
		"1 file " DIGEST " 1 644 1 1 1",
		"1 file " DIGEST " 1 644 1 1 1\n1",
		"1 file " DIGEST "  1 644 1 1 1\n",
		"1 file " LOUD_DIGEST " 1 644 1 1 1\n",
	};
	struct store_entry entry;

	assert_int_equal(index_parse("1 file " DIGEST " 1 644 1 1 1\n", &entry), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(index_parse(bad[i], &entry), -EBADMSG);
}

static void test_names(void **state)
{
	static const char *const keys[] = {"a", "a/b/c", ".hidden", "a.b-c_d", "...a", ".a/.b"};
	static const char *const bad[] = {"",	  ".",	 "..", ".x", "a b",
					  "a++b", "a/b", "+a", "a+", ",.a"};
	char longest[ARTIFACT_KEY_MAX + 1], name[ARTIFACT_KEY_MAX + 1], again[ARTIFACT_KEY_MAX + 1];

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		index_name(name, keys[i]);
		assert_null(strchr(name, '/'));
		assert_int_not_equal(name[0], '.');
		if (strstr(keys[i], "..")) {
			assert_false(index_key(again, name)); /* the key is invalid */
			continue;
		}
		assert_true(index_key(again, name));
		assert_string_equal(again, keys[i]);
	}
	memset(longest, 'k', ARTIFACT_KEY_MAX);
	longest[ARTIFACT_KEY_MAX] = '\0';
	index_name(name, longest);
	assert_true(index_key(again, name));
	assert_string_equal(again, longest);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(index_key(again, bad[i]));
}

static void test_key_list(void **state)
{
	struct key_list list = {0};
	char key[16];

	for (unsigned i = 0; i < 1000; i++) {
		struct store_entry entry = entry_make(i);

		(void)snprintf(key, sizeof(key), "k%u", i * 7919 % 1000);
		assert_int_equal(key_list_set(&list, key, &entry), 0);
		assert_int_equal(key_list_set(&list, key, &entry), 0);
	}
	assert_int_equal(list.n_items, 1000);
	for (size_t i = 1; i < list.n_items; i++)
		assert_true(strcmp(list.items[i - 1].key, list.items[i].key) < 0);
	for (unsigned i = 0; i < 1000; i += 2) {
		(void)snprintf(key, sizeof(key), "k%u", i);
		key_list_remove(&list, key);
		key_list_remove(&list, key);
	}
	assert_int_equal(list.n_items, 500);
	assert_null(key_list_find(&list, "k4"));
	assert_non_null(key_list_find(&list, "k5"));
	key_list_clear(&list);
	assert_null(key_list_find(&list, "k5"));
}

static void test_references(void **state)
{
	struct references references = {0};
	struct store_entry entry;

	for (unsigned i = 0; i < 2000; i++) {
		entry = entry_make(i % 250);
		assert_int_equal(references_add(&references, entry.digest), 0);
	}
	assert_true(references.n_references <= 250);
	entry = entry_make(3);
	for (int i = 0; i < 7; i++)
		assert_false(references_drop(&references, entry.digest));
	assert_true(references_has(&references, entry.digest));
	assert_true(references_drop(&references, entry.digest));
	assert_false(references_has(&references, entry.digest));
	assert_false(references_drop(&references, entry.digest));
	references_clear(&references);
}

static void test_requests(void **state)
{
	struct cacher_request good = {.magic = CACHER_MAGIC,
				      .version = CACHER_VERSION,
				      .verb = CACHER_PUT,
				      .kind = CACHER_KIND_FILE,
				      .key_length = 3,
				      .mode = 0107777};
	struct parsed_request parsed;
	struct error error = ERROR_INIT;
	struct cacher_request head = good;
	char zeros[ARTIFACT_KEY_MAX + 1] = "";

	assert_int_equal(request_parse(&head, "a/b", &parsed, &error), 0);
	assert_string_equal(parsed.key, "a/b");
	assert_int_equal(parsed.mode, 07777);
	head.version = 2;
	assert_int_equal(request_parse(&head, "a/b", &parsed, &error), -EINVAL);
	assert_non_null(strstr(error.text, "version 2"));
	head = good;
	head.kind = CACHER_KIND_NONE;
	assert_int_equal(request_parse(&head, "a/b", &parsed, &error), -EINVAL);
	head = good;
	head.key_length = ARTIFACT_KEY_MAX + 1;
	assert_int_equal(request_parse(&head, zeros, &parsed, &error), -EINVAL);
	head.key_length = ARTIFACT_KEY_MAX; /* NULs */
	assert_int_equal(request_parse(&head, zeros, &parsed, &error), -EINVAL);
	head = good;
	assert_int_equal(request_parse(&head, "\n\x1b[", &parsed, &error), -EINVAL);
	assert_null(strchr(error.text, '\n'));
	assert_null(strchr(error.text, '\x1b'));
	head = (struct cacher_request){
		.magic = CACHER_MAGIC, .version = CACHER_VERSION, .verb = CACHER_LS};
	assert_int_equal(request_parse(&head, "", &parsed, &error), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_index_round_trip),
		cmocka_unit_test(test_index_refuses),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_key_list),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
