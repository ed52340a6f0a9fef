/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNBOOK_GLOB_H
#define RUNBOOK_GLOB_H

/*
 * DOC: Patterns
 *
 * Matches one pattern of a branch, a tag or a path; runbook_globs_match() (runbook.h, with the
 * syntax) combines lists of them. Patterns and texts are untrusted, so work is limited by a
 * budget of steps.
 */

#include <stdbool.h>
#include <stdint.h>

#define GLOB_MAX 256 /* bytes of one pattern */

/**
 * glob_match() - does @pattern, without its "!", match the whole of @text?
 * @steps: budget, from which the steps used are subtracted; 0 afterwards: it was exhausted
 *
 * Uses as many steps as the sum of the lengths as a rule, their product squared at worst.
 */
bool glob_match(const char *pattern, const char *text, uint64_t *steps);

/**
 * glob_check() - check a pattern, which may begin with "!"
 * @ret_fix: on failure, the fix
 *
 * Return: NULL if it is valid, else the problem: "ends with …"
 */
const char *glob_check(const char *pattern, const char **ret_fix);

#endif
