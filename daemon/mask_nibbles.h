/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_MASK_NIBBLES_H
#define DAEMON_MASK_NIBBLES_H

/*
 * DOC: Search for short pieces
 *
 * With pieces of four to seven bytes the search cannot skip places: every byte may begin
 * one. Most masks have few of them, so they are put into eight groups, a bit for each.
 * For the lower and for the upper half of each of the first four bytes, a table of
 * sixteen entries has the groups in which that half occurs at that place. AVX2 looks up
 * 32 places at once (pshufb); a place where all eight entries share a group is a
 * candidate, and the caller compares it with the pieces.
 */

#include <stdbool.h>
#include <stddef.h>

#define MASK_NIBBLES_WINDOW 4

struct mask_nibbles {
	unsigned char low[MASK_NIBBLES_WINDOW][16];
	unsigned char high[MASK_NIBBLES_WINDOW][16];
};

/** mask_nibbles_usable() - does this processor have AVX2? */
bool mask_nibbles_usable(void);
/** mask_nibbles_add() - add the first MASK_NIBBLES_WINDOW bytes of a piece to @group, 0 to 7 */
void mask_nibbles_add(struct mask_nibbles *nibbles, const unsigned char *bytes, unsigned group);
/**
 * mask_nibbles_next() - the first candidate at or behind @at; needs mask_nibbles_usable()
 * @last: offset of the last window of @text
 *
 * Return: its offset; without one, the first of the last places, less than 32, which are
 * left to the caller.
 */
size_t mask_nibbles_next(const struct mask_nibbles *nibbles, const unsigned char *text, size_t at,
			 size_t last);

#endif
