/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_BENEATH_H
#define COMMON_BENEATH_H

/* Opening what lies beneath a directory, wherever links lead. */

#include <sys/types.h>

/**
 * open_beneath() - openat2(2) with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
 * RESOLVE_NO_MAGICLINKS. Return: fd or -errno.
 */
int open_beneath(int dir_fd, const char *path, int flags, mode_t mode);

#endif
