/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/cmocka_headers.h"

#include "common/digest.h"

#include <string.h>

/* The examples of FIPS 180-2, and one that takes many blocks. */
static void test_examples(void **state)
{
	static const struct {
		const char *text, *hex;
	} cases[] = {
		{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	};
	char hex[DIGEST_HEX_SIZE];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		digest_hex_of(hex, cases[i].text, strlen(cases[i].text));
		assert_string_equal(hex, cases[i].hex);
	}
}

static void test_parts(void **state)
{
	static char block[1000];
	uint8_t bytes[DIGEST_BYTES];
	char hex[DIGEST_HEX_SIZE];
	struct digest digest;

	memset(block, 'a', sizeof(block));
	for (unsigned again = 0; again < 2; again++) {
		digest_begin(&digest);
		for (size_t done = 0, n; done < 1000000; done += n) {
			n = done % 999 + 1; /* parts of all sizes */
			if (n > 1000000 - done)
				n = 1000000 - done;
			digest_add(&digest, block, n);
		}
		digest_end(&digest, bytes);
		digest_hex(hex, bytes);
		assert_string_equal(
			hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
