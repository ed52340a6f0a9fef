/* SPDX-License-Identifier: Apache-2.0 */
#include "common/step_payload.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/limits.h"

#include <errno.h>
#include <string.h>

static int strings_measure(char *const *strings, uint32_t *count, uint64_t *size)
{
	for (; *strings; strings++) {
		*size += strlen(*strings) + 1;
		(*count)++;
		if (*size > STEP_PAYLOAD_MAX)
			return -E2BIG;
	}
	return 0;
}

static char *strings_copy(char *out, char *const *strings)
{
	for (; *strings; strings++)
		out = stpcpy(out, *strings) + 1;
	return out;
}

int step_payload_new(char *const *argv, char *const *envp)
{
	struct step_payload_header header = {.magic = STEP_PAYLOAD_MAGIC};
	uint64_t size = 0;
	cleanup_free char *data = NULL;
	int r, fd;

	r = strings_measure(argv, &header.n_argv, &size);
	if (r == 0)
		r = strings_measure(envp, &header.n_envp, &size);
	if (r < 0)
		return r;
	if (header.n_argv == 0)
		return -EINVAL;
	header.size = (uint32_t)size;
	data = malloc(sizeof(header) + size);
	if (!data)
		return -ENOMEM;
	memcpy(data, &header, sizeof(header));
	(void)strings_copy(strings_copy(data + sizeof(header), argv), envp);
	fd = memfd_sealed("step-payload", data, sizeof(header) + size);
	explicit_bzero(data, sizeof(header) + size); /* the environment may contain secrets */
	return fd;
}
