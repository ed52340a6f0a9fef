/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_MASK_NIBBLES_H
#define DAEMON_MASK_NIBBLES_H

/*
 * DOC: Places where short pieces may begin
 *
 * Pieces of four to seven bytes leave nothing to skip: every byte may begin one. There
 * are few of them in most sets, so they are put into eight groups, and a table of
 * sixteen entries says for the lower and for the upper half of each of the first four
 * bytes which groups have it there. The processor looks up 32 bytes at once; a place
 * where all eight agree on a group is a candidate.
 */

#include <stdbool.h>
#include <stddef.h>

#define MASK_NIBBLES_WINDOW 4

struct mask_nibbles {
	unsigned char low[MASK_NIBBLES_WINDOW][16];
	unsigned char high[MASK_NIBBLES_WINDOW][16];
};

/** mask_nibbles_usable() - this processor has what it takes */
bool mask_nibbles_usable(void);
/** mask_nibbles_add() - a piece of @group (0 to 7), of which the first bytes count */
void mask_nibbles_add(struct mask_nibbles *nibbles, const unsigned char *bytes, unsigned group);
/**
 * mask_nibbles_next() - the first candidate from @at on
 * @last: where the last window of @text begins
 *
 * Return: it, or where less than 32 places are left, which are not looked at. Only
 * where mask_nibbles_usable().
 */
size_t mask_nibbles_next(const struct mask_nibbles *nibbles, const unsigned char *text, size_t at,
			 size_t last);

#endif
