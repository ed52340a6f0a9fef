/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_STEP_MASK_H
#define COMMON_STEP_MASK_H

/*
 * DOC: Secret values to mask in a step's log
 *
 * The scheduler sends them to the daemon in a sealed memfd, the second descriptor of
 * STEP_START; a step without secrets has none. Little-endian:
 *
 *   u32 magic "RBM1", u32 number of values, u32 bytes that follow, then for each
 *   value: u32 length, its bytes (any, also NUL; not terminated)
 *
 * The memfd is kept while the step runs, so later versions must read this format as well
 * (tests/golden/kept/mask.*).
 *
 * Only the values are sent. The daemon derives the other forms to mask (base64, URL encoding,
 * single lines): daemon/mask_forms.h. Limits: STEP_MASK_VALUES_MAX values, STEP_MASK_VALUE_MAX
 * bytes each, STEP_MASK_BYTES_MAX in all.
 */

#include "common/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STEP_MASK_MAGIC 0x314d4252u /* "RBM1" */

/** struct step_mask_header - the beginning of the memfd; @size bytes follow */
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
 * @data:    the whole file; excluded from core dumps and, if mlock(2) is allowed, from swap
 */
struct step_mask {
	struct step_mask_value *values;
	size_t n_values;
	const char *data;
	size_t size;
};

/**
 * step_mask_new() - make a sealed memfd with @values, and wipe intermediate copies
 *
 * Return: memfd; -E2BIG if they exceed a limit, or another -errno.
 */
int step_mask_new(const struct step_mask_value *values, size_t n_values);

/**
 * step_mask_parse() - split the contents of the memfd, and check every field
 * @values: room for @max; point into @data
 *
 * Return: number of values; -EBADMSG; -E2BIG if @max is too small.
 */
int step_mask_parse(const void *data, size_t size, struct step_mask_value *values, size_t max);

/**
 * step_mask_acceptable() - whether it is safe to map @fd
 *
 * It must be a memfd of a possible size, sealed so that no process can change or shorten it.
 * This does not read the contents, which an unprivileged process wrote.
 */
bool step_mask_acceptable(int fd);

/**
 * step_mask_map() - map @fd and check it; the caller may close @fd afterwards
 *
 * Return: 0; -EBADMSG if it is not acceptable or malformed; -ENOMEM.
 */
int step_mask_map(int fd, struct step_mask *ret_mask);
/** step_mask_unmap() - no-op if it is not mapped */
void step_mask_unmap(struct step_mask *mask);

#endif
