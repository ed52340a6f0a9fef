/* SPDX-License-Identifier: Apache-2.0 */
/* Removes a layer's files, within a sandbox that reaches nothing but the layer. */
#include "images/unpack.h"

#include "common/cleanup.h"
#include "common/remove_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

int unpack_remove(int directory_fd)
{
	int copy = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_closedir DIR *directory = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;
	int r = directory ? 0 : -errno;

	while (directory && (errno = 0, entry = readdir(directory))) {
		int failed;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		failed = remove_tree(directory_fd, entry->d_name);
		if (failed < 0)
			r = failed;
	}
	return r;
}
