/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any tar, unpacked into a directory next to a canary. For any archive, the canary stays unchanged
 * and the directory's only neighbour.
 */
#include "common/fdio.h"
#include "common/remove_tree.h"
#include "fetcher/unpack.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char top[] = "/tmp/fuzz_unpack.XXXXXX";
static int top_fd = -1;

static void finish(void)
{
	(void)remove_tree(AT_FDCWD, top);
}

static void start(void)
{
	if (!mkdtemp(top) || atexit(finish) != 0)
		abort();
	top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (top_fd < 0 || file_replace(top_fd, "canary", "alive", 5, 0600) < 0)
		abort();
}

/* Only the canary and the tree may be here. */
static void check(void)
{
	struct stat st;

	if (fstat(top_fd, &st) < 0 || st.st_nlink != 3 || fstatat(top_fd, "canary", &st, 0) < 0 ||
	    st.st_nlink != 1 || st.st_size != 5)
		abort();
	for (const char *const *name = (const char *const[]){"a", "x", "d", "escaped", NULL}; *name;
	     name++) {
		if (faccessat(top_fd, *name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct fetch_limits limits = {
		.blob = 64 * KIB, .tree = 256 * KIB, .tree_entries = 100};
	struct fetch_result result = {.outcome = FETCH_OK};
	int tar_fd = memfd_create("tar", MFD_CLOEXEC);
	int tree_fd;

	if (top_fd < 0)
		start();
	if (tar_fd < 0 || fd_write_all(tar_fd, data, size) < 0 || lseek(tar_fd, 0, SEEK_SET) < 0 ||
	    mkdirat(top_fd, "tree", 0755) < 0)
		abort();
	tree_fd = openat(top_fd, "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (unpack_tar(tree_fd, tar_fd, &limits, &result) < 0 && !result.error.text[0])
		abort(); /* a refusal has a reason */
	check();
	(void)close(tree_fd);
	(void)close(tar_fd);
	if (remove_tree(top_fd, "tree") < 0)
		abort();
	return 0;
}
