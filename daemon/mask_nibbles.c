/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/mask_nibbles.h"

#include <immintrin.h>
#include <stdint.h>

#define PLACES 32

bool mask_nibbles_usable(void)
{
	return __builtin_cpu_supports("avx2");
}

void mask_nibbles_add(struct mask_nibbles *nibbles, const unsigned char *bytes, unsigned group)
{
	for (unsigned i = 0; i < MASK_NIBBLES_WINDOW; i++) {
		nibbles->low[i][bytes[i] & 15] |= (unsigned char)(1U << group);
		nibbles->high[i][bytes[i] >> 4] |= (unsigned char)(1U << group);
	}
}

__attribute__((target("avx2"))) static __m256i table_load(const unsigned char table[16])
{
	return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)table));
}

/* For each of 32 bytes from @text on: the groups that have both of its halves in these tables. */
__attribute__((target("avx2"))) static inline __m256i groups_of(const unsigned char *text,
								__m256i low, __m256i high)
{
	const __m256i half = _mm256_set1_epi8(15);
	__m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)text);
	__m256i upper = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), half);

	return _mm256_and_si256(_mm256_shuffle_epi8(low, _mm256_and_si256(bytes, half)),
				_mm256_shuffle_epi8(high, upper));
}

__attribute__((target("avx2"))) size_t mask_nibbles_next(const struct mask_nibbles *nibbles,
							 const unsigned char *text, size_t at,
							 size_t last)
{
	__m256i low[MASK_NIBBLES_WINDOW], high[MASK_NIBBLES_WINDOW];

	for (unsigned i = 0; i < MASK_NIBBLES_WINDOW; i++) {
		low[i] = table_load(nibbles->low[i]);
		high[i] = table_load(nibbles->high[i]);
	}
	for (; at + PLACES - 1 <= last; at += PLACES) {
		__m256i groups = groups_of(text + at, low[0], high[0]);
		unsigned none;

		for (unsigned i = 1; i < MASK_NIBBLES_WINDOW; i++)
			groups =
				_mm256_and_si256(groups, groups_of(text + at + i, low[i], high[i]));
		none = (unsigned)_mm256_movemask_epi8(
			_mm256_cmpeq_epi8(groups, _mm256_setzero_si256()));
		if (none != UINT32_MAX)
			return at + (size_t)__builtin_ctz(~none);
	}
	return at;
}
