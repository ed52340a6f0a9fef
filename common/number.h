/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_NUMBER_H
#define COMMON_NUMBER_H

/*
 * DOC: Arithmetic on amounts
 *
 * Amounts are uint64_t and never negative: a difference that would be negative is 0.
 */

#include <stdint.h>

/** value_or() - @value, or @fallback if @value is 0, which means "not set" */
static inline uint64_t value_or(uint64_t value, uint64_t fallback)
{
	return value ? value : fallback;
}

/** u64_subtract() - @from minus @amount, but not below 0 */
static inline uint64_t u64_subtract(uint64_t from, uint64_t amount)
{
	return from > amount ? from - amount : 0;
}

/** u64_min() - the smaller of both */
static inline uint64_t u64_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/** u64_max() - the larger of both */
static inline uint64_t u64_max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

#endif
