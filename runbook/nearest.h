/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNBOOK_NEAREST_H
#define RUNBOOK_NEAREST_H

/*
 * DOC: "Did you mean …?"
 *
 * Finds the known word that is closest to a misspelt one, by edit distance. The caller offers
 * one candidate after the other.
 */

#include <stddef.h>

/** struct nearest - state of a search, from nearest_start() */
struct nearest {
	const char *word;
	size_t length;
	size_t cutoff;	  /* candidates with more edits are ignored */
	const char *best; /* NULL: no candidate is near */
};

/** nearest_start() - begin a search for @word, which must outlive the search */
struct nearest nearest_start(const char *word);

/**
 * nearest_offer() - consider one candidate
 *
 * Takes time in proportion to the candidate's length, and almost none if the lengths differ too
 * much. Compares bytes, ignoring ASCII case.
 */
void nearest_offer(struct nearest *nearest, const char *candidate);

#endif
