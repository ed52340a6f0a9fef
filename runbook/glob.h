/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNBOOK_GLOB_H
#define RUNBOOK_GLOB_H

/* One pattern of a branch, a tag or a path. runbook_globs_match() takes lists of them. */

#include <stdbool.h>
#include <stdint.h>

#define GLOB_MAX 256 /* bytes of one pattern */

/**
 * glob_match() - does @pattern, without its "!", fit the whole of @text?
 * @steps: how many steps it may take, what is left comes back; 0: it was given up
 *
 * Steps: the product of the lengths, squared, at worst; their sum as a rule.
 */
bool glob_match(const char *pattern, const char *text, uint64_t *steps);

/**
 * glob_check() - is @pattern one? A leading "!" is allowed.
 * @ret_fix: on failure, what to do
 *
 * Return: NULL, or what is wrong with it: "ends with …"
 */
const char *glob_check(const char *pattern, const char **ret_fix);

#endif
