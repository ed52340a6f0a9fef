/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_DIRECTORY_TAR_H
#define CLI_DIRECTORY_TAR_H

/*
 * DOC: A directory as a tar archive
 *
 * "run" uploads a working copy and "image import" a root file system. Both are packed into
 * a temporary file without a name, so that the size is known before the upload and the
 * request can be repeated. Which properties of files are kept depends on the kind.
 */

#include "common/error.h"

#include <stdint.h>

enum directory_tar_kind {
	/* a repository: regular files, directories and symbolic links, all with owner 0 */
	DIRECTORY_TAR_WORKING_COPY,
	/* a root file system: with owners, modes, hard links, FIFOs and attributes, but without
	 * file systems that are mounted in it */
	DIRECTORY_TAR_ROOT,
	DIRECTORY_TAR_NUM,
};

/**
 * directory_tar() - pack @directory without its devices and sockets
 * @runbook_text: replaces the contents of runbook.yml, or NULL
 * @max:          limit of the archive in bytes, 0 for none
 * @ret_size:     size of the archive in bytes
 *
 * Return: a descriptor with its offset at the end, or -errno with @error, which names the
 * file; -EFBIG above @max.
 */
int directory_tar(const char *directory, enum directory_tar_kind kind, const char *runbook_text,
		  uint64_t max, uint64_t *ret_size, struct error *error);

#endif
