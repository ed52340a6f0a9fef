/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the step payload that runbook-init reads. */
#include "common/step_payload.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *pointers[64];
	char **argv, **envp;
	char *copy = malloc(size ? size : 1);

	if (!copy)
		return 0;
	if (size > 0)
		memcpy(copy, data, size);
	if (step_payload_parse(copy, size, pointers, 64, &argv, &envp) == 0) {
		size_t length = 0;

		for (; *argv; argv++)
			length += strlen(*argv);
		for (; *envp; envp++)
			length += strlen(*envp);
		if (length > size)
			abort();
	}
	free(copy);
	return 0;
}
