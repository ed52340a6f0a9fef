/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets: what a box opens for, the text of keys, rows of the store. */
#include "common/cleanup.h"
#include "common/limits.h"
#include "common/names.h"
#include "common/remove_tree.h"
#include "scheduler/model/secret_crypt.h"
#include "scheduler/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/cmocka_headers.h"

static const struct secret_place place = {"demo", "production", "TOKEN"};
static const char value[] = "correct horse battery staple";

#define BOX_SIZE (sizeof(value) - 1 + SECRET_BOX_OVERHEAD)

static struct secret_key key_make(const char *id)
{
	struct secret_key key;

	(void)snprintf(key.id, sizeof(key.id), "%s", id);
	randombytes_buf(key.bytes, sizeof(key.bytes));
	return key;
}

static int setup(void **state)
{
	return sodium_init() < 0 ? -1 : 0;
}

/* ---- boxes ---- */

static int open_box(const struct secret_key *key, const struct secret_place *where,
		    const unsigned char *box, size_t size)
{
	unsigned char out[BOX_SIZE + 64];
	size_t n = 0;
	int r = secret_box_open(key, where, box, size, out, &n);

	if (r == 0) {
		assert_int_equal(n, sizeof(value) - 1);
		assert_memory_equal(out, value, n);
	} else {
		assert_int_equal(r, -EBADMSG);
		assert_true(sodium_is_zero(out, size)); /* no partial plaintext is left */
	}
	return r;
}

static void test_box(void **state)
{
	struct secret_key key = key_make("k");
	unsigned char box[BOX_SIZE], other[BOX_SIZE];

	secret_box_make(&key, &place, value, sizeof(value) - 1, box);
	secret_box_make(&key, &place, value, sizeof(value) - 1, other);
	assert_memory_not_equal(box, other, sizeof(box)); /* a nonce of its own */
	assert_null(memmem(box, sizeof(box), value, 8));
	assert_int_equal(open_box(&key, &place, box, sizeof(box)), 0);
}

static void test_box_changed(void **state)
{
	struct secret_key key = key_make("k");
	unsigned char box[BOX_SIZE + 1] = {0};

	secret_box_make(&key, &place, value, sizeof(value) - 1, box);
	for (size_t i = 0; i < BOX_SIZE; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			box[i] ^= (unsigned char)(1 << bit);
			assert_int_equal(open_box(&key, &place, box, BOX_SIZE), -EBADMSG);
			box[i] ^= (unsigned char)(1 << bit);
		}
	}
	for (size_t size = 0; size < BOX_SIZE; size++)
		assert_int_equal(open_box(&key, &place, box, size), -EBADMSG);
	assert_int_equal(open_box(&key, &place, box, BOX_SIZE + 1), -EBADMSG);
	assert_int_equal(open_box(&key, &place, box, BOX_SIZE), 0);
}

static void test_box_elsewhere(void **state)
{
	static const struct secret_place others[] = {
		{"demo2", "production", "TOKEN"}, {"demo", "staging", "TOKEN"},
		{"demo", "production", "TOKEN2"}, {"demo", "productionTOKEN", ""},
		{"dem", "oproduction", "TOKEN"},  {"demo", "production", ""},
		{"production", "demo", "TOKEN"},  {"", "", ""},
	};
	struct secret_key key = key_make("k"), same_id = key_make("k"), renamed = key;
	unsigned char box[BOX_SIZE];

	secret_box_make(&key, &place, value, sizeof(value) - 1, box);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_int_equal(open_box(&key, &others[i], box, sizeof(box)), -EBADMSG);
	assert_int_equal(open_box(&same_id, &place, box, sizeof(box)), -EBADMSG);
	(void)strcpy(renamed.id, "other");
	assert_int_equal(open_box(&renamed, &place, box, sizeof(box)), -EBADMSG);
}

static void test_proof(void **state)
{
	struct secret_key key = key_make("k"), other = key_make("k");
	unsigned char proof[SECRET_PROOF_SIZE];

	secret_proof_make(&key, proof);
	assert_int_equal(secret_proof_check(&key, proof, sizeof(proof)), 0);
	assert_int_equal(secret_proof_check(&other, proof, sizeof(proof)), -EBADMSG);
	assert_int_equal(secret_proof_check(&key, proof, sizeof(proof) - 1), -EBADMSG);
	proof[sizeof(proof) - 1] ^= 1;
	assert_int_equal(secret_proof_check(&key, proof, sizeof(proof)), -EBADMSG);
}

