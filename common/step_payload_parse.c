/* SPDX-License-Identifier: Apache-2.0 */
/* In a file of its own, apart from step_payload.c: the static runbook-init links only this. */
#include "common/limits.h"
#include "common/step_payload.h"

#include <errno.h>
#include <string.h>

int step_payload_parse(char *data, size_t size, char **pointers, size_t max, char ***ret_argv,
		       char ***ret_envp)
{
	struct step_payload_header header;
	char *string, *end;
	size_t n = 0;

	if (size < sizeof(header) || size > sizeof(header) + STEP_PAYLOAD_MAX)
		return -EBADMSG;
	memcpy(&header, data, sizeof(header));
	if (header.magic != STEP_PAYLOAD_MAGIC || header.n_argv == 0 ||
	    header.size != size - sizeof(header) || header.size == 0)
		return -EBADMSG;
	/* every string has at least one byte, so this bounds the counts as well */
	if ((uint64_t)header.n_argv + header.n_envp > header.size)
		return -EBADMSG;
	if ((uint64_t)header.n_argv + header.n_envp + 2 > max)
		return -E2BIG;
	string = data + sizeof(header);
	end = data + size;
	if (end[-1] != '\0')
		return -EBADMSG;
	*ret_argv = pointers;
	for (uint64_t i = 0; i < (uint64_t)header.n_argv + header.n_envp; i++) {
		if (string >= end)
			return -EBADMSG;
		if (i == header.n_argv) {
			pointers[n++] = NULL;
			*ret_envp = pointers + n;
		}
		pointers[n++] = string;
		string += strlen(string) + 1;
	}
	if (string != end)
		return -EBADMSG;
	if (header.n_envp == 0) {
		pointers[n++] = NULL;
		*ret_envp = pointers + n;
	}
	pointers[n] = NULL;
	return 0;
}
