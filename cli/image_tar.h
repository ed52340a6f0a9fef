/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_IMAGE_TAR_H
#define CLI_IMAGE_TAR_H

#include "common/error.h"

#include <stdint.h>

/**
 * image_tar() - a directory as a tar: owners, modes, hard links and attributes kept
 *
 * Other file systems that are mounted in it are left out, and so are devices.
 *
 * Return: descriptor of a nameless file, or -errno with @error.
 */
int image_tar(const char *directory, uint64_t *ret_size, struct error *error);

#endif
