/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any layer, packed or not, unpacked into a directory next to a canary. For any layer, the canary
 * stays unchanged and the directory's only neighbour, and a refusal has a reason in the report.
 */
#include "common/fdio.h"
#include "common/remove_tree.h"
#include "images/unpack.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char top[] = "/tmp/fuzz_layer.XXXXXX";
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
	int tar_fd = memfd_create("layer", MFD_CLOEXEC), report_fd = memfd_create("report", 0);
	struct unpack unpack = {
		.report_fd = report_fd,
		.limits = {.bytes = 256 * KIB, .entries = 100},
	};
	struct rlimit no_core = {0, 0};
	struct stat st;

	if (top_fd < 0) {
		(void)setrlimit(RLIMIT_CORE, &no_core);
		start();
	}
	if (tar_fd < 0 || report_fd < 0 || fd_write_all(tar_fd, data, size) < 0 ||
	    lseek(tar_fd, 0, SEEK_SET) < 0 || mkdirat(top_fd, "tree", 0755) < 0)
		abort();
	unpack.directory_fd = openat(top_fd, "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (unpack_stream(&unpack, tar_fd, "", "") < 0 && !unpack.failed)
		abort(); /* a refusal has a reason */
	if (fstat(report_fd, &st) < 0 || st.st_size == 0)
		abort();
	check();
	(void)close(unpack.directory_fd);
	(void)close(tar_fd);
	(void)close(report_fd);
	if (remove_tree(top_fd, "tree") < 0)
		abort();
	return 0;
}
