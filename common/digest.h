/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_DIGEST_H
#define COMMON_DIGEST_H

/*
 * DOC: SHA-256 of large data
 *
 * Artifacts and layers of images are named by their SHA-256, so gigabytes are hashed while a step
 * waits. libnettle uses the processor's instructions for it (SHA-NI, the cryptographic extension
 * of ARMv8) where there are any. It allocates nothing, reads no file and makes no system call, so
 * these functions work behind every lock-down.
 */

#include <nettle/sha2.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_BYTES 32
#define DIGEST_HEX_SIZE (2 * DIGEST_BYTES + 1)

/** struct digest - a digest that is being computed; holds no resources */
struct digest {
	struct sha256_ctx state;
};

/** digest_begin() - start a digest; the same @digest may be started again */
void digest_begin(struct digest *digest);
/** digest_add() - append @size bytes of @data */
void digest_add(struct digest *digest, const void *data, size_t size);
/** digest_end() - finish: @ret_bytes gets the digest; digest_begin() must precede further use */
void digest_end(struct digest *digest, uint8_t ret_bytes[DIGEST_BYTES]);
/** digest_hex() - write @bytes as lower-case hexadecimal digits and a NUL into @text */
void digest_hex(char text[DIGEST_HEX_SIZE], const uint8_t bytes[DIGEST_BYTES]);
/** digest_hex_of() - the hexadecimal digest of @size bytes of @data, with a NUL, into @text */
void digest_hex_of(char text[DIGEST_HEX_SIZE], const void *data, size_t size);

#endif
