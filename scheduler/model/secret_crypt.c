/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/model/secret_crypt.h"

#include "common/limits.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdint.h>
#include <string.h>

#define BOX_VERSION 1
#define NONCE_SIZE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_SIZE crypto_aead_xchacha20poly1305_ietf_ABYTES
/* the ciphers leave the last, partial block of a value on the stack below us */
#define STACK_USED 2048

static_assert(SECRET_BOX_OVERHEAD == 1 + NONCE_SIZE + TAG_SIZE, "the layout above");
static_assert(SECRET_KEY_SIZE == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "keys fit");
static_assert(SECRET_SEAL_OVERHEAD == crypto_box_SEALBYTES, "seals fit");
static_assert(SECRET_PUBLIC_SIZE == crypto_box_PUBLICKEYBYTES, "public keys fit");

static const char context[] = "runbookd secret";

#define PLACE_BYTES_MAX                                                                            \
	(sizeof(context) + 4 * sizeof(uint32_t) + SECRET_KEY_ID_MAX + PROJECT_NAME_MAX +           \
	 SECRET_ENV_MAX + ENV_NAME_MAX)

/* The associated data of a box. Return: its length, 0 when a name is invalid. */
static size_t place_bytes(const struct secret_key *key, const struct secret_place *place,
			  unsigned char *out)
{
	const char *const texts[] = {key->id, place->project, place->env, place->name};
	size_t used = sizeof(context) - 1;

	memcpy(out, context, used);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		size_t length = strlen(texts[i]);
		const unsigned char prefix[] = {(unsigned char)length, (unsigned char)(length >> 8),
						0, 0};

		if (length > UINT16_MAX || used + sizeof(prefix) + length > PLACE_BYTES_MAX)
			return 0;
		memcpy(out + used, prefix, sizeof(prefix));
		memcpy(out + used + sizeof(prefix), texts[i], length);
		used += sizeof(prefix) + length;
	}
	return used;
}

void secret_box_make(const struct secret_key *key, const struct secret_place *place,
		     const void *value, size_t size, unsigned char *out)
{
	unsigned char bound[PLACE_BYTES_MAX];
	size_t n_bound = place_bytes(key, place, bound);

	assert(n_bound > 0); /* callers have checked the names */
	out[0] = BOX_VERSION;
	randombytes_buf(out + 1, NONCE_SIZE);
	(void)crypto_aead_xchacha20poly1305_ietf_encrypt(out + 1 + NONCE_SIZE, NULL, value, size,
							 bound, n_bound, NULL, out + 1, key->bytes);
	sodium_stackzero(STACK_USED);
}

int secret_box_open(const struct secret_key *key, const struct secret_place *place,
		    const unsigned char *box, size_t size, unsigned char *value, size_t *ret_size)
{
	unsigned char bound[PLACE_BYTES_MAX];
	size_t n_bound = place_bytes(key, place, bound);
	int r;

	sodium_memzero(value, size);
	if (n_bound == 0 || size < SECRET_BOX_OVERHEAD || box[0] != BOX_VERSION)
		return -EBADMSG;
	r = crypto_aead_xchacha20poly1305_ietf_decrypt(value, NULL, NULL, box + 1 + NONCE_SIZE,
						       size - 1 - NONCE_SIZE, bound, n_bound,
						       box + 1, key->bytes);
	sodium_stackzero(STACK_USED);
	if (r != 0) {
		sodium_memzero(value, size);
		return -EBADMSG;
	}
	*ret_size = size - SECRET_BOX_OVERHEAD;
	return 0;
}

/* No project has an empty name. */
static const struct secret_place proof_place = {.project = "", .env = "", .name = ""};

void secret_proof_make(const struct secret_key *key, unsigned char *out)
{
	secret_box_make(key, &proof_place, "", 0, out);
}

int secret_proof_check(const struct secret_key *key, const unsigned char *proof, size_t size)
{
	unsigned char nothing[SECRET_PROOF_SIZE];
	size_t n = 0;

	if (size != SECRET_PROOF_SIZE)
		return -EBADMSG;
	return secret_box_open(key, &proof_place, proof, size, nothing, &n);
}

int sealing_keys_make(struct sealing_keys *keys)
{
	keys->private_key = sodium_malloc(crypto_box_SECRETKEYBYTES);
	if (!keys->private_key)
		return -ENOMEM;
	(void)crypto_box_keypair(keys->public_key, keys->private_key);
	return 0;
}

void sealing_keys_clear(struct sealing_keys *keys)
{
	sodium_free(keys->private_key);
	keys->private_key = NULL;
}

int sealing_keys_open(const struct sealing_keys *keys, const unsigned char *sealed, size_t size,
		      unsigned char *value)
{
	int r;

	if (!keys->private_key || size < SECRET_SEAL_OVERHEAD)
		return -EBADMSG;
	r = crypto_box_seal_open(value, sealed, size, keys->public_key, keys->private_key);
	sodium_stackzero(STACK_USED);
	if (r == 0)
		return 0;
	sodium_memzero(value, size - SECRET_SEAL_OVERHEAD);
	return -EBADMSG;
}
