/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/signature.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define STANDARD_SECRET_PREFIX "whsec_"
#define STANDARD_SECRET_MAX 512

/* Random key of this process, for digests of tokens that are only compared here. */
static uint8_t token_key[crypto_auth_hmacsha256_KEYBYTES];

int signature_init(void)
{
	if (sodium_init() < 0)
		return -EIO;
	randombytes_buf(token_key, sizeof(token_key));
	return 0;
}

static void hmac_sha256(uint8_t digest[crypto_auth_hmacsha256_BYTES], struct signature_key key,
			const void *data, size_t size)
{
	crypto_auth_hmacsha256_state state;

	crypto_auth_hmacsha256_init(&state, key.data, key.size);
	crypto_auth_hmacsha256_update(&state, data, size);
	crypto_auth_hmacsha256_final(&state, digest);
	sodium_memzero(&state, sizeof(state));
}

bool signature_hex_valid(struct signature_key key, const void *data, size_t size, const char *hex)
{
	uint8_t want[crypto_auth_hmacsha256_BYTES];
	uint8_t got[crypto_auth_hmacsha256_BYTES];
	size_t got_size = 0;

	/* with an empty key any client could sign */
	if (key.size == 0 || strspn(hex, "0123456789abcdef") != 2 * sizeof(got) ||
	    hex[2 * sizeof(got)] != '\0')
		return false;
	if (sodium_hex2bin(got, sizeof(got), hex, 2 * sizeof(got), NULL, &got_size, NULL) != 0 ||
	    got_size != sizeof(got))
		return false;
	hmac_sha256(want, key, data, size);
	return sodium_memcmp(want, got, sizeof(want)) == 0;
}

bool signature_token_valid(struct signature_key key, const char *token)
{
	struct signature_key own = {token_key, sizeof(token_key)};
	uint8_t want[crypto_auth_hmacsha256_BYTES];
	uint8_t got[crypto_auth_hmacsha256_BYTES];

	if (key.size == 0)
		return false;
	/* digests have the same length, so comparing them reveals no length of the secret */
	hmac_sha256(want, own, key.data, key.size);
	hmac_sha256(got, own, token, strlen(token));
	return sodium_memcmp(want, got, sizeof(want)) == 0;
}

/* Decode a secret "whsec_BASE64"; copy any other. Return: size of the key, 0 when unusable. */
static size_t standard_key(struct signature_key key, uint8_t *out, size_t out_size)
{
	size_t prefix = strlen(STANDARD_SECRET_PREFIX);
	size_t used = 0;

	if (key.size < prefix || memcmp(key.data, STANDARD_SECRET_PREFIX, prefix) != 0) {
		if (key.size > out_size)
			return 0;
		memcpy(out, key.data, key.size);
		return key.size;
	}
	if (sodium_base642bin(out, out_size, (const char *)key.data + prefix, key.size - prefix,
			      "\r\n", &used, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
		return 0;
	return used;
}

/* Does one "v1,BASE64" of the space-separated list equal @want? Compares all, for constant time. */
static bool standard_list_has(const char *list, const uint8_t *want, size_t want_size)
{
	bool found = false;

	while (*list) {
		uint8_t got[crypto_auth_hmacsha256_BYTES];
		size_t length = strcspn(list, " ");
		size_t got_size = 0;
		const char *end = NULL;

		if (length > 3 && strncmp(list, "v1,", 3) == 0 &&
		    sodium_base642bin(got, sizeof(got), list + 3, length - 3, NULL, &got_size, &end,
				      sodium_base64_VARIANT_ORIGINAL) == 0 &&
		    end == list + length && got_size == want_size &&
		    sodium_memcmp(got, want, want_size) == 0)
			found = true;
		list += length;
		list += strspn(list, " ");
	}
	return found;
}

bool signature_standard_valid(struct signature_key key, const char *id, const char *timestamp,
			      const void *data, size_t size, const char *signatures)
{
	crypto_auth_hmacsha256_state state;
	uint8_t secret[STANDARD_SECRET_MAX];
	uint8_t want[crypto_auth_hmacsha256_BYTES];
	size_t secret_size = standard_key(key, secret, sizeof(secret));

	if (secret_size == 0)
		return false;
	crypto_auth_hmacsha256_init(&state, secret, secret_size);
	crypto_auth_hmacsha256_update(&state, (const uint8_t *)id, strlen(id));
	crypto_auth_hmacsha256_update(&state, (const uint8_t *)".", 1);
	crypto_auth_hmacsha256_update(&state, (const uint8_t *)timestamp, strlen(timestamp));
	crypto_auth_hmacsha256_update(&state, (const uint8_t *)".", 1);
	crypto_auth_hmacsha256_update(&state, data, size);
	crypto_auth_hmacsha256_final(&state, want);
	sodium_memzero(&state, sizeof(state));
	sodium_memzero(secret, sizeof(secret));
	return standard_list_has(signatures, want, sizeof(want));
}

bool signature_time_valid(const char *timestamp, int64_t now_sec)
{
	size_t digits = strspn(timestamp, "0123456789");
	int64_t then;

	if (digits == 0 || digits > 15 || timestamp[digits] != '\0')
		return false;
	then = strtoll(timestamp, NULL, 10);
	return llabs(now_sec - then) <= SIGNATURE_TOLERANCE_SEC;
}
