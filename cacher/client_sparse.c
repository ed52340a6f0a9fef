/* SPDX-License-Identifier: Apache-2.0 */
#include "cacher/client_sparse.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define SPARSE_BLOCK 4096u

int client_write_sparse(int fd, const uint8_t *data, size_t size, off_t offset)
{
	static const uint8_t zeroes[SPARSE_BLOCK];

	while (size > 0) {
		size_t n = SPARSE_BLOCK - (size_t)offset % SPARSE_BLOCK;
		ssize_t written;

		if (n > size)
			n = size;
		if (n == SPARSE_BLOCK && memcmp(data, zeroes, SPARSE_BLOCK) == 0) {
			data += n;
			size -= n;
			offset += (off_t)n;
			continue;
		}
		/* extend the write up to the next block of zeroes */
		while (n < size &&
		       (size - n < SPARSE_BLOCK || memcmp(data + n, zeroes, SPARSE_BLOCK) != 0))
			n += size - n < SPARSE_BLOCK ? size - n : SPARSE_BLOCK;
		written = pwrite(fd, data, n, offset);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return written < 0 ? -errno : -EIO;
		data += written;
		size -= (size_t)written;
		offset += written;
	}
	return 0;
}
