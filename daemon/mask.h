/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_MASK_H
#define DAEMON_MASK_H

/*
 * DOC: Masking
 *
 * A step's output is searched for its secrets before it reaches the log; each
 * occurrence is replaced by "***". Every form of every value (daemon/mask_forms.h) is
 * cut into pieces of 16 to MASK_PIECE_MAX bytes (a shorter form is one piece), and
 * each piece is searched for separately. So a part of a long key is hidden as well,
 * at most MASK_PIECE_MAX - 1 bytes have to be held back, and no output
 * makes the search slow.
 *
 * The rule: mark all bytes of all occurrences of all pieces, then replace each
 * unbroken row of marked bytes by "***". The result does not depend on where
 * the stream happens to be cut into reads.
 *
 * The search reads a window of four bytes at every n-th place only, where n is as large
 * as the shortest piece allows (n + 3 bytes), and looks it up in a table of bits made of
 * the windows of all pieces. Windows that pass are looked up in the sorted list of pieces.
 * Pieces of less than eight bytes would make n too small: daemon/mask_nibbles.h.
 *
 * The end of the output is held back as long as it is the beginning of a
 * piece. An end of line never is. Bytes that are held back leave when
 *   - further output decides whether they are part of a piece;
 *   - there was no output for MASK_HOLD_USEC, and they are less than MASK_VALUE_MIN bytes:
 *     so a prompt appears whose last letter is the first of a secret. If the rest of
 *     the secret follows after all, that rest is hidden;
 *   - the stream ends.
 * MASK_VALUE_MIN bytes or more, which may be the beginning of a secret, wait until
 * the stream ends: a secret does not become visible by being written slowly.
 *
 * The pieces are excluded from core dumps and, where that is allowed, locked into
 * memory, and are wiped when the last step that needs them has ended. Standard output
 * and standard error are searched separately.
 */

#include "common/error.h"
#include "common/list.h"
#include "common/step_mask.h"
#include "daemon/mask_forms.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MASK_PIECE_MAX 32
#define MASK_HEADROOM MASK_PIECE_MAX /* bytes before the data of mask_stream_feed() */
#define MASK_HOLD_USEC 100000
#define MASK_PIECES_MAX (1U << 21) /* of one step; 40 bytes each */

struct mask;

/** struct mask_cache - the masks in use, so that steps with the same secrets share one */
struct mask_cache {
	struct list masks;
};

/**
 * mask_cache_get() - the mask of the values in @fd (common/step_mask.h), which stays open
 * @ret_mask: a reference for the caller; NULL if all values are too short to be masked
 *
 * Return: 0; -errno with @error: the step must not run then.
 */
int mask_cache_get(struct mask_cache *cache, int fd, struct mask **ret_mask, struct error *error);

/** mask_new() - as mask_cache_get(), of values in memory, without a cache */
int mask_new(const struct step_mask_value *values, size_t n_values, struct mask **ret_mask,
	     struct error *error);
/** mask_ref() - take a reference. NULL is fine. Return: @mask. */
struct mask *mask_ref(struct mask *mask);
/** mask_unref() - give a reference up; the last one wipes @mask. NULL is fine. Return: NULL. */
struct mask *mask_unref(struct mask *mask);

static inline void mask_unref_fn(struct mask **mask)
{
	(void)mask_unref(*mask);
}
#define cleanup_mask __attribute__((cleanup(mask_unref_fn)))

/** mask_pieces() - number of pieces; mask_piece() - bytes and size of one; for tests */
size_t mask_pieces(const struct mask *mask);
const char *mask_piece(const struct mask *mask, size_t index, size_t *ret_size);

/** struct mask_stream - state of one stream between two reads */
struct mask_stream {
	const struct mask *mask; /* not owned */
	size_t n_held;
	size_t n_covered; /* of the held bytes: part of a row whose "***" was shown */
	size_t n_shown;	  /* of the held bytes: shown by mask_stream_release() */
	bool row_open;	  /* a row ends at n_covered, and the next bytes may continue it */
	char held[MASK_HEADROOM];
};

/** mask_stream_init() - @stream is at its beginning; @mask must outlive it */
void mask_stream_init(struct mask_stream *stream, const struct mask *mask);
/**
 * mask_stream_feed() - mask the next @size bytes of the stream
 * @data:     these bytes; rewritten, as are MASK_HEADROOM bytes before them
 * @ret_data: the bytes that can be shown, within that memory
 *
 * Return: how many these are, at most @size and the bytes that were held.
 */
size_t mask_stream_feed(struct mask_stream *stream, char *data, size_t size, char **ret_data);
/** mask_stream_waits() - are bytes held that mask_stream_release() would show? */
bool mask_stream_waits(const struct mask_stream *stream);
/**
 * mask_stream_release() - show held bytes, because there was no output for MASK_HOLD_USEC
 * @out: MASK_HEADROOM bytes
 *
 * Return: bytes in @out; 0 when the held bytes may be a secret.
 */
size_t mask_stream_release(struct mask_stream *stream, char *out);
/** mask_stream_finish() - the stream has ended. @out: MASK_HEADROOM. Return: last bytes, in it. */
size_t mask_stream_finish(struct mask_stream *stream, char *out);

#endif
