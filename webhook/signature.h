/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEBHOOK_SIGNATURE_H
#define WEBHOOK_SIGNATURE_H

/* Signatures, all by libsodium, all compared in constant time. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIGNATURE_TOLERANCE_SEC 300 /* for signatures that carry a time */

struct signature_key {
	const uint8_t *data;
	size_t size;
};

/** signature_init() - once, before the program locks itself in. Return: 0 or -errno. */
int signature_init(void);

/**
 * signature_hex_valid() - HMAC-SHA256 of @data equals @hex
 * @hex: exactly 64 lower-case hex digits; anything else is false
 */
bool signature_hex_valid(struct signature_key key, const void *data, size_t size, const char *hex);

/** signature_token_valid() - @token equals the secret, whatever their lengths */
bool signature_token_valid(struct signature_key key, const char *token);

/**
 * signature_standard_valid() - one of the "v1," parts of @signatures is right
 * @key:        "whsec_" and base64, or raw bytes
 * @signatures: space-separated list, as Standard Webhooks sends it
 *
 * The signed text is ID.TIMESTAMP.BODY. https://www.standardwebhooks.com/
 */
bool signature_standard_valid(struct signature_key key, const char *id, const char *timestamp,
			      const void *data, size_t size, const char *signatures);

/** signature_time_valid() - @timestamp (decimal seconds) is near @now_sec */
bool signature_time_valid(const char *timestamp, int64_t now_sec);

#endif
