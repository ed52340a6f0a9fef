/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "webhook/signature.h"

#include <stdio.h>
#include <string.h>

static struct signature_key key_of(const char *secret)
{
	return (struct signature_key){(const uint8_t *)secret, strlen(secret)};
}

/* The example of docs.github.com, "Validating webhook deliveries". */
#define GITHUB_SECRET "It's a Secret to Everybody"
#define GITHUB_BODY "Hello, World!"
#define GITHUB_HEX "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

static bool github_valid(const char *secret, const char *body, const char *hex)
{
	return signature_hex_valid(key_of(secret), body, strlen(body), hex);
}

static void test_hex(void **state)
{
	char hex[80];

	assert_true(github_valid(GITHUB_SECRET, GITHUB_BODY, GITHUB_HEX));
	assert_false(github_valid(GITHUB_SECRET, "Hello, World?", GITHUB_HEX));
	assert_false(github_valid("another", GITHUB_BODY, GITHUB_HEX));
	assert_false(github_valid("", GITHUB_BODY, GITHUB_HEX));
	for (size_t i = 0; i < strlen(GITHUB_HEX); i++) {
		strcpy(hex, GITHUB_HEX);
		hex[i] = hex[i] == '0' ? '1' : '0';
		assert_false(github_valid(GITHUB_SECRET, GITHUB_BODY, hex));
		strcpy(hex, GITHUB_HEX);
		hex[i] = '\0'; /* cut */
		assert_false(github_valid(GITHUB_SECRET, GITHUB_BODY, hex));
		strcpy(hex, GITHUB_HEX);
		hex[i] = ' ';
		assert_false(github_valid(GITHUB_SECRET, GITHUB_BODY, hex));
	}
	(void)snprintf(hex, sizeof(hex), "%s0", GITHUB_HEX);
	assert_false(github_valid(GITHUB_SECRET, GITHUB_BODY, hex));
	strcpy(hex, GITHUB_HEX);
	hex[4] = '0';
	hex[5] = '7';
	for (char *c = hex; *c; c++) {
		if (*c >= 'a')
			*c = (char)(*c - 'a' + 'A');
	}
	assert_false(github_valid(GITHUB_SECRET, GITHUB_BODY, hex));
}

static void test_empty_key_never_matches(void **state)
{
	/* HMAC-SHA256 of the empty text with the empty key, which any client can compute */
	assert_false(github_valid(
		"", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"));
	assert_false(signature_token_valid(key_of(""), ""));
}

static void test_token(void **state)
{
	assert_true(signature_token_valid(key_of("s3cret"), "s3cret"));
	assert_false(signature_token_valid(key_of("s3cret"), "s3cre"));
	assert_false(signature_token_valid(key_of("s3cret"), "s3cret "));
	assert_false(signature_token_valid(key_of("s3cret"), ""));
}

/* The example of the Standard Webhooks reference libraries. */
#define STANDARD_SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define STANDARD_ID "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define STANDARD_TIME "1614265330"
#define STANDARD_BODY "{\"test\": 2432232314}"
#define STANDARD_SIGNATURE "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

static bool standard_valid(const char *secret, const char *timestamp, const char *signatures)
{
	return signature_standard_valid(key_of(secret), STANDARD_ID, timestamp, STANDARD_BODY,
					strlen(STANDARD_BODY), signatures);
}

static void test_standard(void **state)
{
	assert_true(standard_valid(STANDARD_SECRET, STANDARD_TIME, STANDARD_SIGNATURE));
	/* during a rotation of keys there are several signatures */
	assert_true(standard_valid(STANDARD_SECRET, STANDARD_TIME,
				   "v1,AAAA v1a,xyz= " STANDARD_SIGNATURE " v2,zz"));
	assert_false(standard_valid(STANDARD_SECRET, "1614265331", STANDARD_SIGNATURE));
	assert_false(standard_valid(STANDARD_SECRET, STANDARD_TIME, ""));
	assert_false(standard_valid(STANDARD_SECRET, STANDARD_TIME, "v1,"));
	assert_false(standard_valid(STANDARD_SECRET, STANDARD_TIME, STANDARD_SIGNATURE "x"));
	assert_false(standard_valid(STANDARD_SECRET, STANDARD_TIME, STANDARD_SIGNATURE + 3));
	assert_false(standard_valid(STANDARD_SECRET, STANDARD_TIME,
				    "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
	assert_false(standard_valid("whsec_", STANDARD_TIME, STANDARD_SIGNATURE));
	assert_false(standard_valid("whsec_!!", STANDARD_TIME, STANDARD_SIGNATURE));
	assert_false(standard_valid("", STANDARD_TIME, STANDARD_SIGNATURE));
}

static void test_time(void **state)
{
	assert_true(signature_time_valid("1000000", 1000000));
	assert_true(signature_time_valid("1000000", 1000300));
	assert_true(signature_time_valid("1000300", 1000000));
	assert_false(signature_time_valid("1000000", 1000301));
	assert_false(signature_time_valid("1000301", 1000000));
	assert_false(signature_time_valid("", 0));
	assert_false(signature_time_valid("-5", 0));
	assert_false(signature_time_valid("1000000.0", 1000000));
	assert_false(signature_time_valid("9999999999999999999999", 1000000));
}

static int setup(void **state)
{
	return signature_init();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hex),   cmocka_unit_test(test_empty_key_never_matches),
		cmocka_unit_test(test_token), cmocka_unit_test(test_standard),
		cmocka_unit_test(test_time),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
