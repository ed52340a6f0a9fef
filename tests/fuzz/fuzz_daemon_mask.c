/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any values, any text, any chunks: the masked text is that of the model. Input: a byte for the
 * seed of the chunks, a byte for the number of values, for each value its length in a byte and
 * its bytes, then the text.
 */
#include "common/error.h"
#include "daemon/mask.h"
#include "tests/unit/mask_model.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 2048
#define VALUES_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char wanted[TEXT_MAX], out[TEXT_MAX + MASK_HEADROOM];
	struct step_mask_value values[VALUES_MAX];
	struct error error = ERROR_INIT;
	struct mask *mask = NULL;
	uint64_t seed;
	size_t at = 2, n_values, expected;

	if (size < 2)
		return 0;
	seed = data[0] + 1;
	n_values = data[1] % VALUES_MAX;
	for (size_t i = 0; i < n_values; i++) {
		size_t length;

		if (at == size)
			return 0;
		length = data[at++];
		if (length > size - at)
			return 0;
		values[i] = (struct step_mask_value){data + at, length};
		at += length;
	}
	if (mask_new(values, n_values, &mask, &error) < 0)
		abort();
	if (size - at > TEXT_MAX)
		size = at + TEXT_MAX;
	if (mask) {
		expected = mask_model(mask, (const char *)data + at, size - at, wanted);
		for (size_t part = 1; part <= TEXT_MAX; part *= 16) {
			size_t used = mask_feed(mask, (const char *)data + at, size - at, part,
						&seed, out);

			if (used != expected || memcmp(out, wanted, used) != 0)
				abort();
		}
	}
	(void)mask_unref(mask);
	return 0;
}
