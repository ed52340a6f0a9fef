/* SPDX-License-Identifier: Apache-2.0 */
/* Any archive: unpacking it leaves nothing outside its directory. */
#include "cacher/client_pax_read.c"
#include "cacher/client_sparse.c"

#include "common/remove_tree.h"

#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_close int archive_fd = memfd_create("archive", MFD_CLOEXEC);
	cleanup_close int in_fd = -1;
	struct error error = ERROR_INIT;
	struct stat status;
	char directory[] = "/tmp/rbt-fuzz.XXXXXX";
	int dir_fd;

	if (archive_fd < 0 || !mkdtemp(directory))
		abort();
	dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0 || mkdirat(dir_fd, "in", 0700) < 0)
		abort();
	in_fd = openat(dir_fd, "in", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (write(archive_fd, data, size) != (ssize_t)size || lseek(archive_fd, 0, SEEK_SET) != 0)
		abort();
	if (pax_read_directory(archive_fd, in_fd, &error) < 0 && !error.text[0])
		abort();
	/* the directory has no other entry than "in" */
	if (fstat(dir_fd, &status) < 0 || status.st_nlink != 3)
		abort();
	(void)fchmod(in_fd, 0700);
	if (remove_tree(dir_fd, "in") < 0 || rmdir(directory) < 0)
		abort();
	(void)close(dir_fd);
	return 0;
}
