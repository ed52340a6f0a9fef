/* SPDX-License-Identifier: Apache-2.0 */
#include "runbook/nearest.h"

#include "common/limits.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define WORD_MAX STEP_NAME_MAX
#define EDITS_MAX 4

struct nearest nearest_start(const char *word)
{
	struct nearest nearest = {.word = word, .length = strlen(word)};

	/* with one edit in three letters a word is still recognisable */
	nearest.cutoff = (nearest.length + 1) / 3;
	if (nearest.cutoff > EDITS_MAX)
		nearest.cutoff = EDITS_MAX;
	return nearest;
}

static bool same_letter(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/*
 * Optimal string alignment distance (insert, delete, replace, swap adjacent bytes) with three
 * rows, of which only the cells within @cutoff of the diagonal are computed: all others are
 * above @cutoff in any case.
 *
 * Return: the distance, or any number above @cutoff.
 */
static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length,
			    size_t cutoff)
{
	size_t rows[3][WORD_MAX + 2] = {0};
	size_t *before = rows[0], *previous = rows[1], *current = rows[2];
	const size_t too_much = cutoff + 1;

	for (size_t j = 0; j <= b_length + 1; j++) {
		previous[j] = j < too_much ? j : too_much;
		before[j] = current[j] = too_much;
	}
	for (size_t i = 1; i <= a_length; i++) {
		size_t from = i > cutoff ? i - cutoff : 1;
		size_t to = i + cutoff < b_length ? i + cutoff : b_length;
		size_t *spare = before, least;

		current[from - 1] = from == 1 && i < too_much ? i : too_much;
		least = current[from - 1];
		for (size_t j = from; j <= to; j++) {
			size_t cost = same_letter(a[i - 1], b[j - 1]) ? 0 : 1;

			current[j] = smallest(previous[j] + 1, current[j - 1] + 1,
					      previous[j - 1] + cost);
			if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) &&
			    same_letter(a[i - 2], b[j - 1]) && before[j - 2] + 1 < current[j])
				current[j] = before[j - 2] + 1;
			if (current[j] < least)
				least = current[j];
		}
		current[to + 1] = too_much; /* the next row reads it */
		if (least > cutoff)
			return too_much;
		before = previous;
		previous = current;
		current = spare;
	}
	return previous[b_length];
}

void nearest_offer(struct nearest *nearest, const char *candidate)
{
	size_t length = strlen(candidate), distance;
	size_t gap = length > nearest->length ? length - nearest->length : nearest->length - length;

	if (nearest->length > WORD_MAX || length > WORD_MAX || gap > nearest->cutoff)
		return;
	distance =
		edit_distance(nearest->word, nearest->length, candidate, length, nearest->cutoff);
	if (distance > nearest->cutoff || (nearest->best && distance == nearest->cutoff))
		return;
	/* from now on only nearer candidates */
	nearest->best = candidate;
	nearest->cutoff = distance;
}
