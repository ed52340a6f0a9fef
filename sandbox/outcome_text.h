/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_OUTCOME_TEXT_H
#define SANDBOX_OUTCOME_TEXT_H

#include "sandbox/sandbox.h"

#include <stddef.h>

/** sandbox_outcome_memory() - "out of memory: limit 512M, peak 512M", for one with memory_limit */
void sandbox_outcome_memory(const struct sandbox_outcome *outcome, char *out, size_t size);

/**
 * sandbox_outcome_hint() - other limits that it met, which may be why it failed
 *
 * "process limit 100 reached: 3 forks refused; the step's disk is full: limit 1G",
 * "" when there is nothing to say.
 */
void sandbox_outcome_hint(const struct sandbox_outcome *outcome, char *out, size_t size);

#endif
