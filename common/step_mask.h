/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_STEP_MASK_H
#define COMMON_STEP_MASK_H

/*
 * DOC: The values that a step's log must not show
 *
 * They travel in a sealed memfd of their own from the scheduler to the daemon,
 * as the second descriptor of STEP_START; there is none for a step without
 * secrets. Little-endian:
 *
 *   u32 magic "RBM1", u32 number of values, u32 bytes that follow, then for each
 *   value: u32 length, its bytes (any, also NUL; not terminated)
 *
 * A running step's is kept, so that a later version must read it as well
 * (tests/golden/kept/mask.*).
 *
 * Only values are sent. What else is looked for (base64, URL encoding, lines) the
 * daemon derives itself: daemon/mask_forms.h. Limits: STEP_MASK_VALUES_MAX values,
 * STEP_MASK_VALUE_MAX bytes each, STEP_MASK_BYTES_MAX in all.
 */

#include "common/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STEP_MASK_MAGIC 0x314d4252u /* "RBM1" */

struct step_mask_header {
	uint32_t magic;
	uint32_t n_values;
	uint32_t size;
};

/** struct step_mask_value - one secret; not terminated */
struct step_mask_value {
	const void *data;
	size_t size;
};

/**
 * struct step_mask - the values of a step, mapped
 * @values:  point into @data
 * @data:    the whole file; neither in core dumps nor, where that is allowed, in swap
 */
struct step_mask {
	struct step_mask_value *values;
	size_t n_values;
	const char *data;
	size_t size;
};

/**
 * step_mask_new() - seal @values. What was copied on the way is wiped.
 *
 * Return: memfd; -E2BIG when they are over a limit, or another -errno.
 */
int step_mask_new(const struct step_mask_value *values, size_t n_values);

/**
 * step_mask_parse() - split what is in the memfd; every field is checked
 * @values: room for @max; point into @data
 *
 * Return: number of values, or -EBADMSG, or -E2BIG when @max is too small.
 */
int step_mask_parse(const void *data, size_t size, struct step_mask_value *values, size_t max);

/**
 * step_mask_acceptable() - whether @fd may be mapped at all
 *
 * It must be a memfd that nobody can change or shorten any more, of a size that can be:
 * asked for without touching its content, which an unprivileged process made.
 */
bool step_mask_acceptable(int fd);

/**
 * step_mask_map() - map @fd and check it; it may be closed afterwards
 *
 * Return: 0; -EBADMSG when it is not acceptable or malformed, -ENOMEM.
 */
int step_mask_map(int fd, struct step_mask *ret_mask);
/** step_mask_unmap() - also of one that was never mapped */
void step_mask_unmap(struct step_mask *mask);

#endif
