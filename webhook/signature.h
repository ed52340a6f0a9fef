/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEBHOOK_SIGNATURE_H
#define WEBHOOK_SIGNATURE_H

/*
 * DOC: Signatures of deliveries
 *
 * Each function checks one method by which forges sign: an HMAC-SHA256 in hex, the
 * secret itself as a token, or Standard Webhooks. The code of the forges chooses the
 * method and takes the values from the headers. All are computed by libsodium and
 * compared in constant time. An empty key makes every signature invalid. HTTP threads
 * call them at the same time; there is no shared state except a key of this process.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIGNATURE_TOLERANCE_SEC 300 /* for signatures that carry a time */

struct signature_key {
	const uint8_t *data;
	size_t size;
};

/** signature_init() - call once, before the lock-down. Return: 0 or -errno. */
int signature_init(void);

/**
 * signature_hex_valid() - is @hex the HMAC-SHA256 of @data?
 * @hex: 64 lower-case hex digits; any other form is invalid
 */
bool signature_hex_valid(struct signature_key key, const void *data, size_t size, const char *hex);

/** signature_token_valid() - is @token the secret? The time does not depend on the secret. */
bool signature_token_valid(struct signature_key key, const char *token);

/**
 * signature_standard_valid() - is one of the "v1," parts of @signatures right?
 * @key:        "whsec_" and base64, or raw bytes
 * @signatures: space-separated list, as Standard Webhooks sends it
 *
 * The signed text is ID.TIMESTAMP.BODY. https://www.standardwebhooks.com/
 */
bool signature_standard_valid(struct signature_key key, const char *id, const char *timestamp,
			      const void *data, size_t size, const char *signatures);

/** signature_time_valid() - is @timestamp (decimal) within SIGNATURE_TOLERANCE_SEC of @now_sec? */
bool signature_time_valid(const char *timestamp, int64_t now_sec);

#endif
