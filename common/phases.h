/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_PHASES_H
#define COMMON_PHASES_H

/*
 * DOC: Phases, and which may follow which
 *
 * What lives through phases (a sandbox, a step, a request) has an enum of them and a table
 * beside it: for each phase the set of those that may follow it. One function of its module
 * changes the phase and asserts that the change is in the table, so that the table is the
 * truth about the code, and a reader need not collect the assignments.
 *
 *	static const unsigned next[] = {
 *		[PHASE_BEGUN] = PHASE(PHASE_RUNNING) | PHASE(PHASE_FAILED),
 *		...
 *	};
 *	assert(phase_may_follow(next, ARRAY_SIZE(next), from, to));
 */

#include <stdbool.h>
#include <stddef.h>

/* A member of a set of phases. */
#define PHASE(phase) (1U << (phase))

/**
 * phase_may_follow() - is the change from @from to @to in the table?
 * @next:   for each phase the set of those that may follow it
 * @phases: members of @next
 */
static inline bool phase_may_follow(const unsigned *next, size_t phases, unsigned from, unsigned to)
{
	return from < phases && to < phases && (next[from] & PHASE(to));
}

#endif
