/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_DIRECTORY_TAR_H
#define CLI_DIRECTORY_TAR_H

/* A directory as a tar archive in a nameless file: what "run" and "image import" hand over. */

#include "common/error.h"

#include <stdint.h>

enum directory_tar_kind {
	/* a repository: regular files, directories and symbolic links, owned by nobody special */
	DIRECTORY_TAR_WORKING_COPY,
	/* a root file system: owners, modes, hard links, FIFOs and attributes kept; what is mounted
	 * in it is left out */
	DIRECTORY_TAR_ROOT,
	DIRECTORY_TAR_NUM,
};

/**
 * directory_tar() - pack all of @directory; devices and sockets are left out
 * @runbook_text: stands for runbook.yml's contents when not NULL
 * @max:          more bytes are refused with EFBIG, 0: any number
 * @ret_size:     bytes
 *
 * Return: descriptor, its offset at the end, or -errno with @error naming the file at fault.
 */
int directory_tar(const char *directory, enum directory_tar_kind kind, const char *runbook_text,
		  uint64_t max, uint64_t *ret_size, struct error *error);

#endif
