/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHER_CLIENT_SPARSE_H
#define CACHER_CLIENT_SPARSE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * client_write_sparse() - write to a new file, but for blocks of zeroes
 * @offset: where; the file is given its length by ftruncate(2) in the end
 *
 * Return: 0 or -errno.
 */
int client_write_sparse(int fd, const uint8_t *data, size_t size, off_t offset);

#endif
