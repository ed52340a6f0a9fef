/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_OUTCOME_TEXT_H
#define SANDBOX_OUTCOME_TEXT_H

/*
 * DOC: Outcomes as sentences
 *
 * Names the limits that a step met, for the log of a run and for runbook-sandbox.
 */

#include "sandbox/sandbox.h"

#include <stddef.h>

/** sandbox_outcome_memory() - "out of memory: limit 512M, peak 512M", if .memory_limit is set */
void sandbox_outcome_memory(const struct sandbox_outcome *outcome, char *out, size_t size);

/**
 * sandbox_outcome_hint() - other limits that the step met, which may be why it failed
 *
 * "process limit 100 reached: 3 forks refused; the step's disk is full: limit 1G"; "" if it met
 * none.
 */
void sandbox_outcome_hint(const struct sandbox_outcome *outcome, char *out, size_t size);

#endif
