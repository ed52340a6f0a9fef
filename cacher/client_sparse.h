/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHER_CLIENT_SPARSE_H
#define CACHER_CLIENT_SPARSE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* DOC: Sparse files: artifacts get holes where they have zeroes, so they take no room at a get. */

/**
 * client_write_sparse() - write @data to a new file, leaving out blocks of zeroes
 * @offset: position in the file; the caller sets the file's length by ftruncate(2) at the end
 *
 * Return: 0 or -errno.
 */
int client_write_sparse(int fd, const uint8_t *data, size_t size, off_t offset);

#endif
