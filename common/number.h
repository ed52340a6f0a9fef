/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_NUMBER_H
#define COMMON_NUMBER_H

/*
 * DOC: Arithmetic on amounts
 *
 * Amounts are uint64_t and never negative: a difference that would be negative is 0.
 */

#include <stdint.h>

/** first_of() - @first, or @second if @first is 0, which means "not set" */
static inline uint64_t first_of(uint64_t first, uint64_t second)
{
	return first ? first : second;
}

/** u64_less() - @from minus @amount, but not below 0 */
static inline uint64_t u64_less(uint64_t from, uint64_t amount)
{
	return from > amount ? from - amount : 0;
}

/** u64_smaller() - the smaller of both */
static inline uint64_t u64_smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/** u64_larger() - the larger of both */
static inline uint64_t u64_larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

#endif