static void test_door(void **state)
{
	unsigned char sealed[sizeof(value) + SECRET_SEAL_OVERHEAD], out[sizeof(value)];
	struct sealing_keys keys, other;

	assert_int_equal(sealing_keys_make(&keys), 0);
	assert_int_equal(sealing_keys_make(&other), 0);
	assert_int_equal(crypto_box_seal(sealed, (const unsigned char *)value, sizeof(value),
					 keys.public_key),
			 0);
	assert_int_equal(sealing_keys_open(&other, sealed, sizeof(sealed), out), -EBADMSG);
	for (size_t size = 0; size < sizeof(sealed); size++)
		assert_int_equal(sealing_keys_open(&keys, sealed, size, out), -EBADMSG);
	for (size_t i = 0; i < sizeof(sealed); i++) {
		sealed[i] ^= 0x80;
		/*
		 * X25519 ignores the last bit of the public key in front, but the nonce is a hash
		 * of that key
		 */
		assert_int_equal(sealing_keys_open(&keys, sealed, sizeof(sealed), out), -EBADMSG);
		sealed[i] ^= 0x80;
	}
	assert_int_equal(sealing_keys_open(&keys, sealed, sizeof(sealed), out), 0);
	assert_memory_equal(out, value, sizeof(value));
	sealing_keys_clear(&keys);
	sealing_keys_clear(&other);
	assert_int_equal(sealing_keys_open(&keys, sealed, sizeof(sealed), out), -EBADMSG);
}

/* ---- the text of keys ---- */

#define HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1F"

static void test_keys_text(void **state)
{
	static const char text[] = "# newest first\n\n 2026-11 \t" HEX " \r\nold " HEX;
	static const struct {
		const char *text, *wrong;
	} refused[] = {
		{"", "there is no key in it"},
		{"# nothing\n", "there is no key in it"},
		{"a\n", "line 1 is not a key"},
		{HEX, "line 1 is not a key"},
		{"a " HEX "0\n", "line 1 is not a key"},
		{"a b" HEX "\n", "line 1 is not a key"},
		{"a/b " HEX "\n", "line 1 is not a key"},
		{"a " HEX "\nb x\n", "line 2 is not a key"},
		{"a " HEX "\n\na " HEX "\n", "line 3: a second key is called a"},
		{"a2345678901234567890123456789012x " HEX, "line 1 is not a key"},
	};
	struct secret_keys keys, again;
	struct error error = ERROR_INIT;
	char out[SECRET_KEYS_TEXT_MAX];
	size_t size;

	assert_int_equal(secret_keys_parse(text, strlen(text), &keys, &error), 0);
	assert_int_equal(keys.n, 2);
	assert_string_equal(keys.keys[0].id, "2026-11");
	assert_int_equal(keys.keys[0].bytes[31], 0x1f);
	assert_ptr_equal(secret_keys_find(&keys, "old"), &keys.keys[1]);
	assert_null(secret_keys_find(&keys, "ol"));
	size = secret_keys_format(&keys, out);
	assert_int_equal(size, strlen(out));
	assert_int_equal(secret_keys_parse(out, size, &again, NULL), 0);
	assert_int_equal(again.n, 2);
	assert_memory_equal(again.keys[1].bytes, keys.keys[1].bytes, SECRET_KEY_SIZE);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		assert_int_equal(
			secret_keys_parse(refused[i].text, strlen(refused[i].text), &keys, &error),
			-EINVAL);
		assert_non_null(strstr(error.text, refused[i].wrong));
		assert_null(strstr(error.text, "0001020304")); /* no key in an error */
	}
}

static void test_keys_many(void **state)
{
	char text[4096] = "";
	struct secret_keys keys;
	struct error error = ERROR_INIT;

	for (int i = 0; i < SECRET_KEYS_MAX; i++)
		(void)sprintf(text + strlen(text), "key%d %s\n", i, HEX);
	assert_int_equal(secret_keys_parse(text, strlen(text), &keys, &error), 0);
	(void)strcat(text, "more " HEX "\n");
	assert_int_equal(secret_keys_parse(text, strlen(text), &keys, &error), -EINVAL);
	assert_non_null(strstr(error.text, "more than 8 keys"));
}

