/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_SECRET_CRYPT_H
#define SCHEDULER_SECRET_CRYPT_H

/*
 * DOC: How secrets are encrypted
 *
 * At rest a value is a box: XChaCha20-Poly1305 (libsodium's
 * crypto_aead_xchacha20poly1305_ietf) with a random nonce,
 *
 *   u8 version 1 | 24 bytes nonce | ciphertext | 16 bytes tag
 *
 * and as associated data the key's id and the place of the value, each preceded by its length:
 *
 *   "runbookd secret" | u32 n, key id | u32 n, project | u32 n, env | u32 n, name
 *
 * so that a box opens only in the row it was made for. A proof is a box without a value, at a
 * place that no secret has: it tells a wrong key from damaged rows.
 *
 * A value arrives sealed (crypto_box_seal) for a key pair that lives as long as the scheduler:
 * the processes that forward it only see ciphertext.
 *
 * Nothing here does I/O. Plaintext stays in buffers of the caller.
 */

#include "common/error.h"
#include "common/secret_keys.h"

#include <stddef.h>

#define SECRET_BOX_OVERHEAD (1U + 24U + 16U)
#define SECRET_SEAL_OVERHEAD 48U /* crypto_box_SEALBYTES */
#define SECRET_PUBLIC_SIZE 32U
#define SECRET_PROOF_SIZE SECRET_BOX_OVERHEAD

/** struct secret_place - the row that a box is bound to */
struct secret_place {
	const char *project, *env, *name;
};

/**
 * secret_box_make() - encrypt @value for @place
 * @out: @size + SECRET_BOX_OVERHEAD bytes
 */
void secret_box_make(const struct secret_key *key, const struct secret_place *place,
		     const void *value, size_t size, unsigned char *out);
/**
 * secret_box_open() - decrypt
 * @box:   @size bytes from any source
 * @value: at least @size bytes; all zero after a failure
 *
 * Return: 0 with *@ret_size, or -EBADMSG: the box is for another key or place, or was changed.
 */
int secret_box_open(const struct secret_key *key, const struct secret_place *place,
		    const unsigned char *box, size_t size, unsigned char *value, size_t *ret_size);

/** secret_proof_make() - make a proof that only @key opens; @out has SECRET_PROOF_SIZE bytes */
void secret_proof_make(const struct secret_key *key, unsigned char *out);
/** secret_proof_check() - verify a proof. Return: 0, or -EBADMSG when @key did not make it. */
int secret_proof_check(const struct secret_key *key, const unsigned char *proof, size_t size);

/** struct sealing_keys - key pair for values that arrive */
struct sealing_keys {
	unsigned char public_key[SECRET_PUBLIC_SIZE];
	unsigned char *private_key; /* locked memory */
};

/** sealing_keys_make() - generate a key pair. Return: 0 or -ENOMEM. */
int sealing_keys_make(struct sealing_keys *keys);
/** sealing_keys_clear() - wipe and release the private key */
void sealing_keys_clear(struct sealing_keys *keys);
/**
 * sealing_keys_open() - decrypt what was sealed for keys->public_key
 * @value: @size - SECRET_SEAL_OVERHEAD bytes; all zero after a failure
 *
 * Return: 0, or -EBADMSG: it is for another key, truncated or changed.
 */
int sealing_keys_open(const struct sealing_keys *keys, const unsigned char *sealed, size_t size,
		      unsigned char *value);

#endif
