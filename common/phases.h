/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_PHASES_H
#define COMMON_PHASES_H

/*
 * DOC: Phases and their order
 *
 * An object that passes through phases (a sandbox, a step, a request) has an enum of them and a
 * table with, for each phase, the set of those that may follow it. One function of its module
 * changes the phase and asserts that the table allows the change. So the table is correct, and
 * a reader need not search for all assignments.
 *
 *	static const unsigned next[] = {
 *		[PHASE_BEGUN] = PHASE(PHASE_RUNNING) | PHASE(PHASE_FAILED),
 *		...
 *	};
 *	assert(phase_may_follow(next, ARRAY_SIZE(next), from, to));
 */

#include <stdbool.h>
#include <stddef.h>

/* The bit of a phase in a set of phases */
#define PHASE(phase) (1U << (phase))

/**
 * phase_may_follow() - does the table allow the change from @from to @to?
 * @next:   for each phase the set of those that may follow it
 * @phases: number of elements of @next
 */
static inline bool phase_may_follow(const unsigned *next, size_t phases, unsigned from, unsigned to)
{
	return from < phases && to < phases && (next[from] & PHASE(to));
}

#endif
