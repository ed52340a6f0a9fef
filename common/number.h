/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_NUMBER_H
#define COMMON_NUMBER_H

/* Arithmetic on amounts, which are never negative. */

#include <stdint.h>

/** first_of() - @first, or @second where @first is 0, which stands for "not set" */
static inline uint64_t first_of(uint64_t first, uint64_t second)
{
	return first ? first : second;
}

/** u64_less() - @from without @amount, and 0 where that is more */
static inline uint64_t u64_less(uint64_t from, uint64_t amount)
{
	return from > amount ? from - amount : 0;
}

/** u64_smaller() - the smaller one of both */
static inline uint64_t u64_smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/** u64_larger() - the larger one of both */
static inline uint64_t u64_larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

#endif
