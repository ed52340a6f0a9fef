/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNBOOK_NEAREST_H
#define RUNBOOK_NEAREST_H

/* "Did you mean …?": the closest known word to a misspelt one. */

#include <stddef.h>

/** struct nearest - search state; from nearest_start() */
struct nearest {
	const char *word;
	size_t length;
	size_t cutoff;	  /* edits that are still "near" */
	const char *best; /* NULL: nothing near */
};

/** nearest_start() - prepare to look for neighbours of @word, which must outlive the search */
struct nearest nearest_start(const char *word);

/**
 * nearest_offer() - consider one candidate
 *
 * Cost: the candidate's length times a small constant; words whose lengths
 * differ too much cost nothing. Bytes, ASCII case ignored.
 */
void nearest_offer(struct nearest *nearest, const char *candidate);

#endif
