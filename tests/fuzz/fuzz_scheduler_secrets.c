/* SPDX-License-Identifier: Apache-2.0 */
/* The inputs of the secret store: texts of keys, boxes of the database, sealed values. */
#include "scheduler/model/secret_crypt.h"

#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_keys(const uint8_t *data, size_t size)
{
	struct secret_keys keys, again;
	char text[SECRET_KEYS_TEXT_MAX];

	if (secret_keys_parse((const char *)data, size, &keys, NULL) < 0)
		return;
	if (keys.n == 0 || keys.n > SECRET_KEYS_MAX ||
	    secret_keys_parse(text, secret_keys_format(&keys, text), &again, NULL) < 0 ||
	    memcmp(&keys, &again, sizeof(keys)) != 0)
		abort();
}

/* A box that was made without the key never opens. */
static void fuzz_box(const uint8_t *data, size_t size)
{
	static const struct secret_key key = {.id = "k", .bytes = {1, 2, 3}};
	const struct secret_place place = {"p", "e", "n"};
	unsigned char *value = malloc(size ? size : 1);
	size_t n;

	if (!value)
		return;
	if (secret_box_open(&key, &place, data, size, value, &n) == 0 ||
	    secret_proof_check(&key, data, size) == 0)
		abort();
	free(value);
}

static void fuzz_sealed(const uint8_t *data, size_t size)
{
	static struct sealing_keys keys;
	unsigned char *value = malloc(size ? size : 1);

	if (!keys.private_key && (sodium_init() < 0 || sealing_keys_make(&keys) < 0))
		abort();
	if (value && sealing_keys_open(&keys, data, size, value) == 0)
		abort();
	free(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_keys(data, size);
	fuzz_box(data, size);
	fuzz_sealed(data, size);
	return 0;
}
