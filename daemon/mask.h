/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_MASK_H
#define DAEMON_MASK_H

/*
 * DOC: Masking
 *
 * What a step prints is searched for its secrets before it reaches its log; what
 * is found is replaced by "***". Every form of every value (daemon/mask_forms.h) is
 * cut into pieces of 16 to MASK_PIECE_MAX bytes, shorter ones are one piece, and
 * each piece is looked for by itself. So a part of a long key is hidden as well,
 * never more than MASK_PIECE_MAX - 1 bytes have to be held back, and nothing that a
 * step prints makes the search slow.
 *
 * The rule: mark all bytes of all occurrences of all pieces, then replace each
 * unbroken row of marked bytes by "***". The result does not depend on where
 * the stream happens to be cut into reads.
 *
 * The search looks at four bytes at every n-th place only, where n is as large as
 * the shortest piece allows (n + 3 bytes), in a table of bits that has those four of
 * all pieces. What passes there is looked up in the sorted list of pieces. Pieces of
 * less than eight bytes would make n too small: daemon/mask_nibbles.h.
 *
 * Held back is the end of what was read for as long as it is the beginning of a
 * piece. An end of line never is. What is held back leaves when
 *   - more bytes come, and decide it;
 *   - nothing came for MASK_HOLD_USEC, and it is less than MASK_VALUE_MIN bytes: so a
 *     prompt appears whose last letter is the first of a secret. When the rest of
 *     the secret follows after all, the rest is hidden;
 *   - the stream ends.
 * MASK_VALUE_MIN bytes or more, so the beginning of a secret, wait for as long as
 * the stream is open: to write a secret slowly does not make it visible.
 *
 * The pieces are kept out of core dumps and, where that is allowed, out of the
 * swap, and are wiped when the last step that needs them has ended. Standard output
 * and standard error are searched each by itself.
 */

#include "common/error.h"
#include "common/list.h"
#include "common/step_mask.h"
#include "daemon/mask_forms.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MASK_PIECE_MAX 32
#define MASK_HEADROOM MASK_PIECE_MAX /* before what is given to mask_stream_feed() */
#define MASK_HOLD_USEC 100000
#define MASK_PIECES_MAX (1U << 21) /* of one step; 40 bytes each */

struct mask;

/** struct mask_cache - the masks in use, so that steps with the same secrets share one */
struct mask_cache {
	struct list masks;
};

/**
 * mask_cache_get() - the mask of the values in @fd, which may be closed afterwards
 * @ret_mask: a reference for the caller; NULL when there is nothing to hide
 *
 * Return: 0, or -errno with @error; a step must not run then.
 */
int mask_cache_get(struct mask_cache *cache, int fd, struct mask **ret_mask, struct error *error);

/** mask_new() - the same for values in memory, without a cache */
int mask_new(const struct step_mask_value *values, size_t n_values, struct mask **ret_mask,
	     struct error *error);
/** mask_ref() - one more user. NULL is fine. Return: @mask. */
struct mask *mask_ref(struct mask *mask);
/** mask_unref() - the last one wipes it. NULL is fine. Return: NULL. */
struct mask *mask_unref(struct mask *mask);

static inline void mask_unref_fn(struct mask **mask)
{
	(void)mask_unref(*mask);
}
#define cleanup_mask __attribute__((cleanup(mask_unref_fn)))

/** mask_pieces() - how many are looked for; mask_piece() - one of them, with its size */
size_t mask_pieces(const struct mask *mask);
const char *mask_piece(const struct mask *mask, size_t index, size_t *ret_size);

/** struct mask_stream - one stream, between two reads */
struct mask_stream {
	const struct mask *mask; /* not owned */
	size_t n_held;
	size_t n_covered; /* of those held: belong to a row whose "***" was shown */
	size_t n_shown;	  /* of those held: left because of a release */
	bool row_open;	  /* a row reaches to the end of n_covered: what follows may continue it */
	char held[MASK_HEADROOM];
};

/** mask_stream_init() - the beginning of a stream */
void mask_stream_init(struct mask_stream *stream, const struct mask *mask);
/**
 * mask_stream_feed() - search what was read
 * @data:     rewritten, and MASK_HEADROOM bytes before it
 * @ret_data: where what can be shown begins
 *
 * Return: how much that is; never more than was held and @size.
 */
size_t mask_stream_feed(struct mask_stream *stream, char *data, size_t size, char **ret_data);
/** mask_stream_waits() - something is held that mask_stream_release() would let go */
bool mask_stream_waits(const struct mask_stream *stream);
/** mask_stream_release() - nothing came for a while. @out: MASK_HEADROOM. Return: bytes in it. */
size_t mask_stream_release(struct mask_stream *stream, char *out);
/** mask_stream_finish() - the stream has ended. @out: MASK_HEADROOM. Return: bytes in it. */
size_t mask_stream_finish(struct mask_stream *stream, char *out);

#endif