static void test_names(void **state)
{
	static const char *const good[] = {"TOKEN", "a", "_x9", "npm_TOKEN", "ENVIRONMENT"};
	static const char *const bad[] = {"",	  "9a",	 "a-b", "a b",	     "a=b",	"PATH",
					  "HOME", "ENV", "CI",	"RUNBOOK_X", "\xc3\xa9"};
	char longest[SECRET_ENV_MAX + 2];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_null(secret_name_problem(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_non_null(secret_name_problem(bad[i]));
	memset(longest, 'x', sizeof(longest));
	longest[SECRET_ENV_MAX + 1] = '\0';
	assert_false(secret_env_valid(longest));
	longest[SECRET_ENV_MAX] = '\0';
	assert_true(secret_env_valid(longest));
	assert_true(secret_env_valid("prod / eu"));
	assert_false(secret_env_valid(""));
	assert_false(secret_env_valid("a\nb"));
}

/* ---- the store ---- */

struct seen {
	char text[512];
	size_t n;
};

static void note(const struct store_secret *secret, void *userdata)
{
	struct seen *seen = userdata;

	(void)sprintf(seen->text + strlen(seen->text), "%s/%s/%s=%s:%.*s ", secret->project,
		      secret->env, secret->name, secret->key, (int)secret->size,
		      (const char *)secret->box);
	seen->n++;
}

static void note_key(const struct store_secret_key *key, void *userdata)
{
	(void)sprintf(userdata, "%s:%zu", key->id, key->size);
}

static void put(struct store *store, const char *project, const char *env, const char *name,
		const char *box)
{
	struct store_secret secret = {project, env, name, "k1", box, strlen(box), 7};

	store_secret_set(store, &secret);
}

static void test_store(void **state)
{
	char dir[] = "/tmp/runbook-secrets-XXXXXX", path[96], key[64] = "";
	struct store_secret_key row = {"k1", "proof", 5, 9};
	struct store_secret again = {"a", "x", "N", "k2", "new", 3, 0};
	struct seen all = {"", 0}, one = {"", 0}, next = {"", 0}, end = {"", 0};
	struct store *store;

	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/runbookd.db", dir);
	assert_int_equal(store_open(path, &store, NULL), 0);
	assert_int_equal(store_secret_key_get(store, note_key, key), 0);
	put(store, "b", "x", "N", "b1");
	put(store, "a", "y", "N", "a1");
	put(store, "a", "x", "N", "a2");
	put(store, "a", "x", "N", "a3"); /* replaces */
	put(store, "a", "x", "M", "a4");
	store_secret_key_set(store, &row);
	row.id = "k2";
	store_secret_key_set(store, &row); /* there is only one row */
	store_secret_rebox(store, &again);
	store_secret_remove(store, "b", "x", "N");
	assert_int_equal(store_commit(store, NULL), 0);
	store = store_close(store);
	assert_int_equal(store_open(path, &store, NULL), 0);
	assert_int_equal(store_secret_key_get(store, note_key, key), 1);
	assert_string_equal(key, "k2:5");
	assert_int_equal(store_secrets_each(store, NULL, NULL, note, &all), 0);
	assert_string_equal(all.text, "a/x/M=k1:a4 a/x/N=k2:new a/y/N=k1:a1 ");
	assert_int_equal(store_secrets_each(store, "a", "x", note, &one), 0);
	assert_int_equal(one.n, 2);
	assert_int_equal(store_secret_next(store, "a", "x", "M", note, &next), 1);
	assert_string_equal(next.text, "a/x/N=k2:new ");
	assert_int_equal(store_secret_next(store, "a", "y", "N", note, &end), 0);
	assert_int_equal(end.n, 0);
	(void)store_close(store);
	assert_int_equal(remove_tree(AT_FDCWD, dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_box),	      cmocka_unit_test(test_box_changed),
		cmocka_unit_test(test_box_elsewhere), cmocka_unit_test(test_proof),
		cmocka_unit_test(test_door),	      cmocka_unit_test(test_keys_text),
		cmocka_unit_test(test_keys_many),     cmocka_unit_test(test_names),
		cmocka_unit_test(test_store),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
